/**
 * Events as the database holds them, and their delivery.
 * @module
 */

import type postgres from "postgres";
import { z } from "zod";
import { type Answer, call, dataOf, operatorHeaders } from "./calls.ts";
import { withEnvironment } from "./environment.ts";

/** An event that was written, without what every event has. */
export interface Told {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What the bot is to be told about somebody since the last event that this test knows, oldest first. */
export async function toldAbout(sql: postgres.Sql, phone: string): Promise<Told[]> {
  const events = await sql<Told[]>`
    select e.type, e.data
    from public.events e
    left join public.payment_orders o on o.id = e.order_id
    join public.identities i on i.kind = 'phone' and i.value = ${phone}
    left join public.users u on u.id = e.user_id
    where coalesce(u.merged_into, u.id) = i.user_id or u.id is null and o.phone_number = ${phone}
    order by e.created_at`;
  return [...events];
}

/** The types of {@linkcode toldAbout}. */
export async function typesToldAbout(sql: postgres.Sql, phone: string): Promise<string[]> {
  return (await toldAbout(sql, phone)).map(({ type }) => type);
}

/** Runs deliver-events once, as the scheduler does. */
export function runDelivery(): Promise<Answer> {
  return call("POST", "deliver-events", { body: {}, headers: operatorHeaders() });
}

const totals = z.strictObject({
  handed_out: z.int(),
  delivered: z.int(),
  failed: z.int(),
});

/** Runs deliver-events once with these addresses, and returns its figures. */
export async function deliverTo(
  urls: readonly string[],
  variables: Record<string, string | undefined> = {},
): Promise<z.infer<typeof totals>> {
  return await withEnvironment({ EVENTS_URL: urls.join(","), ...variables }, async () => {
    return totals.parse(dataOf(await runDelivery()));
  });
}

/** Makes every event that is to be sent due now, also to addresses that are down. */
export async function makeEventsDue(sql: postgres.Sql): Promise<void> {
  await sql`
    update public.event_deliveries set next_attempt_at = clock_timestamp()
    where state = 'pending' and lease_token is null`;
  await sql`
    update public.event_addresses set next_probe_at = clock_timestamp(), not_before = null
    where failures > 0`;
}

/** Ends what earlier tests have left to be sent. */
export async function forgetEvents(sql: postgres.Sql): Promise<void> {
  await sql`delete from public.events`;
  await sql`delete from public.event_addresses`;
}
