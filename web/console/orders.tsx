/**
 * Orders, each with the whole life of its payments.
 * @module
 */

import { useState } from "preact/hooks";
import { RefundDialog, SettleDialog } from "./acts/money.tsx";
import { useIsOwner } from "./context.ts";
import { MIN_REFUND_PAISE, refundablePaise } from "./forecast.ts";
import type { Customer, Functions, Order, Payment } from "./functions.ts";
import { Badge, count, Foreign, Moment, number, rupees, Section } from "./parts.tsx";

/** An order as a search finds it, or with everything about it. */
type AnyOrder = Order | Functions["find-customer"]["unclaimed_orders"][number];
type AnyPayment = AnyOrder["payments"][number];

interface OrderListProps {
  readonly title: string;
  readonly orders: readonly AnyOrder[];
  /** What else there is to know about the list. */
  readonly note?: string | undefined;
  /** Whether an empty list is not shown at all. */
  readonly hidesEmpty?: boolean;
  readonly customer?: Customer;
  readonly onChange: () => void;
}

type Opened =
  | { readonly act: "refund"; readonly payment: Payment }
  | { readonly act: "settle"; readonly order: AnyOrder };

/** Shows orders, newest first, and what can be done about them. */
export function OrderList(
  { title, orders, note, hidesEmpty, customer, onChange }: OrderListProps,
) {
  const isOwner = useIsOwner();
  const [opened, setOpened] = useState<Opened>();
  const close = (isChanged: boolean) => {
    setOpened(undefined);
    if (isChanged) onChange();
  };
  const list = (
    <Section title={title}>
      {orders.length === 0 && <p class="muted">There are none.</p>}
      {orders.map((order) => (
        <article
          key={order.order_id}
          class="order"
          aria-label={`Order of ${rupees(order.amount_paise)}`}
        >
          <header>
            <h3>
              <Foreign text={"package_name" in order ? order.package_name : order.package_id} />,
              {" "}
              {rupees(order.amount_paise)}, {count(order.credits, "credit")}
            </h3>
            <Badge tone={order.state === "paid" ? "good" : undefined}>{order.state}</Badge>
            {"key_mode" in order && order.key_mode === "test" && <Badge>test</Badge>}
            <button type="button" onClick={() => setOpened({ act: "settle", order })}>
              Look up at Razorpay
            </button>
          </header>
          <dl class="facts">
            <div>
              <dt>Placed</dt>
              <dd>
                <Moment at={order.created_at} /> by {order.channel}
              </dd>
            </div>
            {"tried_at" in order && <Time name="First tried" at={order.tried_at} />}
            <Time name="Paid" at={order.paid_at} />
            {"checked_at" in order && <Time name="Asked about at Razorpay" at={order.checked_at} />}
            {"next_check_at" in order && order.state !== "paid" && (
              <Time name="Asked about next" at={order.next_check_at} />
            )}
            <div>
              <dt>Razorpay's order</dt>
              <dd>
                <Foreign text={order.razorpay_order_id} isCode />
              </dd>
            </div>
            <div>
              <dt>For</dt>
              <dd>
                <Foreign text={order.phone_number ?? order.whatsapp_user_id} />
              </dd>
            </div>
            {"reference_ids" in order && order.reference_ids.length > 0 && (
              <div>
                <dt>The bot's references</dt>
                <dd>
                  {order.reference_ids.map((id) => (
                    <div key={id}>
                      <Foreign text={id} isCode />
                    </div>
                  ))}
                </dd>
              </div>
            )}
          </dl>
          {order.payments.length === 0
            ? <p class="muted">Nobody has tried to pay it.</p>
            : (
              <ol class="payments" aria-label="Payments, newest first">
                {order.payments.map((payment) => (
                  <li key={payment.payment_id}>
                    <PaymentLife payment={payment} />
                    {isOwner && isRefundable(payment) && (
                      <button
                        type="button"
                        onClick={() => setOpened({ act: "refund", payment })}
                      >
                        Refund
                      </button>
                    )}
                  </li>
                ))}
              </ol>
            )}
        </article>
      ))}
      {note && <p class="muted">{note}</p>}
    </Section>
  );
  return (
    <>
      {(orders.length > 0 || !hidesEmpty) && list}
      {opened?.act === "settle" && (
        <SettleDialog order={opened.order} customer={customer} onClose={close} />
      )}
      {opened?.act === "refund" && (
        <RefundDialog
          paymentId={opened.payment.payment_id}
          payment={opened.payment}
          customer={customer}
          onClose={close}
        />
      )}
    </>
  );
}

function Time({ name, at }: { name: string; at: string | null }) {
  if (at === null) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <Moment at={at} />
      </dd>
    </div>
  );
}

function isRefundable(payment: AnyPayment): payment is Payment {
  return "reversals" in payment && ["captured", "refunded"].includes(payment.status) &&
    refundablePaise(payment) >= MIN_REFUND_PAISE;
}

/** What became of a payment, in the order in which it happened. */
function PaymentLife({ payment }: { payment: AnyPayment }) {
  return (
    <div class="payment">
      <p>
        <Foreign text={payment.payment_id} isCode />{" "}
        <Badge tone={toneOf(payment.status)}>
          {payment.status}
        </Badge>{" "}
        {payment.flag !== null && <Badge tone="bad">{payment.flag.replaceAll("_", " ")}</Badge>}
      </p>
      <ul class="life">
        <li>
          <Moment at={payment.created_at} />: {rupees(payment.amount_paise)} tried
        </li>
        {payment.credits_granted > 0 && (
          <li>
            {"granted_at" in payment && (
              <>
                <Moment at={payment.granted_at} />:{" "}
              </>
            )}
            {count(payment.credits_granted, "credit")} granted
          </li>
        )}
        {"reversals" in payment
          ? payment.reversals.toReversed().map((reversal) => (
            <li key={reversal.reversal_id}>
              <Moment at={reversal.created_at} />: {reversal.kind}{" "}
              <Foreign text={reversal.reversal_id} isCode /> of {rupees(reversal.amount_paise)},
              {" "}
              {reversal.status}; {count(reversal.credits_taken, "credit")} taken
              {reversal.credits_owed > 0 && `, ${number(reversal.credits_owed)} owed`}
              {reversal.credits_forgiven > 0 && `, ${number(reversal.credits_forgiven)} forgiven`}
            </li>
          ))
          : payment.returned_paise > 0 && <li>{rupees(payment.returned_paise)} returned</li>}
        {"entries" in payment &&
          payment.entries.toReversed().map((entry) => (
            <li key={`${entry.user_id} ${entry.sequence_number}`} class="muted">
              <Moment at={entry.created_at} />: entry {number(entry.sequence_number)},{" "}
              {entry.action === "credit" ? "+" : "−"}
              {number(entry.credits)}, balance {number(entry.balance_after)}
            </li>
          ))}
      </ul>
    </div>
  );
}

function toneOf(status: string): "good" | "warn" | "bad" | undefined {
  if (status === "captured") return "good";
  if (status === "failed") return "bad";
  return status === "authorized" || status === "refunded" ? "warn" : undefined;
}
