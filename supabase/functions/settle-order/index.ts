/**
 * POST /settle-order: an operator has one stuck order looked up at Razorpay, and signs for it.
 * @module
 */

import { settleOrder } from "shared/contract/settle-order.ts";
import { findPayments, recordOperatorAction } from "shared/database/order-checks.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { checkOrder } from "shared/payments/check-order.ts";
import { openGateway } from "shared/razorpay/gateway.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(settleOrder, async ({ order: search, operator, reason }) => {
  const found = await findPayments(search);
  if (found.length === 0) throw new RequestError("ORDER_NOT_FOUND");
  if (found.length > 1) {
    throw new RequestError("INVALID_REQUEST", {
      message: "order names more than one order; give an id of the one you mean",
    });
  }
  const [{ order_id: orderId, life: { order } }] = found;
  const outcomes = await checkOrder({
    gateway: openGateway(),
    order: {
      orderId,
      razorpayOrderId: order.razorpay_order_id,
      paymentLinkId: order.razorpay_payment_link_id,
    },
  });
  const words = outcomes.map(({ outcome }) => outcome);
  await recordOperatorAction({
    orderId,
    operator,
    reason,
    outcome: words.join(", ") || "no payment",
  });
  return success("Razorpay was asked", { order_id: orderId, outcomes: words });
});
