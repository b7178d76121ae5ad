/**
 * POST /razorpay-webhook: Razorpay reports what happened to a payment, a refund or a dispute.
 *
 * Razorpay waits 5 seconds, repeats what is not answered with 2xx for a day, and promises no order.
 * So every delivery is kept first, booked by ids that are part of the signed body, and acknowledged
 * only when it is booked or none of our business (Razorpay docs, webhooks/best-practices.md).
 * @module
 */

import { razorpayWebhook } from "shared/contract/razorpay-webhook.ts";
import { finishWebhook, receiveWebhook } from "shared/database/webhook-deliveries.ts";
import { endpoint } from "shared/endpoint.ts";
import { type EventInput, idsIn, readEvent } from "shared/payments/event.ts";
import { GatewayError, openGateway } from "shared/razorpay/gateway.ts";
import { success } from "shared/http/reply.ts";
import { settle } from "shared/payments/settlement.ts";

export default endpoint(razorpayWebhook, async (input, { headers, bodyText }) => {
  const deliveryId = await receiveWebhook({
    eventId: headers.get("x-razorpay-event-id") ?? undefined,
    event: input.event,
    payload: bodyText,
    ...idsIn(input),
  });

  let outcome = "failed";
  try {
    outcome = await book(input);
  } finally {
    await finishWebhook(deliveryId, outcome);
  }
  return success("Event received", { outcome });
});

async function book(input: EventInput): Promise<string> {
  const report = readEvent(input);
  if (report === undefined) return "ignored";
  const { outcome } = await settle({
    ...report,
    receipt: async () => report.receipt ?? await receiptOf(report.payment.order_id),
  });
  return outcome;
}

/** An order that Razorpay does not know by our key is another account's. */
async function receiptOf(razorpayOrderId: string | null | undefined) {
  if (!razorpayOrderId) return undefined;
  try {
    return (await openGateway().fetchOrder(razorpayOrderId)).receipt;
  } catch (error) {
    if (error instanceof GatewayError && error.kind === "refused") return undefined;
    throw error;
  }
}
