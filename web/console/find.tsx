/**
 * Finds a customer by anything.
 * @module
 */

import {
  Await,
  Badge,
  count,
  CustomerLink,
  Foreign,
  Moment,
  nameOf,
  ViewHeading,
} from "./parts.tsx";
import type { Loaded } from "./context.ts";
import type { Functions } from "./functions.ts";
import { OrderList } from "./orders.tsx";

/** The most that a search finds. */
const MAX_CUSTOMERS = 10;

/** What a search found, or how to search. */
export function FindView({ search }: { search: Loaded<Functions["find-customer"]> | undefined }) {
  if (!search) {
    return (
      <>
        <ViewHeading title="Find a customer" />
        <p class="muted">
          By a phone number in any spelling, a WhatsApp user id or message id, a user id, an id of
          Razorpay's, an order or a receipt, or the reference of a payment link or of an action.
        </p>
      </>
    );
  }
  return (
    <>
      <ViewHeading title="Found" />
      <Await loaded={search}>
        {({ customers, unclaimed_orders }) => (
          <>
            <p role="status">
              {customers.length === 0
                ? "No customer was found."
                : `${count(customers.length, "customer")}${
                  customers.length === MAX_CUSTOMERS ? ", at most" : ""
                }.`}
            </p>
            <ul class="results">
              {customers.map((customer) => (
                <li key={customer.user_id} class="panel">
                  <CustomerLink userId={customer.user_id} orderId={customer.found_order_id}>
                    <Foreign text={nameOf(customer)} />
                  </CustomerLink>
                  <p>
                    {count(customer.credits, "credit")}{" "}
                    {customer.flags.map((flag) => (
                      <Badge key={flag} tone="warn">{flag.replaceAll("_", " ")}</Badge>
                    ))}{" "}
                    <span class="muted">
                      since <Moment at={customer.created_at} />
                    </span>
                  </p>
                </li>
              ))}
            </ul>
            <OrderList
              title="Orders of nobody yet"
              orders={unclaimed_orders}
              hidesEmpty
              onChange={search.reload}
            />
          </>
        )}
      </Await>
    </>
  );
}
