/**
 * Settles a payment that a browser reports after Checkout. Who bought what, and for how much, is stored
 * in our order; whether the money arrived is asked of Razorpay.
 * @module
 */

import type { FoundOrder, Settlement } from "shared/database/orders.ts";
import { refundReversal } from "shared/payments/reversals.ts";
import { type PaymentReport, settle } from "shared/payments/settlement.ts";
import { GatewayError, onlyGatewayError } from "shared/razorpay/gateway-error.ts";
import { createGateway, type PaymentGateway } from "shared/razorpay/gateway.ts";

/** What a payment led to, or why it could not be settled. */
export type CheckoutOutcome =
  | Settlement
  /** Razorpay cannot be asked, which does not mean that the payment failed. */
  | { readonly outcome: "not_reachable"; readonly error: GatewayError }
  | {
    readonly outcome: "other_mode";
    readonly paymentMode: "test" | "live";
    readonly orderMode: "test" | "live";
  }
  | { readonly outcome: "other_order" };

/**
 * Settles a payment whose signature has been verified, on the order that it names. An order that this
 * payment has paid before is not asked about again.
 */
export async function settleCheckout(
  { razorpay_order_id, razorpay_payment_id }: {
    readonly razorpay_order_id: string;
    readonly razorpay_payment_id: string;
  },
  order: FoundOrder,
): Promise<CheckoutOutcome> {
  if (order.razorpay_payment_id === razorpay_payment_id && order.remaining_after_payment !== null) {
    return {
      outcome: "replayed",
      credits_added: order.credits,
      remaining_credits: order.remaining_after_payment,
    };
  }
  const gateway = createGateway();
  if (gateway.mode !== order.key_mode) {
    return { outcome: "other_mode", paymentMode: gateway.mode, orderMode: order.key_mode };
  }
  const report = await reportOf(gateway, razorpay_payment_id).catch(onlyGatewayError);
  if (report instanceof GatewayError) return { outcome: "not_reachable", error: report };
  if (report.payment.order_id !== razorpay_order_id) return { outcome: "other_order" };
  return await settle(report);
}

/** Returns what Razorpay reports about the payment, and about money that already went back. */
async function reportOf(gateway: PaymentGateway, paymentId: string): Promise<PaymentReport> {
  const payment = await gateway.fetchPayment(paymentId);
  const refunds = payment.amount_refunded ? await gateway.fetchRefunds(paymentId) : [];
  return { payment, reversals: refunds.map(refundReversal) };
}
