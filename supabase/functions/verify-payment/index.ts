/**
 * POST /verify-payment: a page reports what Razorpay Checkout answered after a payment.
 *
 * The signature proves that the payment belongs to the order, and no more: who bought what, and for
 * how much, is what our order says, and whether the money is there is what Razorpay says.
 * @module
 */

import { callerAddress } from "shared/auth/caller-address.ts";
import { verifyPayment } from "shared/contract/verify-payment.ts";
import { findOrder } from "shared/database/orders.ts";
import { endpoint } from "shared/endpoint.ts";
import { razorpayCredentials } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";
import { ownsPhoneNumber } from "shared/auth/principal.ts";
import { GatewayError, openGateway, type PaymentGateway } from "shared/razorpay/gateway.ts";
import { pending, success } from "shared/http/reply.ts";
import { refundReversal, settle } from "shared/payments/settlement.ts";
import { verifySignature } from "shared/auth/signature.ts";

export default endpoint(verifyPayment, async (input, { headers, principal }) => {
  const { razorpay_order_id: orderId, razorpay_payment_id: paymentId } = input;
  const signed = await verifySignature({
    message: `${orderId}|${paymentId}`,
    signature: input.razorpay_signature,
    secret: razorpayCredentials().keySecret,
  });
  if (!signed) throw new RequestError("INVALID_SIGNATURE");

  const order = await findOrder({
    razorpayOrderId: orderId,
    phoneNumber: input.phone_number,
    limitedAddress: callerAddress(headers),
  });
  if (order === undefined) throw new RequestError("ORDER_NOT_FOUND");
  if (!order.is_users_phone || order.package_id !== input.package_id) {
    throw mismatch("phone_number and package_id are not those of the order");
  }
  const { user_id: userId } = order;
  if (order.razorpay_payment_id === paymentId && order.balance_after_payment !== null) {
    return verified(order.credits, order.balance_after_payment);
  }

  const gateway = openGateway();
  if (gateway.mode !== order.key_mode) {
    throw mismatch(`A ${gateway.mode} payment does not pay for a ${order.key_mode} order`);
  }
  const report = await ask(gateway).catch(gatewayErrorOnly);
  if (report instanceof GatewayError) return pending(NOT_CONFIRMED, { error: report });
  if (report.payment.order_id !== orderId) throw mismatch("The payment was made for another order");

  const settlement = await settle({ ...report, receipt: () => Promise.resolve(null) });
  switch (settlement.outcome) {
    case "settled":
    case "replayed":
      return verified(settlement.credits_added, settlement.remaining_credits);
    case "not_captured":
      return pending(NOT_CONFIRMED);
    case "amount_mismatch":
      throw mismatch("The payment is not of the order's amount and currency");
    case "payment_refunded":
      throw mismatch("The payment was refunded");
    case "paid_by_another_payment":
      throw mismatch("The order was paid by another payment");
    case "order_not_found":
    case "not_ours":
      throw new RequestError("ORDER_NOT_FOUND");
  }

  /** What Razorpay says of the payment, and of money that went back already. */
  async function ask(gateway: PaymentGateway) {
    const payment = await gateway.fetchPayment(paymentId);
    const refunds = payment.amount_refunded ? await gateway.fetchRefunds(paymentId) : [];
    return { payment, reversals: refunds.map(refundReversal) };
  }

  /** Anybody may pay for anybody, and only the owner learns what is in the account. */
  function verified(creditsAdded: number, remainingCredits: number) {
    const isOwner = ownsPhoneNumber(principal, input.phone_number);
    return success("Payment verified and credits added successfully", {
      payment_id: paymentId,
      order_id: orderId,
      credits_added: creditsAdded,
      ...(isOwner && { remaining_credits: remainingCredits }),
    }, { userId });
  }
});

const NOT_CONFIRMED = "The payment is not confirmed yet. Please ask again in a moment.";

function mismatch(message: string): RequestError {
  return new RequestError("ORDER_MISMATCH", { message });
}

/** A Razorpay that cannot be asked is no reason to say that a payment failed. */
function gatewayErrorOnly(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  throw error;
}
