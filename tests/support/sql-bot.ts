/**
 * The bot's calls as SQL, for users who have as much as a test needs; bot.ts makes them over HTTP.
 * @module
 */

import type postgres from "postgres";
import { one } from "./lists.ts";
import { newPhoneNumber } from "./phone-numbers.ts";
import { newId, newOrderId, newPaymentId } from "./razorpay-ids.ts";

/** How a call names a user: by a phone number, a WhatsApp user id, or both. */
export interface Who {
  readonly phone?: string;
  readonly whatsappId?: string;
}

/** What a call asks for. Nothing is one image. */
export interface Demand {
  readonly action?: string;
  readonly quantity?: number;
  readonly credits?: number;
}

/** The row that a call returns. Each function leaves out what it does not say. */
export interface Answer {
  readonly outcome: string;
  readonly user_id: string;
  readonly remaining_credits: number | null;
  readonly reserved_credits?: number | null;
  readonly needed_credits?: string | null;
  readonly captured_credits?: number | null;
  readonly released_credits?: number | null;
  readonly is_late?: boolean | null;
  readonly state?: string | null;
  readonly expires_at?: Date | null;
}

/** What a user has, as its row and its open holds say. */
export interface Balances {
  readonly credits: number;
  readonly held: number;
  readonly debt: number;
  readonly remaining: number;
}

/** Calls `deduct_credits`. */
export async function deduct(
  sql: postgres.ISql,
  { phone, whatsappId }: Who,
  reference: string | null,
  { action, quantity, credits }: Demand = {},
): Promise<Answer> {
  return one(
    await sql<Answer[]>`
    select * from public.deduct_credits(
      phone_number => ${phone ?? null}, credits => ${credits ?? null},
      reference_id => ${reference}, whatsapp_user_id => ${whatsappId ?? null},
      action => ${action ?? null}, quantity => ${quantity ?? null})`,
  );
}

/** Calls `reserve_credits`. */
export async function reserve(
  sql: postgres.ISql,
  { phone, whatsappId }: Who,
  reference: string,
  { action, quantity, credits }: Demand = {},
  seconds?: number,
): Promise<Answer> {
  return one(
    await sql<Answer[]>`
    select * from public.reserve_credits(
      phone_number => ${phone ?? null}, whatsapp_user_id => ${whatsappId ?? null},
      reference_id => ${reference}, action => ${action ?? null},
      quantity => ${quantity ?? null}, credits => ${credits ?? null},
      expires_in_seconds => ${seconds ?? null})`,
  );
}

/** Calls `capture_credits`. */
export async function capture(
  sql: postgres.ISql,
  { phone, whatsappId }: Who,
  reference: string,
  { quantity, credits }: Demand = {},
): Promise<Answer> {
  return one(
    await sql<Answer[]>`
    select * from public.capture_credits(
      phone_number => ${phone ?? null}, whatsapp_user_id => ${whatsappId ?? null},
      reference_id => ${reference}, quantity => ${quantity ?? null},
      credits => ${credits ?? null})`,
  );
}

/** Calls `release_hold`. */
export async function release(
  sql: postgres.ISql,
  { phone, whatsappId }: Who,
  reference: string,
): Promise<Answer> {
  return one(
    await sql<Answer[]>`
    select * from public.release_hold(
      phone_number => ${phone ?? null}, whatsapp_user_id => ${whatsappId ?? null},
      reference_id => ${reference})`,
  );
}

/** Runs the sweep over everybody once, and returns how many holds it ended. */
export async function expireHolds(sql: postgres.ISql): Promise<number> {
  const { expired } = one(await sql`select expired from public.expire_holds(1000)`);
  return expired;
}

/** Merges the account of one phone number into that of another. */
export async function merge(sql: postgres.ISql, from: Who, into: Who): Promise<string> {
  const [fromId, intoId] = [await idOf(sql, from), await idOf(sql, into)];
  return one(await sql`select public.merge_users(${fromId}, ${intoId}) as outcome`).outcome;
}

/** The id of the account that has an identity now. */
export async function idOf(sql: postgres.ISql, { phone, whatsappId }: Who): Promise<string> {
  const { id } = one(
    await sql`select private.find_user_id(${phone ?? null}, ${whatsappId ?? null}) as id`,
  );
  return id;
}

/** What a user has. */
export async function balancesOf(sql: postgres.ISql, who: Who): Promise<Balances> {
  const row = one(
    await sql<Balances[]>`
    select u.credits, u.held_credits as held, u.debt_credits as debt,
      private.remaining_credits(u) as remaining
    from public.users u where u.id = ${await idOf(sql, who)}`,
  );
  return { ...row };
}

/** The charges of an account, oldest first, each as `job-1: 2 for video_generation, 5 left`. */
export async function chargesOf(sql: postgres.ISql, who: Who): Promise<string[]> {
  const rows = await sql`
    select format('%s: %s for %s, %s left', t.reference_id, t.credits, t.source, t.balance_after) as charge
    from public.credit_transactions t
    where t.user_id = ${await idOf(sql, who)}
      and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge')
    order by t.sequence_number`;
  return rows.map(({ charge }) => charge);
}

/** The states of a user's holds by reference. */
export async function holdsOf(sql: postgres.ISql, who: Who): Promise<Record<string, string>> {
  const rows = await sql`
    select reference_id, state from public.holds
    where user_id = ${await idOf(sql, who)} order by reference_id`;
  return Object.fromEntries(rows.map(({ reference_id, state }) => [reference_id, state]));
}

/** Makes a user with exactly this balance: a welcome that is larger or smaller than usual. */
export async function userWithCredits(
  sql: postgres.ISql,
  credits: number,
): Promise<{ readonly phone: string }> {
  const phone = newPhoneNumber();
  await sql`
    with newcomer as (
      insert into public.users (phone_number, credits, transaction_count)
      values (${phone}, ${credits}, 1)
      returning id
    ), identity as (
      insert into public.identities (kind, value, user_id)
      select 'phone', ${phone}, id from newcomer
    )
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after)
    select id, 1, 'credit', ${credits}, 'system', 'welcome', ${credits} from newcomer`;
  return { phone };
}

/**
 * Lets the time of an open hold pass, which takes at least half a minute otherwise. Nothing ends it.
 * Returns whether there was such a hold.
 */
export async function letExpire(
  sql: postgres.ISql,
  who: Who,
  reference: string,
): Promise<boolean> {
  const { count } = await sql`
    with owner as materialized (
      select u.id from public.users u
      where u.id = private.find_user_id(${who.phone ?? null}, ${who.whatsappId ?? null})
      for no key update
    ),
    lapsed as (
      update public.holds h
      set created_at = h.created_at - interval '1 hour', expires_at = clock_timestamp()
      from owner o
      where h.user_id = o.id and h.reference_id = ${reference} and h.state = 'open'
        and h.expires_at > clock_timestamp()
      returning h.user_id, h.expires_at
    )
    update public.users u
    set next_hold_expiry_at = least(u.next_hold_expiry_at, l.expires_at)
    from lapsed l where u.id = l.user_id`;
  return count > 0;
}

/** A payment that bought the 20 credits of the starter package for 9,900 paise. */
export interface StarterPayment {
  readonly orderId: string;
  readonly id: string;
}

/** A part of a payment's money that went back, or came back. */
export interface Reversal {
  readonly id: string;
  readonly kind: "refund" | "dispute";
  readonly status: string;
  readonly paise: number;
}

/** Buys a starter package. */
export async function buyStarter(sql: postgres.ISql, { phone }: Who): Promise<StarterPayment> {
  const { order_id } = one(
    await sql`
    select order_id from public.place_order('starter', 'test', phone_number => ${phone ?? null})`,
  );
  const { id: orderId } = one(
    await sql`select public.attach_razorpay_order(${order_id}, ${newOrderId()}) as id`,
  );
  const payment = { orderId, id: newPaymentId() };
  await reportReversals(sql, payment, []);
  return payment;
}

/** Reports a captured payment with what has become of its money. */
export async function reportReversals(
  sql: postgres.ISql,
  { orderId, id }: StarterPayment,
  reversals: readonly Reversal[],
): Promise<string> {
  const reports = reversals.map(({ id, kind, status, paise }) => ({
    id,
    kind,
    status,
    amount_paise: paise,
    is_money_gone: status === "processed" || status === "lost",
    reported_at: new Date().toISOString(),
  }));
  const { outcome } = one(
    await sql`
    select outcome from public.settle_payment(
      ${orderId}, ${id}, 'captured', 9900, 'INR', ${JSON.stringify(reports)}::text::jsonb)`,
  );
  return outcome;
}

/** Reports a refund of a payment, in full or in part. */
export async function refund(
  sql: postgres.ISql,
  payment: StarterPayment,
  paise = 9_900,
): Promise<string> {
  const id = newId("rfnd");
  return await reportReversals(sql, payment, [{ id, kind: "refund", status: "processed", paise }]);
}
