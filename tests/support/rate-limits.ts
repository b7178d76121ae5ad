/**
 * The rate limits of a test's database.
 * @module
 */

import type postgres from "postgres";

/** More than any test needs. */
const UNLIMITED = 1_000_000;

/** Allows as many calls as tests make, which is more than any shipped limit. Calls are still counted. */
export async function liftLimits(sql: postgres.Sql): Promise<void> {
  await sql`update public.rate_limits set max_count = ${UNLIMITED}`;
}

/** Runs `act` while an action may happen only `maxCount` times, counted from now. */
export async function withLimit<Result>(
  sql: postgres.Sql,
  action: string,
  maxCount: number,
  act: () => Promise<Result>,
): Promise<Result> {
  await sql`delete from public.rate_counters`;
  await sql`update public.rate_limits set max_count = ${maxCount} where action = ${action}`;
  try {
    return await act();
  } finally {
    await sql`update public.rate_limits set max_count = ${UNLIMITED} where action = ${action}`;
  }
}
