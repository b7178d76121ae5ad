/**
 * Deliveries of Razorpay's webhook. Each function here is the SQL function of the same name.
 * @module
 */

import { rpc } from "shared/database/rpc.ts";

/** Keeps a delivery of Razorpay, before it is handled; answers its number. */
export async function receiveWebhook(
  { eventId, event, payload, razorpayOrderId, razorpayPaymentId }: {
    eventId: string | undefined;
    event: string;
    payload: string;
    razorpayOrderId: string | undefined;
    razorpayPaymentId: string | undefined;
  },
): Promise<number> {
  return await rpc("receive_webhook", {
    event_id: eventId ?? "",
    event,
    payload,
    razorpay_order_id: razorpayOrderId,
    razorpay_payment_id: razorpayPaymentId,
  });
}

/** Stores what became of a delivery. */
export async function finishWebhook(deliveryId: number, outcome: string): Promise<void> {
  await rpc("finish_webhook", { delivery_id: deliveryId, outcome });
}
