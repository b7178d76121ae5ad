/**
 * POST /reconcile-payments: a scheduler triggers a check at Razorpay of every order that is due, for
 * customers who closed the browser and webhooks that never arrived.
 * @module
 */

import { reconcilePayments } from "shared/contract/reconcile-payments.ts";
import { deleteOldHolds, deleteOldWebhooks } from "shared/database/erasure.ts";
import { expireHolds } from "shared/database/holds.ts";
import {
  type ClaimedOrder,
  claimOrdersToCheck,
  deleteAbandonedOrders,
  finishOrderCheck,
  type Settlement,
} from "shared/database/orders.ts";
import { deleteExpiredRateCounters } from "shared/database/rate-limits.ts";
import { endpoint } from "shared/endpoint.ts";
import { logFailure } from "shared/http/log.ts";
import { success } from "shared/http/reply.ts";
import { checkOrder } from "shared/payments/check-order.ts";
import { createGateway, type PaymentGateway } from "shared/razorpay/gateway.ts";

const BATCH_SIZE = 10;

/** The platform ends a call after 150 seconds without a response; the slowest batch fits in the rest. */
const TIME_BUDGET_MS = 60_000;

/** How many users' holds one call ends, and how long a run goes on with that before it asks Razorpay. */
const HOLDS_BATCH_SIZE = 50;
const HOLDS_TIME_BUDGET_MS = 10_000;

/** Outcomes of captured money that bought nothing. */
const FLAGGED: ReadonlySet<Settlement["outcome"]> = new Set([
  "amount_mismatch",
  "paid_by_another_payment",
  "user_erased",
]);

/** What is deleted after reconciling, and the most that one call deletes. */
const CLEAN_UPS = [
  { remove: deleteExpiredRateCounters, most: 10_000 },
  { remove: deleteAbandonedOrders, most: 1_000 },
  { remove: deleteOldWebhooks, most: 1_000 },
  { remove: deleteOldHolds, most: 1_000 },
];

export default endpoint(reconcilePayments, async (_input) => {
  const totals = { checked: 0, settled: 0, flagged: 0, failed: 0, holds_expired: 0 };
  // First, so that no failure of Razorpay keeps back credits; and its own failure keeps back no payment.
  await endExpiredHolds().catch((error) => logFailure(reconcilePayments.name, error));

  const gateway = createGateway();
  const deadline = performance.now() + TIME_BUDGET_MS;

  let batch: ClaimedOrder[];
  do {
    batch = await claimOrdersToCheck({ batch_size: BATCH_SIZE, key_mode: gateway.mode });
    const results = await Promise.all(batch.map((order) => check(gateway, order)));
    for (const settlements of results) count(settlements);
  } while (batch.length > 0 && performance.now() < deadline);

  // Not part of reconciling, but this call comes every few minutes anyway.
  for (const cleanUp of CLEAN_UPS) {
    await removeAll(cleanUp, deadline).catch((error) => logFailure(reconcilePayments.name, error));
  }
  return success(reconcilePayments.successMessage, totals);

  /** Goes through all users who have expired holds, also past those whose holds cannot be ended. */
  async function endExpiredHolds(): Promise<void> {
    const holdsDeadline = performance.now() + HOLDS_TIME_BUDGET_MS;
    let failed = 0;
    let after: string | null = null;
    try {
      do {
        const batch = await expireHolds({ batch_size: HOLDS_BATCH_SIZE, after_user_id: after });
        totals.holds_expired += batch.expired;
        failed += batch.failed;
        after = batch.users < HOLDS_BATCH_SIZE ? null : batch.last_user_id;
      } while (after !== null && performance.now() < holdsDeadline);
    } finally {
      if (failed > 0) {
        const error = `${failed} expired holds could not be ended; the database's log says why`;
        logFailure(reconcilePayments.name, error);
      }
    }
  }

  function count(settlements: Settlement[] | undefined) {
    if (settlements === undefined) {
      totals.failed++;
      return;
    }
    totals.checked++;
    for (const { outcome } of settlements) {
      if (outcome === "settled") totals.settled++;
      if (FLAGGED.has(outcome)) totals.flagged++;
    }
  }
});

/** Calls `remove` until it has nothing left to delete, but not again after the deadline. */
async function removeAll(
  { remove, most }: typeof CLEAN_UPS[number],
  deadline: number,
): Promise<void> {
  let removed: number;
  do {
    removed = await remove({});
  } while (removed === most && performance.now() < deadline);
}

/** If the check of an order fails, its claim expires and a later run checks it again. */
async function check(
  gateway: PaymentGateway,
  order: ClaimedOrder,
): Promise<Settlement[] | undefined> {
  try {
    const settlements = await checkOrder(gateway, order);
    await finishOrderCheck({ order_id: order.order_id });
    return settlements;
  } catch (error) {
    // One failed order does not stop the run. If the database is down, the next claim fails.
    logFailure(reconcilePayments.name, error);
    return undefined;
  }
}
