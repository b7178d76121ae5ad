/**
 * Returning what expired holds reserve, of users about whom nobody asks.
 * @module
 */

import { expireHolds } from "shared/database/holds.ts";

/** About how many holds one call ends, whose users it keeps locked, and how long a run goes on with that. */
const BATCH_SIZE = 100;
const TIME_BUDGET_MS = 10_000;

/** Goes through all users who have expired holds, also past those whose holds cannot be ended. */
export async function endExpiredHolds(): Promise<{ expired: number; failed: number }> {
  const deadline = performance.now() + TIME_BUDGET_MS;
  const totals = { expired: 0, failed: 0 };
  let after: string | null = null;
  do {
    const batch = await expireHolds({ batch_size: BATCH_SIZE, after_user_id: after });
    totals.expired += batch.expired;
    totals.failed += batch.failed;
    after = batch.last_user_id;
  } while (after !== null && performance.now() < deadline);
  return totals;
}
