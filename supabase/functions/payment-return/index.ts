/**
 * POST /payment-return: Razorpay Checkout sends the customer's browser here where it cannot call the
 * page, as on an iPhone or in another app's browser.
 *
 * A customer who may have paid must get back to the page, whatever goes wrong here: the webhook and the
 * reconciler bring the credits anyway. The page is a setting, and all that a request can add to its
 * address is one of three words and an id of Razorpay's form.
 * @module
 */

import { callerAddress } from "shared/auth/caller-address.ts";
import { requireCheckout, type SignedCheckout } from "shared/auth/checkout.ts";
import { paymentReturn } from "shared/contract/payment-return.ts";
import { findOrder } from "shared/database/orders.ts";
import { endpoint } from "shared/endpoint.ts";
import { frontendUrl } from "shared/environment.ts";
import { failure, redirect } from "shared/http/reply.ts";
import { type CheckoutOutcome, settleCheckout } from "shared/payments/checkout.ts";

type PaymentState = "paid" | "pending" | "failed";

/** What the customer is told of the order that the payment is for. */
const STATES: Record<CheckoutOutcome["outcome"] | "order_not_found", PaymentState> = {
  settled: "paid",
  replayed: "paid",
  // What was ordered is there. The payment too many is flagged for an operator.
  paid_by_another_payment: "paid",
  not_captured: "pending",
  not_reachable: "pending",
  // It buys nothing, however long the customer waits.
  payment_refunded: "failed",
  amount_mismatch: "failed",
  user_erased: "failed",
  other_mode: "failed",
  other_order: "failed",
  not_ours: "failed",
  order_not_found: "failed",
};

export default endpoint(paymentReturn, async (input, { headers }) => {
  const { razorpay_order_id: order, razorpay_payment_id, razorpay_signature } = input;
  if (order && razorpay_payment_id && razorpay_signature) {
    const checkout = { razorpay_order_id: order, razorpay_payment_id, razorpay_signature };
    return await settled(checkout, headers).catch((error) => notConfirmed(error, order));
  }
  // Nobody signs that a payment failed, and its bank may still approve it: nothing is changed.
  const payment = input["error[code]"] === undefined ? "pending" : "failed";
  return redirect(frontendUrl(), { payment, order: order ?? orderIn(input) });
}, (error, request) => {
  switch (request.method) {
    case "POST":
      return notConfirmed(error);
    // A customer who reloads, or goes back. The page knows by itself what is under way.
    case "GET":
    case "HEAD":
      return redirect(frontendUrl(), {});
    default:
      return failure(error);
  }
});

/** Settles the payment, and sends the customer to the page. The signature is checked before all else. */
async function settled(checkout: SignedCheckout, headers: Headers) {
  await requireCheckout(checkout);
  const { razorpay_order_id } = checkout;
  const order = await findOrder({ razorpay_order_id, caller_address: callerAddress(headers) });
  const settlement = order.outcome === "found" ? await settleCheckout(checkout, order) : order;
  return redirect(
    frontendUrl(),
    { payment: STATES[settlement.outcome], order: razorpay_order_id },
    {
      userId: order.outcome === "found" ? order.user_id ?? undefined : undefined,
      error: settlement.outcome === "not_reachable" ? settlement.error : undefined,
    },
  );
}

/** Sends the customer to the page, where the payment may show up later. */
function notConfirmed(error: unknown, order?: string) {
  const { httpStatus, body: { code } } = failure(error);
  return redirect(frontendUrl(), { payment: "pending", order }, {
    code,
    // The log has the cause of what is not the caller's mistake.
    error: httpStatus >= 500 ? error : undefined,
  });
}

/** Returns the order of a payment that failed. Razorpay writes it as JSON in one field. */
function orderIn(
  { "error[metadata]": json, "error[metadata][order_id]": field }: {
    readonly "error[metadata]"?: string | undefined;
    readonly "error[metadata][order_id]"?: string | undefined;
  },
): string | undefined {
  const named = field ?? /"order_id"\s*:\s*"([^"]*)"/.exec(json ?? "")?.[1];
  return paymentReturn.data.shape.order.safeParse(named).data;
}
