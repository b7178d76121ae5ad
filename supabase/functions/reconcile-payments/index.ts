/**
 * POST /reconcile-payments: a scheduler triggers a check at Razorpay of every order that is due, for
 * customers who closed the browser and webhooks that never arrived. The same run keeps house.
 * @module
 */

import { reconcilePayments } from "shared/contract/reconcile-payments.ts";
import {
  type ClaimedOrder,
  claimOrdersToCheck,
  finishOrderCheck,
  type Settlement,
} from "shared/database/orders.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { catchUpBookCheck } from "shared/housekeeping/book-check.ts";
import { CLEAN_UPS, cleanUp } from "shared/housekeeping/clean-up.ts";
import { endExpiredHolds } from "shared/housekeeping/end-expired-holds.ts";
import { logFailure } from "shared/http/log.ts";
import { success } from "shared/http/reply.ts";
import { checkOrder } from "shared/payments/check-order.ts";
import { createGateway, type PaymentGateway } from "shared/razorpay/gateway.ts";

const BATCH_SIZE = 10;

/** The platform ends a call after 150 seconds without a response; the slowest batch fits in the rest. */
const TIME_BUDGET_MS = 60_000;

/**
 * The platform also ends a worker after 2 seconds of processor time for a request
 * (https://supabase.com/docs/guides/functions/limits), and what comes last would never run. An order
 * takes 6 to 8 milliseconds of the embedded stack with all that it stands in for, of which this function
 * is a part. Every two minutes, this many are 10,500 checks an hour: enough for the first check of each of
 * the 10,000 orders an hour that strangers can place. An order is checked more than once, though:
 * docs/deployment.md says how many orders these checks carry.
 */
const MAX_ORDERS = 350;

const NO_HOLDS = { expired: 0, failed: 0 };

/** Outcomes of captured money that bought nothing. */
const FLAGGED: ReadonlySet<Settlement["outcome"]> = new Set([
  "amount_mismatch",
  "paid_by_another_payment",
  "user_erased",
]);

export default endpoint(reconcilePayments, async (_input) => {
  // First, so that no failure of Razorpay keeps back credits; and its own failure keeps back no payment.
  const [holds] = await Promise.allSettled([endExpiredHolds()]);
  const { expired, failed } = holds.status === "fulfilled" ? holds.value : NO_HOLDS;
  if (failed > 0) {
    log(`${failed} expired holds could not be ended; the database's log says why`);
  }

  const deadline = performance.now() + TIME_BUDGET_MS;
  let totals;
  try {
    totals = await reconcile(deadline);
  } catch (error) {
    const [books] = await Promise.allSettled([catchUpBookCheck(deadline)]);
    for (const result of [holds, books]) {
      // While the database is away, one line says so.
      if (result.status === "rejected" && !(isOutage(error) && isOutage(result.reason))) {
        log(result.reason);
      }
    }
    throw error;
  }

  if (holds.status === "rejected") log(holds.reason);
  for (const task of CLEAN_UPS) await cleanUp(task, deadline).catch(log);
  await catchUpBookCheck(deadline).catch(log);
  return success(reconcilePayments.successMessage, { ...totals, holds_expired: expired });
});

function isOutage(error: unknown): boolean {
  return error instanceof RequestError && error.code === "UNAVAILABLE";
}

/** Logs what fails without stopping the run. */
function log(error: unknown): undefined {
  logFailure(reconcilePayments.name, error);
}

/** Checks the orders that are due, until none is left, they are enough, or the deadline has passed. */
async function reconcile(deadline: number) {
  const gateway = createGateway();
  const totals = { checked: 0, settled: 0, flagged: 0, failed: 0 };

  let batch: ClaimedOrder[];
  let claimed = 0;
  do {
    batch = await claimOrdersToCheck({ batch_size: BATCH_SIZE, key_mode: gateway.mode });
    const results = await Promise.all(batch.map((order) => check(gateway, order)));
    for (const settlements of results) count(settlements);
    claimed += batch.length;
  } while (batch.length > 0 && claimed < MAX_ORDERS && performance.now() < deadline);
  return totals;

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
    return log(error);
  }
}
