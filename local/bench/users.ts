/**
 * The users whose credits the load deducts.
 * @module
 */

import assert from "node:assert/strict";
import postgres from "postgres";

/** The number of users. */
export const USERS = 1000;

/** The first user's number without its country code. The others have the numbers that follow. */
export const FIRST_NATIONAL_NUMBER = 9_800_000_000;

/** Enough that no user runs out of credits, however fast the machine is. */
export const CREDITS_PER_USER = 100_000_000;

/** Returns the phone number of a random one of the first `users` users. */
export function anyPhoneNumber(users = USERS): string {
  return `+91${FIRST_NATIONAL_NUMBER + Math.floor(Math.random() * users)}`;
}

/**
 * Inserts users, and the ledger entries of their credits, into an empty database. The caller will add
 * `charges` entries of one credit each per user; the users' rows already count them.
 */
export async function insertUsers(
  databaseUrl: string,
  users = USERS,
  charges = 0,
): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1 });
  try {
    await sql`
      with newcomers as (
        select gen_random_uuid() as id, '+91' || ${FIRST_NATIONAL_NUMBER}::bigint + index as phone
        from generate_series(0, ${users}::integer - 1) index
      ),
      identified as (
        insert into public.identities (kind, value, user_id)
        select 'phone', phone, id from newcomers
      ),
      made as (
        insert into public.users (id, phone_number, credits, transaction_count)
        select id, phone, ${CREDITS_PER_USER}::integer - ${charges}::integer, 1 + ${charges}::integer
        from newcomers
        returning id
      )
      insert into public.credit_transactions
        (user_id, sequence_number, action, credits, source, reference_id, balance_after)
      select id, 1, 'credit', ${CREDITS_PER_USER}::integer, 'system', 'welcome',
        ${CREDITS_PER_USER}::integer
      from made`;
    await sql`analyze public.users, public.identities, public.credit_transactions`;
  } finally {
    await sql.end();
  }
}

/** Throws if the measured calls have left the books inconsistent. */
export async function assertBooksAreRight(databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1 });
  try {
    assert.deepEqual([...await sql`select * from public.check_invariants()`], []);
  } finally {
    await sql.end();
  }
}
