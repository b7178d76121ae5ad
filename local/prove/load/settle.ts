/**
 * The wait, after a load, until the backend has nothing left to do.
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { until } from "../../system/until.ts";
import { randomOf } from "../random.ts";
import { Client } from "./client.ts";
import type { Target } from "./target.ts";

/** How often it is asked what is left. */
const LOOK_MS = 500;

/** What is left to do, each with how much of it. */
export type Left = Readonly<Record<string, number>>;

/**
 * Waits for webhooks, the reconciler and events, and returns what is left to do if nothing gets less for
 * too long. What would come in minutes or hours is put forward: the reconciler's next look at an order,
 * and the next attempt at an event that the bot refused, or at one after which it was called down. The
 * reconciler is called as well, because the scheduler does so but once a minute. Events are not: whether
 * they are sent shows whether the scheduler is running.
 *
 * `surprised` is told what the reconciler may not answer, even if it does its work in the end.
 */
export async function settle(
  { sql, control, environment }: Target,
  { settleMs, surprised }: { settleMs: number; surprised: (sentence: string) => void },
): Promise<Left> {
  const client = new Client(environment, { random: randomOf(0), cutRate: 0, surprised });
  // The connection that asks may have been among those that were cut.
  await until("the database answers", () => sql`select`.then(() => true, () => false));
  // Razorpay sends one after the other. Those that are still on their way are told of one by one.
  await untilDone(async () => {
    const events = await control.webhookEvents();
    return { webhooks: events.filter(({ state }) => state === "pending").length };
  }, settleMs);
  await sql`
    update public.payment_orders set next_check_at = clock_timestamp()
    where next_check_at < 'infinity'`;
  const [{ since } = { since: new Date(0) }] = await sql<{ since: Date }[]>`
    select clock_timestamp() as since`;
  return await untilDone(async () => {
    await sql`
      update public.event_deliveries set next_attempt_at = clock_timestamp()
      where state = 'pending' and lease_token is null and next_attempt_at > clock_timestamp()`;
    await sql`
      update public.event_addresses set next_probe_at = clock_timestamp()
      where next_probe_at > clock_timestamp()`;
    await client.send({ as: "operator", path: "reconcile-payments", body: {} });
    const [counts = {}] = await sql<Left[]>`
      select
        (select count(*) from public.events where state = 'new')::integer
          as "events that were not handed out",
        (select count(*) from public.event_deliveries where state = 'pending')::integer
          as "events that were not sent",
        (
          select count(*) from public.payment_orders
          where next_check_at < 'infinity' and (checked_at is null or checked_at < ${since})
        )::integer as "orders that Razorpay was not asked about",
        -- Those that a bot forgot are waited for, so that the end of each is seen.
        (
          select count(*) from public.holds
          where state = 'open' and expires_at < clock_timestamp() + interval '1 minute'
        )::integer as "reservations that have not expired"`;
    return counts;
  }, settleMs);
}

/** Asks what is left until nothing is, or nothing has become less for too long, and returns it. */
async function untilDone(look: () => Promise<Left>, settleMs: number): Promise<Left> {
  let least = Infinity;
  let deadline = Date.now() + settleMs;
  for (;;) {
    const left = Object.fromEntries(Object.entries(await look()).filter(([, count]) => count > 0));
    const work = Object.values(left).reduce((sum, count) => sum + count, 0);
    if (work === 0) return {};
    if (work < least) deadline = Date.now() + settleMs;
    least = Math.min(least, work);
    if (Date.now() > deadline) return left;
    await delay(LOOK_MS);
  }
}
