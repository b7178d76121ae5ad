/**
 * POST /razorpay-webhook: Razorpay reports what happened to a payment, a refund or a dispute.
 *
 * Razorpay waits 5 seconds, repeats for a day what is not acknowledged with 2xx, and guarantees no
 * order. So every delivery is stored first, settled by ids that are part of the signed body, and
 * acknowledged only when it is settled or not for this system (Razorpay docs,
 * webhooks/best-practices.md).
 * @module
 */

import { razorpayWebhook } from "shared/contract/razorpay-webhook.ts";
import { finishWebhook, receiveWebhook } from "shared/database/webhook-deliveries.ts";
import { endpoint } from "shared/endpoint.ts";
import { success } from "shared/http/reply.ts";
import { blankedPayload } from "shared/payments/blanked-payload.ts";
import { type EventReading, readEvent } from "shared/payments/event.ts";
import { type PaymentReport, settle } from "shared/payments/settlement.ts";
import { GatewayError } from "shared/razorpay/gateway-error.ts";
import { createGateway } from "shared/razorpay/gateway.ts";

export default endpoint(razorpayWebhook, async (input, { headers, bodyText }) => {
  const event = readEvent(input);
  const deliveryId = await receiveWebhook({
    event_id: headers.get("x-razorpay-event-id") ?? "",
    event: input.event,
    payload: blankedPayload(bodyText),
    razorpay_order_id: event.razorpayOrderId,
    razorpay_payment_id: event.razorpayPaymentId,
  });

  let outcome = "failed";
  try {
    outcome = await handle(event);
  } finally {
    await finishWebhook({ delivery_id: deliveryId, outcome });
  }
  // A name such as Razorpay's belongs in the log, and nothing else that may have been signed.
  const logged = EVENT_NAME.test(input.event) ? { event: input.event } : {};
  return success(razorpayWebhook.successMessage, { outcome }, logged);
});

const EVENT_NAME = /^[a-z_]+(\.[a-z_]+)+$/;

async function handle(event: EventReading): Promise<string> {
  switch (event.kind) {
    case "irrelevant":
      return "ignored";
    case "unreadable":
      // Not acknowledged: an event about a payment is better sent again than forgotten.
      throw event.error;
    case "report":
      return await settleReport(event.report);
  }
}

/** Razorpay is asked for the receipt only if the order is not known by Razorpay's id. */
async function settleReport(report: PaymentReport): Promise<string> {
  const { outcome } = await settle(report);
  const { payment: { order_id: razorpayOrderId }, receipt } = report;
  if (outcome !== "not_ours" || receipt !== undefined || !razorpayOrderId) return outcome;
  const ownReceipt = await receiptOf(razorpayOrderId);
  return ownReceipt === undefined
    ? outcome
    : (await settle({ ...report, receipt: ownReceipt })).outcome;
}

/** An order that Razorpay does not know by our key belongs to another account. */
async function receiptOf(razorpayOrderId: string): Promise<string | undefined> {
  try {
    return (await createGateway().fetchOrder(razorpayOrderId)).receipt ?? undefined;
  } catch (error) {
    if (error instanceof GatewayError && error.kind === "refused") return undefined;
    throw error;
  }
}
