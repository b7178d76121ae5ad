/**
 * POST /create-order: a page starts the purchase of a package.
 *
 * Our order is written before Razorpay is asked, and Razorpay's id is stored before the page gets
 * it: whatever breaks in between, no payment can arrive for an order that we do not know.
 * @module
 */

import { callerAddress } from "shared/auth/caller-address.ts";
import { createOrder } from "shared/contract/create-order.ts";
import { openOrder, placeOrder } from "shared/database/orders.ts";
import { endpoint } from "shared/endpoint.ts";
import { packageSummary } from "shared/payments/package-summary.ts";
import { openGateway } from "shared/razorpay/gateway.ts";
import { success } from "shared/http/reply.ts";
import { toReceipt } from "shared/payments/settlement.ts";

export default endpoint(createOrder, async ({ package_id, phone_number }, { headers }) => {
  const gateway = openGateway();
  const order = await placeOrder({
    identity: { phone_number },
    packageId: package_id,
    keyMode: gateway.mode,
    channel: "checkout",
    limitedAddress: callerAddress(headers),
  });

  const razorpayOrderId = order.razorpay_order_id ?? await openOrder({
    orderId: order.order_id,
    razorpayOrderId: await gateway.createOrder({
      amountPaise: order.amount_paise,
      currency: order.currency,
      receipt: toReceipt(order.order_id),
    }),
  });

  if (razorpayOrderId === null) throw new Error("The order that was placed is gone");

  return success("Order created successfully", {
    order_id: razorpayOrderId,
    amount: order.amount_paise,
    currency: order.currency,
    key_id: gateway.keyId,
    package: packageSummary(package_id, order),
  }, { userId: order.user_id });
});
