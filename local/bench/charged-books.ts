/**
 * Books of any size as they would have grown: the charges of all users arrive in a mixed order, so that
 * the pages of the indexes are as full as they would be, and not as full as a sorted load leaves them.
 * @module
 */

import postgres from "postgres";
import { CREDITS_PER_USER, insertUsers } from "./users.ts";

/** How much of everything. */
export interface ChargedSize {
  readonly users: number;
  /** The welcome, and charges of one credit each. */
  readonly entriesPerUser: number;
}

/** A database, as the owner of its tables and as a superuser. */
export interface ScaleDatabase {
  readonly url: string;
  readonly superuserUrl: string;
}

/** Enough to sort the users of one pass in memory. */
const WORK_MEM = "256MB";

/**
 * Fills an empty database, and calls `progress` with the number of entries after each pass, in which
 * every user, in a new random order, is charged once. References have 60 characters.
 */
export async function fillChargedBooks(
  { url, superuserUrl }: ScaleDatabase,
  { users, entriesPerUser }: ChargedSize,
  progress: (entries: number) => void,
): Promise<void> {
  const charges = entriesPerUser - 1;
  await insertUsers(url, users, charges);
  progress(users);
  const sql = postgres(superuserUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`select set_config('work_mem', ${WORK_MEM}, false)`;
    // Saves the look-up of the user that a foreign key makes for each entry.
    await sql`set session_replication_role = replica`;
    for (let charge = 1; charge <= charges; charge++) {
      await sql`
        insert into public.credit_transactions
          (user_id, sequence_number, action, credits, source, reference_id, balance_after, quantity,
            price_id, remaining_after)
        select u.id, 1 + ${charge}::integer, 'debit', 1, 'image_generation',
          'wamid.' || md5(u.id::text) || left(md5(u.id::text || ${charge}::integer), 22),
          ${CREDITS_PER_USER}::integer - ${charge}::integer, 1, 1,
          ${CREDITS_PER_USER}::integer - ${charge}::integer
        from (select id from public.users order by random()) u`;
      progress(users * (1 + charge));
    }
    // What autovacuum does within minutes, and the checkpoint that would come during the measurements.
    await sql`vacuum analyze`;
    await sql`checkpoint`;
  } finally {
    await sql.end();
  }
}
