/**
 * POST /create-order: a page starts the purchase of a package.
 *
 * Our order is written before Razorpay is asked, and Razorpay's id is stored before the page gets
 * it: whatever breaks in between, no payment can arrive for an order that we do not know.
 * @module
 */

import { createOrder } from "shared/contract.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { openGateway } from "shared/razorpay.ts";
import { success } from "shared/reply.ts";

export default endpoint(createOrder, async ({ package_id, phone_number }, { database }) => {
  const gateway = openGateway();
  const order = await database.placeOrder({
    phoneNumber: phone_number,
    packageId: package_id,
    keyMode: gateway.mode,
  });
  if (order.outcome === "package_not_found") throw new RequestError("PACKAGE_NOT_FOUND");

  const razorpayOrderId = order.razorpay_order_id ?? await database.openOrder({
    orderId: order.order_id,
    razorpayOrderId: await gateway.createOrder({
      amountPaise: order.amount_paise,
      currency: order.currency,
      // Razorpay takes 40 characters; an id without its hyphens has 32.
      receipt: order.order_id.replaceAll("-", ""),
    }),
  });

  return success("Order created successfully", {
    order_id: razorpayOrderId,
    amount: order.amount_paise,
    currency: order.currency,
    key_id: gateway.keyId,
    package: {
      id: package_id,
      name: order.package_name,
      credits: order.credits,
      price: order.amount_paise / 100,
    },
  });
});
