/**
 * Deleting what nobody needs any more.
 * @module
 */

import { deleteOldEvents, deleteOldHolds, deleteOldWebhooks } from "shared/database/erasure.ts";
import { deleteAbandonedOrders, deleteUnpaidOrders } from "shared/database/orders.ts";
import { deleteExpiredRateCounters } from "shared/database/rate-limits.ts";

/** What is deleted, and the most that one call deletes. */
export const CLEAN_UPS = [
  { remove: deleteExpiredRateCounters, max: 10_000 },
  { remove: deleteAbandonedOrders, max: 1_000 },
  { remove: deleteUnpaidOrders, max: 1_000 },
  { remove: deleteOldWebhooks, max: 1_000 },
  { remove: deleteOldHolds, max: 1_000 },
  { remove: deleteOldEvents, max: 1_000 },
];

/** Calls `remove` until it has nothing left to delete, but not again after the deadline. */
export async function cleanUp(
  { remove, max }: typeof CLEAN_UPS[number],
  deadline: number,
): Promise<void> {
  let removed: number;
  do {
    removed = await remove({});
  } while (removed === max && performance.now() < deadline);
}
