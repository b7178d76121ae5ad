/**
 * What needs attention, with the remedy beside each item.
 * @module
 */

import { useEffect, useState } from "preact/hooks";
import { ForgiveDialog } from "./acts/account.tsx";
import { ResendPeriodDialog } from "./acts/events.tsx";
import { RefundDialog, SettleDialog } from "./acts/money.tsx";
import { Dialog } from "./acts/dialog.tsx";
import { type Loaded, useConsole, useIsOwner, useLoaded } from "./context.ts";
import type { AttentionItem, Customer, Functions } from "./functions.ts";
import {
  Await,
  Badge,
  count,
  CustomerLink,
  Foreign,
  Moment,
  Problem,
  rupees,
  ViewHeading,
} from "./parts.tsx";

/** What to do where no function helps by itself. */
const ADVICE: Partial<Record<string, string>> = {
  "payment of no order":
    "Look at the payment in Razorpay's dashboard, and refund it there unless another product sold something.",
  "limit reached":
    "Callers are refused until the window ends. Somebody may be attacking, or the limit is too low.",
  "broken invariant":
    "A fault of this software, or a change by hand. Change nothing before the cause is known.",
  "books unchecked": "The scheduler does not run, or its log says why the check fails.",
  "expired holds":
    "The reconciler does not run, or the database's log says why these cannot be ended.",
  "undelivered events":
    "Nothing has to be done once the bot is back. If it answers 401, it has another secret.",
  "failed delivery":
    "Razorpay sends it again for a day. After that, replay it from Razorpay's dashboard.",
};

/** The most that is listed. */
const MAX_ITEMS = 1000;

/** What needs attention, and when that was. */
type Attention = Functions["list-attention"] & { readonly loaded_at: string };

/** Shows what needs attention. It is loaded for the navigation, and again when this is opened. */
export function AttentionView({ loaded }: { loaded: Loaded<Attention> }) {
  const [item, setItem] = useState<AttentionItem>();
  const [isResending, setResending] = useState(false);
  // Even while the navigation's is under way, which may have been asked for before what is sought.
  useEffect(loaded.reload, []);
  const close = (isChanged: boolean) => {
    setItem(undefined);
    setResending(false);
    if (isChanged) loaded.reload();
  };
  return (
    <>
      <ViewHeading title="What needs attention" />
      <div class="buttons">
        <button type="button" onClick={loaded.reload}>Look again</button>
        <button type="button" onClick={() => setResending(true)}>
          Send a period's events again
        </button>
      </div>
      <Await loaded={loaded}>
        {({ items, loaded_at }) => (
          <>
            <p role="status">
              {items.length === 0
                ? "All is well."
                : `${count(items.length, "thing")}${
                  items.length === MAX_ITEMS ? ", at most" : ""
                }, oldest first.`}{" "}
              <span class="muted">
                As of <Moment at={loaded_at} />
              </span>
            </p>
            <ul class="rows attention">
              {items.map((item) => (
                <li key={`${item.kind} ${item.subject}`} class="panel">
                  <div>
                    <Badge tone={item.kind === "debt" ? "warn" : "bad"}>{item.kind}</Badge>{" "}
                    <Foreign text={item.subject} isCode />{" "}
                    <span class="muted">
                      since <Moment at={item.since} />
                    </span>
                    <p>
                      <Foreign text={item.detail} />
                    </p>
                  </div>
                  <div class="remedy">
                    {item.user_id && (
                      <CustomerLink userId={item.user_id} orderId={item.order_id}>
                        The customer
                      </CustomerLink>
                    )}
                    <Remedy item={item} open={() => setItem(item)} />
                  </div>
                </li>
              ))}
            </ul>
          </>
        )}
      </Await>
      {item && <RemedyDialog item={item} onClose={close} />}
      {isResending && <ResendPeriodDialog onClose={close} />}
    </>
  );
}

function Remedy({ item, open }: { item: AttentionItem; open: () => void }) {
  const isOwner = useIsOwner();
  const { remedy, amount_paise, reference_id, kind } = item;
  if (remedy === "settle-order") {
    return <button type="button" onClick={open}>Look up at Razorpay</button>;
  }
  if (remedy === "resend-events") {
    return <button type="button" onClick={open}>Send its events again</button>;
  }
  if (remedy === "refund-payment" || remedy === "forgive-debt") {
    if (!isOwner) return <span class="muted">An owner can do this.</span>;
    return (
      <button type="button" onClick={open}>
        {remedy === "forgive-debt"
          ? "Forgive it"
          : reference_id !== null
          ? "Finish the refund"
          : `Refund ${amount_paise === null ? "it" : rupees(amount_paise)}`}
      </button>
    );
  }
  if (kind === "broken invariant" || kind === "books unchecked") {
    return (
      <>
        <a href="#/books">The books</a>
        <span class="muted">{ADVICE[kind]}</span>
      </>
    );
  }
  return <span class="muted">{ADVICE[kind] ?? "Look at the operator's handbook."}</span>;
}

/** The dialog of a remedy, once it is known whom it is about. */
function RemedyDialog(
  { item, onClose }: { item: AttentionItem; onClose: (isChanged: boolean) => void },
) {
  const { api } = useConsole();
  const { user_id, order_id } = item;
  const loaded = useLoaded<Customer | null>(
    async (signal) =>
      user_id && item.remedy !== "resend-events"
        ? (await api.call("get-customer", {
          query: { user_id, order_id: order_id ?? undefined },
          signal,
        })).data
        : null,
    [user_id, order_id],
  );
  if (loaded.data === undefined) {
    return (
      <Dialog title="The remedy" onClose={() => onClose(false)}>
        {loaded.error === undefined
          ? <p class="loading" role="status">Loading…</p>
          : <Problem error={loaded.error} retry={loaded.reload} />}
        <div class="buttons">
          <button type="button" onClick={() => onClose(false)}>Cancel</button>
        </div>
      </Dialog>
    );
  }
  const customer = loaded.data ?? undefined;
  const order = customer?.orders.find(({ order_id }) => order_id === item.order_id);
  switch (item.remedy) {
    case "refund-payment":
      return (
        <RefundDialog
          paymentId={item.payment_id ?? item.subject}
          payment={order?.payments.find(({ payment_id }) => payment_id === item.payment_id)}
          customer={customer}
          leftPaise={item.amount_paise}
          reference={item.reference_id}
          onClose={onClose}
        />
      );
    case "settle-order":
      return (
        <SettleDialog
          order={order ??
            { order_id: item.order_id ?? item.subject, amount_paise: item.amount_paise }}
          customer={customer}
          onClose={onClose}
        />
      );
    case "resend-events":
      return <ResendPeriodDialog since={item.events_from} onClose={onClose} />;
    default:
      return customer ? <ForgiveDialog customer={customer} onClose={onClose} /> : null;
  }
}
