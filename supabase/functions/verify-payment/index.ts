/**
 * POST /verify-payment: a page reports what Razorpay Checkout returned after a payment.
 * @module
 */

import { requireCheckout } from "shared/auth/checkout.ts";
import { limitsFor } from "shared/auth/limits.ts";
import { ownsPhoneNumber } from "shared/auth/principal.ts";
import { verifyPayment } from "shared/contract/verify-payment.ts";
import { findOrder } from "shared/database/orders.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { pending, success } from "shared/http/reply.ts";
import { PAYMENT_NOT_CONFIRMED } from "shared/messages.ts";
import { settleCheckout } from "shared/payments/checkout.ts";

export default endpoint(verifyPayment, async (input, { headers, principal }) => {
  await requireCheckout(input);
  const order = await findOrder({
    razorpay_order_id: input.razorpay_order_id,
    phone_number: input.phone_number,
    ...limitsFor(principal, input.phone_number, headers),
  });
  if (order.outcome === "order_not_found") throw new RequestError("ORDER_NOT_FOUND");
  if (!order.is_users_phone || order.package_id !== input.package_id) {
    throw mismatch("phone_number and package_id are not those of the order");
  }

  const settlement = await settleCheckout(input, order);
  switch (settlement.outcome) {
    case "settled":
    case "replayed":
      return success(verifyPayment.successMessage, {
        payment_id: input.razorpay_payment_id,
        order_id: input.razorpay_order_id,
        credits_added: settlement.credits_added,
        // Anyone may pay for anyone, but only the owner learns the balance.
        ...(ownsPhoneNumber(principal, input.phone_number) && {
          remaining_credits: settlement.remaining_credits,
        }),
      }, { userId: order.user_id ?? undefined });
    case "not_captured":
      return pending(PAYMENT_NOT_CONFIRMED);
    case "not_reachable":
      return pending(PAYMENT_NOT_CONFIRMED, { error: settlement.error });
    case "other_mode":
      throw mismatch(
        `A ${settlement.paymentMode} payment does not pay for a ${settlement.orderMode} order`,
      );
    case "other_order":
      throw mismatch("The payment was made for another order");
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
});

function mismatch(message: string): RequestError {
  return new RequestError("ORDER_MISMATCH", { message });
}
