/**
 * POST /reconcile-payments: a scheduler has every order that is due looked up at Razorpay, for the
 * customers who closed the browser and the webhooks that never came.
 * @module
 */

import { reconcilePayments } from "shared/contract/reconcile-payments.ts";
import {
  type ClaimedOrder,
  claimOrdersToCheck,
  finishOrderCheck,
} from "shared/database/order-checks.ts";
import { endpoint } from "shared/endpoint.ts";
import { logFailure } from "shared/http/log.ts";
import { checkOrder } from "shared/payments/check-order.ts";
import { openGateway, type PaymentGateway } from "shared/razorpay/gateway.ts";
import { success } from "shared/http/reply.ts";
import type { SettlementOutcome } from "shared/payments/settlement.ts";

const BATCH_SIZE = 10;

/** The platform ends a call after 150 seconds without an answer; the slowest batch fits in the rest. */
const TIME_BUDGET_MS = 60_000;

export default endpoint(reconcilePayments, async (_input) => {
  const gateway = openGateway();
  const deadline = performance.now() + TIME_BUDGET_MS;
  const totals = { checked: 0, settled: 0, flagged: 0, failed: 0 };

  let batch: ClaimedOrder[];
  do {
    batch = await claimOrdersToCheck({ batchSize: BATCH_SIZE, keyMode: gateway.mode });
    const results = await Promise.all(batch.map((order) => check(order, gateway)));
    for (const outcomes of results) count(outcomes);
  } while (batch.length > 0 && performance.now() < deadline);
  return success("Payments reconciled", totals);

  function count(outcomes: SettlementOutcome[] | undefined) {
    if (outcomes === undefined) {
      totals.failed++;
      return;
    }
    totals.checked++;
    for (const { outcome } of outcomes) {
      if (outcome === "settled") totals.settled++;
      if (outcome === "amount_mismatch" || outcome === "paid_by_another_payment") totals.flagged++;
    }
  }
});

/** An order that cannot be asked about keeps its claim until it runs out, and comes again. */
async function check(
  claimed: ClaimedOrder,
  gateway: PaymentGateway,
): Promise<SettlementOutcome[] | undefined> {
  try {
    const outcomes = await checkOrder({
      gateway,
      order: {
        orderId: claimed.order_id,
        razorpayOrderId: claimed.razorpay_order_id,
        paymentLinkId: claimed.razorpay_payment_link_id,
      },
    });
    await finishOrderCheck(claimed.order_id);
    return outcomes;
  } catch (error) {
    // The other orders of the run are not to blame. A database that is away fails the next claim.
    logFailure("reconcile-payments", error);
    return undefined;
  }
}
