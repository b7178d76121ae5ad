/**
 * POST /reconcile-payments: a scheduler triggers a check at Razorpay of every order that is due, for
 * customers who closed the browser and webhooks that never arrived.
 * @module
 */

import { reconcilePayments } from "shared/contract/reconcile-payments.ts";
import { runBookCheck } from "shared/database/books.ts";
import {
  type ClaimedOrder,
  claimOrdersToCheck,
  deleteAbandonedOrders,
  finishOrderCheck,
  type Settlement,
} from "shared/database/orders.ts";
import { deleteExpiredRateCounters } from "shared/database/rate-limits.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { logFailure } from "shared/http/log.ts";
import { success } from "shared/http/reply.ts";
import { checkOrder } from "shared/payments/check-order.ts";
import { createGateway, type PaymentGateway } from "shared/razorpay/gateway.ts";

const BATCH_SIZE = 10;

/** The platform ends a call after 150 seconds without a response; the slowest batch fits in the rest. */
const TIME_BUDGET_MS = 60_000;

/** What is deleted after reconciling, and the most that one call deletes. */
const CLEAN_UPS = [
  { remove: deleteExpiredRateCounters, most: 10_000 },
  { remove: deleteAbandonedOrders, most: 1_000 },
];

/** How much of the books one call checks. A smaller part may succeed where a larger one takes too long. */
const MOST_CHANGES = 20_000;
const FEWEST_CHANGES = 200;

export default endpoint(reconcilePayments, async (_input) => {
  const deadline = performance.now() + TIME_BUDGET_MS;
  let totals;
  try {
    totals = await reconcile(deadline);
  } catch (error) {
    await checkBooks(deadline).catch((other) => {
      // While the database is away, one line says so.
      if (other instanceof RequestError && other.code === "UNAVAILABLE") return;
      logFailure(reconcilePayments.name, other);
    });
    throw error;
  }

  // Not part of reconciling, but this call comes every few minutes anyway.
  for (const cleanUp of CLEAN_UPS) {
    await removeAll(cleanUp, deadline).catch((error) => logFailure(reconcilePayments.name, error));
  }
  await checkBooks(deadline).catch((error) => logFailure(reconcilePayments.name, error));
  return success(reconcilePayments.successMessage, totals);
});

/** Checks the orders that are due, until none is left or the deadline has passed. */
async function reconcile(deadline: number) {
  const gateway = createGateway();
  const totals = { checked: 0, settled: 0, flagged: 0, failed: 0 };

  let batch: ClaimedOrder[];
  do {
    batch = await claimOrdersToCheck({ batch_size: BATCH_SIZE, key_mode: gateway.mode });
    const results = await Promise.all(batch.map((order) => check(gateway, order)));
    for (const settlements of results) count(settlements);
  } while (batch.length > 0 && performance.now() < deadline);
  return totals;

  function count(settlements: Settlement[] | undefined) {
    if (settlements === undefined) {
      totals.failed++;
      return;
    }
    totals.checked++;
    for (const { outcome } of settlements) {
      if (outcome === "settled") totals.settled++;
      if (outcome === "amount_mismatch" || outcome === "paid_by_another_payment") totals.flagged++;
    }
  }
}

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

/**
 * Checks what was written since the last run, for which the first call is enough unless there was a
 * pause. What it finds is in `list_attention`.
 */
async function checkBooks(deadline: number): Promise<void> {
  for (let max_changes = MOST_CHANGES;;) {
    try {
      const { outcome } = await runBookCheck({ max_changes });
      if (outcome !== "behind" || performance.now() >= deadline) return;
    } catch (error) {
      max_changes /= 10;
      if (max_changes < FEWEST_CHANGES || performance.now() >= deadline) throw error;
    }
  }
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
