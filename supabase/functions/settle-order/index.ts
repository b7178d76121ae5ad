/**
 * POST /settle-order: an operator triggers a check at Razorpay of one stuck order, with name and reason.
 * @module
 */

import { settleOrder } from "shared/contract/settle-order.ts";
import { findPayments, recordOperatorAction } from "shared/database/orders.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";
import { checkOrder } from "shared/payments/check-order.ts";
import { createGateway } from "shared/razorpay/gateway.ts";

export default endpoint(settleOrder, async ({ order: search, reason }, { operator }) => {
  const [found, another] = await findPayments({ search });
  if (found === undefined) throw new RequestError("ORDER_NOT_FOUND");
  if (another !== undefined) {
    throw new RequestError("INVALID_REQUEST", {
      message: "order names more than one order; give an id of the one you mean",
    });
  }
  const { order_id, life: { order } } = found;
  const gateway = createGateway();

  // A check that fails may have settled some of the order's payments, so it is recorded, too.
  let recorded = "failed";
  let outcomes: string[];
  try {
    const settlements = await checkOrder(gateway, { order_id, ...order });
    outcomes = settlements.map(({ outcome }) => outcome);
    recorded = outcomes.join(", ") || "no payment";
  } finally {
    await recordOperatorAction({
      order_id,
      operator: operator.name,
      operator_id: operator.id,
      reason,
      outcome: recorded,
    });
  }
  return success(settleOrder.successMessage, { order_id, outcomes });
});
