/**
 * POST /verify-payment: a page reports what Razorpay Checkout returned after a payment.
 *
 * The signature proves that the payment belongs to the order, and no more. Who bought what, and for
 * how much, is stored in our order; whether the money arrived is asked of Razorpay.
 * @module
 */

import { limitsFor } from "shared/auth/limits.ts";
import { ownsPhoneNumber } from "shared/auth/principal.ts";
import { verifySignature } from "shared/auth/signature.ts";
import { verifyPayment } from "shared/contract/verify-payment.ts";
import { findOrder } from "shared/database/orders.ts";
import { endpoint } from "shared/endpoint.ts";
import { razorpayCredentials } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";
import { pending, success } from "shared/http/reply.ts";
import { PAYMENT_NOT_CONFIRMED } from "shared/messages.ts";
import { refundReversal } from "shared/payments/reversals.ts";
import { type PaymentReport, settle } from "shared/payments/settlement.ts";
import { GatewayError } from "shared/razorpay/gateway-error.ts";
import { createGateway, type PaymentGateway } from "shared/razorpay/gateway.ts";

export default endpoint(verifyPayment, async (input, { headers, principal }) => {
  const { razorpay_order_id: orderId, razorpay_payment_id: paymentId } = input;
  const signed = await verifySignature({
    message: `${orderId}|${paymentId}`,
    signature: input.razorpay_signature,
    secret: razorpayCredentials().keySecret,
  });
  if (!signed) throw new RequestError("INVALID_SIGNATURE");

  const order = await findOrder({
    razorpay_order_id: orderId,
    phone_number: input.phone_number,
    ...limitsFor(principal, input.phone_number, headers),
  });
  if (order.outcome === "order_not_found") throw new RequestError("ORDER_NOT_FOUND");
  if (!order.is_users_phone || order.package_id !== input.package_id) {
    throw mismatch("phone_number and package_id are not those of the order");
  }
  const userId = order.user_id ?? undefined;
  if (order.razorpay_payment_id === paymentId && order.balance_after_payment !== null) {
    return verified(order.credits, order.balance_after_payment);
  }

  const gateway = createGateway();
  if (gateway.mode !== order.key_mode) {
    throw mismatch(`A ${gateway.mode} payment does not pay for a ${order.key_mode} order`);
  }
  const report = await reportOf(gateway).catch(onlyGatewayError);
  if (report instanceof GatewayError) return pending(PAYMENT_NOT_CONFIRMED, { error: report });
  if (report.payment.order_id !== orderId) throw mismatch("The payment was made for another order");

  const settlement = await settle(report);
  switch (settlement.outcome) {
    case "settled":
    case "replayed":
      return verified(settlement.credits_added, settlement.remaining_credits);
    case "not_captured":
      return pending(PAYMENT_NOT_CONFIRMED);
    case "amount_mismatch":
      throw mismatch("The payment is not of the order's amount and currency");
    case "payment_refunded":
      throw mismatch("The payment was refunded");
    case "paid_by_another_payment":
      throw mismatch("The order was paid by another payment");
    case "user_erased":
      throw mismatch("The order was closed before it was paid");
    case "not_ours":
      throw new RequestError("ORDER_NOT_FOUND");
  }

  /** Returns what Razorpay reports about the payment, and about money that already went back. */
  async function reportOf(gateway: PaymentGateway): Promise<PaymentReport> {
    const payment = await gateway.fetchPayment(paymentId);
    const refunds = payment.amount_refunded ? await gateway.fetchRefunds(paymentId) : [];
    return { payment, reversals: refunds.map(refundReversal) };
  }

  /** Anyone may pay for anyone, but only the owner learns the balance. */
  function verified(creditsAdded: number, remainingCredits: number) {
    const isOwner = ownsPhoneNumber(principal, input.phone_number);
    return success(verifyPayment.successMessage, {
      payment_id: paymentId,
      order_id: orderId,
      credits_added: creditsAdded,
      ...(isOwner && { remaining_credits: remainingCredits }),
    }, { userId });
  }
});

function mismatch(message: string): RequestError {
  return new RequestError("ORDER_MISMATCH", { message });
}

/** If Razorpay cannot be asked, that does not mean that the payment failed. */
function onlyGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  throw error;
}
