/**
 * Turns Razorpay's word on a payment into credits. The page's report, the webhook and the
 * reconciler all end here, and from here in one SQL function.
 * @module
 */

import {
  openOrder,
  type Reversal,
  type Settlement,
  settlePayment,
} from "shared/database/orders.ts";
import type { GatewayDispute, GatewayPayment, GatewayRefund } from "shared/razorpay/entities.ts";

/** What became of a payment. `not_ours`: no order of ours asked for it. */
export type SettlementOutcome = Settlement | { readonly outcome: "not_ours" };

/**
 * Books a payment, with its refunds and disputes.
 *
 * A payment may arrive before its Razorpay order is known to us: the answer to create-order was
 * cut off, or a payment link got its order only when it was paid. `receipt` then tells which of our
 * orders it belongs to; it is asked for only when it is needed.
 */
export async function settle(
  { payment, reversals = [], receipt }: {
    payment: GatewayPayment;
    reversals?: Reversal[];
    receipt: () => Promise<string | null | undefined>;
  },
): Promise<SettlementOutcome> {
  const { order_id: razorpayOrderId } = payment;
  if (!razorpayOrderId) return { outcome: "not_ours" };

  const book = () =>
    settlePayment({
      razorpayOrderId,
      razorpayPaymentId: payment.id,
      paymentStatus: payment.status,
      amountPaise: payment.amount,
      currency: payment.currency,
      reversals,
    });
  const settlement = await book();
  if (settlement.outcome !== "order_not_found") return settlement;

  const orderId = toOrderId(await receipt());
  const known = orderId && await openOrder({ orderId, razorpayOrderId });
  return known === razorpayOrderId ? await book() : { outcome: "not_ours" };
}

/** The receipt under which Razorpay knows an order of ours: its id, which fits without hyphens. */
export function toReceipt(orderId: string): string {
  return orderId.replaceAll("-", "");
}

/** The order id in a receipt, or `undefined` where the receipt is not one of ours. */
function toOrderId(receipt: string | null | undefined): string | undefined {
  return receipt?.match(/^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/)
    ?.slice(1).join("-");
}

/** A refund as the database books it. The money is gone once Razorpay has processed it. */
export function refundReversal(refund: GatewayRefund): Reversal {
  return {
    id: refund.id,
    kind: "refund",
    status: refund.status,
    amount_paise: refund.amount,
    is_money_gone: refund.status === "processed",
    reported_at: new Date(refund.created_at * 1000).toISOString(),
  };
}

/**
 * A dispute as the database books it, at the time of the event that reported it. The money is gone
 * when the dispute is lost, and comes back when it is won after all.
 */
export function disputeReversal(dispute: GatewayDispute, reportedAt: Date): Reversal {
  const deducted = dispute.amount_deducted ?? 0;
  return {
    id: dispute.id,
    kind: "dispute",
    status: dispute.status,
    amount_paise: deducted || dispute.amount,
    is_money_gone: dispute.status === "lost" || dispute.status === "closed" && deducted > 0,
    reported_at: reportedAt.toISOString(),
  };
}
