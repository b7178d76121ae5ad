/**
 * One customer on one page: what they have, what happened, and what can be done.
 * @module
 */

import { useState } from "preact/hooks";
import { BalanceChart } from "../common/balance-chart.tsx";
import {
  AdjustDialog,
  EndHoldDialog,
  EraseDialog,
  ForgiveDialog,
  FreezeDialog,
  MergeDialog,
} from "./acts/account.tsx";
import { ResendDialog } from "./acts/events.tsx";
import { StatementDialog } from "./acts/statement.tsx";
import { ActionList } from "./action-list.tsx";
import { useConsole, useIsOwner, useLoaded } from "./context.ts";
import { Entries } from "./entries.tsx";
import type { BotEvent, Customer, Hold } from "./functions.ts";
import { OrderList } from "./orders.tsx";
import {
  Await,
  Badge,
  count,
  Foreign,
  Moment,
  nameOf,
  number,
  Scroll,
  Section,
  shortId,
  ViewHeading,
} from "./parts.tsx";
import { actionsHref } from "./route.ts";

/** Shows a customer. */
export function CustomerView(
  { userId, orderId }: { userId: string; orderId?: string | undefined },
) {
  const { api } = useConsole();
  const loaded = useLoaded(
    async (signal) => {
      const query = { user_id: userId, order_id: orderId };
      return (await api.call("get-customer", { query, signal })).data;
    },
    [userId, orderId],
  );
  const { data } = loaded;
  return (
    <>
      <ViewHeading title={data ? nameOf(data) : "Customer"}>
        {data && <Foreign text={nameOf(data)} />}
      </ViewHeading>
      <Await loaded={loaded}>
        {(customer) => (
          <CustomerPage
            customer={customer}
            askedFor={userId}
            orderId={orderId}
            reload={loaded.reload}
          />
        )}
      </Await>
    </>
  );
}

const DIALOGS = {
  adjust: AdjustDialog,
  freeze: FreezeDialog,
  forgive: ForgiveDialog,
  merge: MergeDialog,
  erase: EraseDialog,
  statement: StatementDialog,
};

/** So many of the newest orders are shown. */
const MAX_ORDERS = 20;

type Opened =
  | { readonly act: keyof typeof DIALOGS }
  | { readonly act: "end-hold"; readonly hold: Hold }
  | { readonly act: "resend"; readonly event: BotEvent };

function CustomerPage(
  { customer, askedFor, orderId, reload }: {
    customer: Customer;
    askedFor: string;
    orderId: string | undefined;
    reload: () => void;
  },
) {
  const [opened, setOpened] = useState<Opened>();
  const close = (isChanged: boolean) => {
    setOpened(undefined);
    if (isChanged) reload();
  };
  const { user_id, erased_at, orders } = customer;
  const named = orders.filter(({ order_id }) => order_id === orderId);
  return (
    <>
      {askedFor !== user_id && (
        <p class="notice">
          The account {shortId(askedFor)} was merged into this one.
        </p>
      )}
      {erased_at !== null && (
        <p class="notice warn">
          This person was erased <Moment at={erased_at} />. The books stay.
        </p>
      )}
      <Balances customer={customer} />
      {erased_at === null && <Acts customer={customer} open={(act) => setOpened({ act })} />}
      <div class="columns">
        <div>
          {named.length > 0 && (
            <OrderList
              title="The order that was looked for"
              orders={named}
              customer={customer}
              onChange={reload}
            />
          )}
          <Picture customer={customer} />
          <OrderList
            title={named.length > 0 ? "Other orders" : "Orders"}
            orders={orders.filter((order) => !named.includes(order))}
            note={orders.length >= MAX_ORDERS
              ? "Only the newest are here. Search for an older one by its id, or by its payment's."
              : undefined}
            customer={customer}
            onChange={reload}
          />
          <Entries key={`${user_id} ${customer.total_entries}`} customer={customer} />
        </div>
        <div>
          <Identities customer={customer} />
          <Holds holds={customer.holds} open={(hold) => setOpened({ act: "end-hold", hold })} />
          <Events events={customer.events} open={(event) => setOpened({ act: "resend", event })} />
          <Section
            title="What operators did"
            aside={<a href={actionsHref({ user_id })}>All of it</a>}
          >
            <ActionList actions={customer.actions} />
          </Section>
        </div>
      </div>
      {opened && <OpenedDialog opened={opened} customer={customer} onClose={close} />}
    </>
  );
}

function OpenedDialog({ opened, customer, onClose }: {
  opened: Opened;
  customer: Customer;
  onClose: (isChanged: boolean) => void;
}) {
  if (opened.act === "end-hold") {
    return <EndHoldDialog customer={customer} hold={opened.hold} onClose={onClose} />;
  }
  if (opened.act === "resend") return <ResendDialog event={opened.event} onClose={onClose} />;
  const Dialog = DIALOGS[opened.act];
  return <Dialog customer={customer} onClose={onClose} />;
}

function Balances({ customer }: { customer: Customer }) {
  const { credits, remaining_credits, reserved_credits, debt_credits, frozen, frozen_at } =
    customer;
  return (
    <dl class="balances">
      <div class="main">
        <dt>Balance</dt>
        <dd>{number(credits)}</dd>
      </div>
      <div>
        <dt>Can be spent</dt>
        <dd>{number(frozen ? 0 : remaining_credits)}</dd>
      </div>
      <div>
        <dt>Reserved</dt>
        <dd>{number(reserved_credits)}</dd>
      </div>
      <div class={debt_credits > 0 ? "warn" : ""}>
        <dt>Debt</dt>
        <dd>{number(debt_credits)}</dd>
      </div>
      <div class={frozen ? "bad" : ""}>
        <dt>State</dt>
        <dd class="words">
          {frozen
            ? (
              <>
                Frozen{" "}
                <small>
                  <Moment at={frozen_at} />
                </small>
              </>
            )
            : "Active"}
        </dd>
      </div>
    </dl>
  );
}

/** The buttons that the operator's role may use. */
function Acts(
  { customer, open }: { customer: Customer; open: (act: keyof typeof DIALOGS) => void },
) {
  const isOwner = useIsOwner();
  return (
    <div class="buttons" role="group" aria-label="What can be done">
      <button type="button" class="primary" onClick={() => open("adjust")}>
        Give or take credits
      </button>
      <button type="button" onClick={() => open("statement")}>Export a statement</button>
      {isOwner && (
        <>
          {customer.debt_credits > 0 && (
            <button type="button" onClick={() => open("forgive")}>Forgive the debt</button>
          )}
          <button type="button" onClick={() => open("freeze")}>
            {customer.frozen ? "Unfreeze" : "Freeze"}
          </button>
          <button type="button" onClick={() => open("merge")}>Merge</button>
          <button type="button" class="danger" onClick={() => open("erase")}>Erase</button>
        </>
      )}
    </div>
  );
}

function Picture({ customer: { balance_points, credits } }: { customer: Customer }) {
  const points = balance_points.map(({ created_at, balance_after }) => ({
    at: created_at,
    credits: balance_after,
  }));
  const balances = points.map((point) => point.credits);
  // Until now, the newest balance has stayed as it was.
  const drawn = [...points, { at: new Date().toISOString(), credits }];
  return (
    <Section title="Balance over time">
      <BalanceChart
        points={drawn}
        title="Balance over time"
        description={`From ${balances[0] ?? 0} to ${credits} credits, at most ${
          Math.max(0, ...balances)
        }. The numbers are in the table below.`}
      />
      <details>
        <summary>The numbers</summary>
        <Scroll label="The balance at each point of the picture">
          <table class="dense">
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col" class="number">Entry</th>
                <th scope="col" class="number">Balance</th>
              </tr>
            </thead>
            <tbody>
              {balance_points.toReversed().map((point) => (
                <tr key={point.sequence_number}>
                  <td>
                    <Moment at={point.created_at} />
                  </td>
                  <td class="number">{number(point.sequence_number)}</td>
                  <td class="number">{number(point.balance_after)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </details>
    </Section>
  );
}

function Identities({ customer }: { customer: Customer }) {
  const { user_id, created_at, identities, merged_user_ids } = customer;
  return (
    <Section title="Who it is">
      <dl class="facts">
        {identities.map(({ kind, value }) => (
          <div key={`${kind} ${value}`}>
            <dt>{kind === "phone" ? "Phone number" : "WhatsApp user id"}</dt>
            <dd>
              <Foreign text={value} />
            </dd>
          </div>
        ))}
        <div>
          <dt>Account</dt>
          <dd>
            <Foreign text={user_id} isCode />
          </dd>
        </div>
        <div>
          <dt>Since</dt>
          <dd>
            <Moment at={created_at} />
          </dd>
        </div>
        {merged_user_ids.length > 0 && (
          <div>
            <dt>Merged into it</dt>
            <dd>
              {merged_user_ids.map((id) => (
                <div key={id}>
                  <Foreign text={id} isCode />
                </div>
              ))}
            </dd>
          </div>
        )}
      </dl>
    </Section>
  );
}

function Holds({ holds, open }: { holds: readonly Hold[]; open: (hold: Hold) => void }) {
  return (
    <Section title="Open reservations">
      {holds.length === 0 && <p class="muted">Nothing is reserved.</p>}
      <ul class="rows">
        {holds.map((hold) => (
          <li key={hold.reference_id}>
            <div>
              {count(hold.credits, "credit")} for <Foreign text={hold.action} />{" "}
              {hold.is_expired ? <Badge tone="warn">expired</Badge> : (
                <span class="muted">
                  until <Moment at={hold.expires_at} />
                </span>
              )}
              <br />
              <Foreign text={hold.reference_id} isCode />
            </div>
            <button type="button" onClick={() => open(hold)}>End</button>
          </li>
        ))}
      </ul>
    </Section>
  );
}

const DELIVERY_TONES = { pending: "warn", delivered: "good", dead: "bad", ended: "bad" } as const;

function Events(
  { events, open }: { events: readonly BotEvent[]; open: (event: BotEvent) => void },
) {
  return (
    <Section title="What the bot was told">
      {events.length === 0 && <p class="muted">Nothing yet.</p>}
      <ul class="rows">
        {events.map((event) => (
          <li key={event.event_id}>
            <div>
              <Foreign text={event.type} isCode />{" "}
              <span class="muted">
                <Moment at={event.created_at} />
              </span>
              {event.credits !== null && <>, balance {number(event.credits)}</>}
              {event.deliveries.length === 0 && (
                <p class="muted">
                  {event.state === "not_sent" ? "Sent to nobody." : "Not handed out yet."}
                </p>
              )}
              {event.deliveries.map((delivery) => (
                <p key={delivery.address}>
                  <Badge tone={DELIVERY_TONES[delivery.state]}>{delivery.state}</Badge>{" "}
                  <Foreign text={delivery.address} isCode />, {count(delivery.attempts, "attempt")}
                  {delivery.last_failure !== null && (
                    <>
                      , <Foreign text={delivery.last_failure} />
                    </>
                  )}
                </p>
              ))}
            </div>
            <button type="button" onClick={() => open(event)}>Send again</button>
          </li>
        ))}
      </ul>
    </Section>
  );
}
