/**
 * Turns what Razorpay reports about a payment into credits. The page's report, the webhook and the
 * reconciler all end here, and from here in one SQL function.
 * @module
 */

import { type Settlement, settlePayment } from "shared/database/orders.ts";
import type { Reversal } from "shared/payments/reversals.ts";
import type { GatewayPayment } from "shared/razorpay/entities.ts";

/** What Razorpay reports about a payment. */
export interface PaymentReport {
  readonly payment: GatewayPayment;
  readonly reversals: readonly Reversal[];
  /**
   * The receipt of the payment's order, where it is known. It is needed if the payment arrives before
   * its Razorpay order is stored with ours: because the response to create-order was lost, or because
   * Razorpay makes the order of a payment link only when the customer starts to pay.
   */
  readonly receipt?: string | undefined;
}

/** Records a payment with its refunds and disputes. `not_ours`: no order of ours asked for it. */
export async function settle(
  { payment, reversals, receipt }: PaymentReport,
): Promise<Settlement> {
  if (!payment.order_id) return { outcome: "not_ours" };
  return await settlePayment({
    razorpay_order_id: payment.order_id,
    razorpay_payment_id: payment.id,
    payment_status: payment.status,
    amount_paise: payment.amount,
    currency: payment.currency,
    reversals: [...reversals],
    receipt,
  });
}

/** Returns the receipt by which Razorpay knows an order of ours: its id without hyphens. */
export function toReceipt(orderId: string): string {
  return orderId.replaceAll("-", "");
}
