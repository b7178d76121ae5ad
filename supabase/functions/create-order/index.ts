/**
 * POST /create-order: a page starts the purchase of a package.
 *
 * Our order is written before Razorpay is asked, and Razorpay's id is stored before the page gets
 * it. So whatever fails in between, no payment can arrive for an order that we do not know.
 * @module
 */

import { limitsFor } from "shared/auth/limits.ts";
import { createOrder } from "shared/contract/create-order.ts";
import { attachRazorpayOrder, placeOrder } from "shared/database/orders.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";
import { summarizePackage } from "shared/payments/package-summary.ts";
import { toReceipt } from "shared/payments/settlement.ts";
import { createGateway } from "shared/razorpay/gateway.ts";

export default endpoint(
  createOrder,
  async ({ package_id, phone_number }, { headers, principal }) => {
    const gateway = createGateway();
    const order = await placeOrder({
      phone_number,
      package_id,
      key_mode: gateway.mode,
      channel: "checkout",
      ...limitsFor(principal, phone_number, headers),
    });
    if (order.outcome === "package_not_found") throw new RequestError("PACKAGE_NOT_FOUND");
    if (order.outcome === "proof_required") throw new RequestError("PROOF_REQUIRED");

    const razorpayOrderId = order.razorpay_order_id ?? await attachRazorpayOrder({
      order_id: order.order_id,
      razorpay_order_id: await gateway.createOrder({
        amountPaise: order.amount_paise,
        currency: order.currency,
        receipt: toReceipt(order.order_id),
      }),
    });
    if (razorpayOrderId === null) throw new Error("The order that was just placed is gone");

    return success(createOrder.successMessage, {
      order_id: razorpayOrderId,
      amount: order.amount_paise,
      currency: order.currency,
      key_id: gateway.keyId,
      package: summarizePackage(package_id, order),
    }, { userId: order.user_id ?? undefined });
  },
);
