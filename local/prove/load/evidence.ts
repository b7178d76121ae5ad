/**
 * What there is after a load: in the tables, in Razorpay's books, and at the bot.
 * @module
 */

import type postgres from "postgres";
import type { WebhookEvent } from "../../razorpay/webhooks.ts";
import type { Journal } from "./journal.ts";
import { type HeldPayment, type HeldRefund, RazorpayBooks } from "./razorpay-books.ts";
import type { Target } from "./target.ts";

/** A row of the ledger, with whose it is. */
export interface LedgerEntry {
  readonly phone: string;
  readonly action: "credit" | "debit";
  readonly credits: number;
  readonly source: string;
  readonly reference_id: string | null;
  readonly remaining_after: number | null;
}

/** A reservation. */
export interface Hold {
  readonly phone: string;
  readonly reference_id: string;
  readonly credits: number;
  readonly state: string;
  readonly captured_credits: number | null;
}

/** An order, of a page or of a link. */
export interface Order {
  readonly phone: string;
  readonly razorpay_order_id: string | null;
  readonly razorpay_payment_id: string | null;
  readonly short_url: string | null;
  readonly amount_paise: number;
  readonly state: string;
}

/** Somebody's account. */
export interface Account {
  readonly phone: string;
  /** The balance less what is owed. */
  readonly net: number;
}

/** An event that was written, and what became of it. */
export interface ToldEvent {
  readonly id: string;
  readonly type: string;
  readonly payment_id: string | null;
  readonly reversal_id: string | null;
  /** Whom it is about, if that is somebody with an account. */
  readonly phone: string | null;
  /** The bot's reference of a reservation. */
  readonly reference_id: string | null;
  readonly source: string | null;
  readonly credits_added: number | null;
  readonly deliveries: number;
  readonly delivered: number;
}

/** Everything that the backend and Razorpay hold, and what the bot has heard. */
export interface Evidence {
  readonly ledger: readonly LedgerEntry[];
  readonly holds: readonly Hold[];
  readonly orders: readonly Order[];
  readonly accounts: readonly Account[];
  readonly events: readonly ToldEvent[];
  readonly violations: readonly { invariant: string; subject: string; detail: string }[];
  readonly payments: readonly HeldPayment[];
  readonly refunds: readonly HeldRefund[];
  /** The webhook events that Razorpay has sent at least once, or still has to. */
  readonly webhooks: readonly WebhookEvent[];
  /** Razorpay's ids of the events that the backend has handled. */
  readonly handledWebhooks: ReadonlySet<string>;
  /** The ids of the events that the bot has got. */
  readonly arrived: ReadonlySet<string>;
  /** What the bot has got without a right signature. */
  readonly unsigned: readonly string[];
}

/** Gathers everything. Nothing may be under way. */
export async function gather(
  { sql, environment, control, listener }: Target,
  journal: Journal,
): Promise<Evidence> {
  const books = new RazorpayBooks(environment);
  const underWay = await journal.noteWebhooks(control);
  const handled = await sql<{ event_id: string }[]>`
    select distinct event_id from public.webhook_deliveries where outcome <> 'failed'`;
  return {
    webhooks: [...journal.finishedWebhooks.values(), ...underWay],
    handledWebhooks: new Set(handled.map(({ event_id }) => event_id)),
    arrived: new Set(listener.arrivals.map(({ data }) => String(data.event_id))),
    unsigned: [...listener.unsigned],
    ledger: await all<LedgerEntry>(sql`
      select i.value as phone, t.action, t.credits, t.source, t.reference_id, t.remaining_after
      from public.credit_transactions t
      join public.identities i on i.user_id = t.user_id and i.kind = 'phone'`),
    holds: await all<Hold>(sql`
      select i.value as phone, h.reference_id, h.credits, h.state, h.captured_credits
      from public.holds h
      join public.identities i on i.user_id = h.user_id and i.kind = 'phone'`),
    orders: await all<Order>(sql`
      select phone_number as phone, razorpay_order_id, razorpay_payment_id, short_url, amount_paise, state
      from public.payment_orders`),
    accounts: await all<Account>(sql`
      select phone_number as phone, credits - debt_credits as net from public.users`),
    events: await all<ToldEvent>(sql`
      select e.id, e.type, e.data ->> 'payment_id' as payment_id, e.data ->> 'reversal_id' as reversal_id,
        i.value as phone, e.data ->> 'reference_id' as reference_id, e.data ->> 'source' as source,
        (e.data ->> 'credits_added')::integer as credits_added,
        count(d.event_id)::integer as deliveries,
        (count(*) filter (where d.state = 'delivered'))::integer as delivered
      from public.events e
      left join public.event_deliveries d on d.event_id = e.id
      left join public.identities i on i.user_id = e.user_id and i.kind = 'phone'
      group by e.id, i.value`),
    violations: await all<Evidence["violations"][number]>(sql`
      select invariant, subject, detail from public.check_invariants()`),
    payments: await books.payments(),
    refunds: await books.refunds(),
  };
}

async function all<Found>(query: postgres.PendingQuery<postgres.Row[]>): Promise<Found[]> {
  return [...await query] as unknown as Found[];
}
