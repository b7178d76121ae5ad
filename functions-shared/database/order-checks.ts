/**
 * What the reconciler and the operator need. Each function here is the SQL function of the same
 * name.
 * @module
 */

import { z } from "zod";
import { rpc } from "shared/database/rpc.ts";

const claimedOrder = z.object({
  order_id: z.uuid(),
  razorpay_order_id: z.string().nullable(),
  razorpay_payment_link_id: z.string().nullable(),
});

/** An order that the reconciler has to ask about. */
export type ClaimedOrder = z.infer<typeof claimedOrder>;

const orderLife = z.object({
  order_id: z.uuid(),
  life: z.object({
    order: z.object({
      razorpay_order_id: z.string().nullable(),
      razorpay_payment_link_id: z.string().nullable(),
    }),
  }),
});

/** Hands out orders that Razorpay should be asked about now. */
export async function claimOrdersToCheck(
  { batchSize, keyMode }: { batchSize: number; keyMode: "test" | "live" },
): Promise<ClaimedOrder[]> {
  const args = { batch_size: batchSize, key_mode: keyMode };
  return z.array(claimedOrder).parse(await rpc("claim_orders_to_check", args));
}

/** Ends a claim, and plans when to ask again. */
export async function finishOrderCheck(orderId: string): Promise<void> {
  await rpc("finish_order_check", { order_id: orderId });
}

/** The orders that an operator's word names: an id of Razorpay's or ours, or a phone number. */
export async function findPayments(search: string): Promise<z.infer<typeof orderLife>[]> {
  return z.array(orderLife).parse(await rpc("find_payments", { search }));
}

/** Records that an operator had an order settled by hand. */
export async function recordOperatorAction(
  { orderId, operator, reason, outcome }: {
    orderId: string;
    operator: string;
    reason: string;
    outcome: string;
  },
): Promise<void> {
  await rpc("record_operator_action", { order_id: orderId, operator, reason, outcome });
}
