/**
 * The webhook events that the stand-in sends.
 * @module
 */

/** The names, as Razorpay writes them. */
export const EVENT_NAMES = [
  "payment.authorized",
  "payment.captured",
  "payment.failed",
  "order.paid",
  "refund.created",
  "refund.processed",
  "refund.failed",
  "refund.speed_changed",
  "payment.dispute.created",
  "payment.dispute.under_review",
  "payment.dispute.action_required",
  "payment.dispute.won",
  "payment.dispute.lost",
  "payment.dispute.closed",
  "payment_link.paid",
  "payment_link.partially_paid",
  "payment_link.cancelled",
  "payment_link.expired",
] as const;

/** The name of a webhook event. */
export type EventName = typeof EVENT_NAMES[number];
