/**
 * What a test can change about the stand-in while it runs. The defaults behave as Razorpay does.
 * @module
 */

import { z } from "zod";
import { EVENT_NAMES } from "./event-names.ts";

/** The settings, with their shapes. Times are milliseconds, amounts are paise. */
export const settingsSchema = z.strictObject({
  /** Where events go. Without a URL they are kept and not delivered. */
  webhook_url: z.url({ protocol: /^https?$/ }).nullable(),
  /** Signs the events from now on. Retries of older events keep their signature. */
  webhook_secret: z.string().min(1),
  /** Razorpay turns this off by itself when the retries of an event are used up. */
  webhooks_enabled: z.boolean(),
  /** The events that the webhook subscribes to; null is all of them. */
  webhook_events: z.array(z.enum(EVENT_NAMES)).nullable(),
  /**
   * How the events of one action start: each after the first attempt of the one before, also of
   * earlier actions (`in_order`, `reversed`, `shuffled`), or without waiting (`at_once`). Razorpay
   * promises no order.
   */
  webhook_order: z.enum(["in_order", "reversed", "shuffled", "at_once"]),
  /** Shortens the waits between deliveries: 1 is Razorpay's day of retries, 0.00001 about a second. */
  webhook_time_factor: z.number().positive().max(1),
  /** How long the receiver may take. */
  webhook_timeout_ms: z.int().positive(),
  /** Further deliveries of each event, 0.23 s apart, whatever the receiver answers. */
  webhook_duplicates: z.int().min(0).max(10),
  /** How many events, with an event id each, tell of one fact. */
  webhook_event_copies: z.int().min(1).max(10),
  /** Writes non-ASCII characters of event bodies as \u escapes. Which one Razorpay does is unknown. */
  webhook_escape_non_ascii: z.boolean(),
  /**
   * Orders with the receipt of an earlier one: allowed (`any`), refused (`unique`), or, for requests
   * with `unique_receipt: true`, answered with the earlier order (`unique_when_asked`).
   */
  order_receipts: z.enum(["any", "unique", "unique_when_asked"]),
  /** How long a new order, payment or payment link is missing from lists, to the second. Reads by id are never late. */
  list_lag_ms: z.int().min(0),
  /** The most that an order, a payment link or a payment may cost. */
  max_amount_paise: z.int().min(100),
  /** What a new refund is, until a control route changes it. */
  refund_status: z.enum(["processed", "pending"]),
  /** How long a refund request takes; another one with its idempotency key is refused meanwhile. */
  refund_delay_ms: z.int().min(0),
});

export type Settings = z.infer<typeof settingsSchema>;

/** Razorpay's behaviour for a default account. */
export const DEFAULT_SETTINGS: Omit<Settings, "webhook_url" | "webhook_secret"> = {
  webhooks_enabled: true,
  webhook_events: null,
  webhook_order: "in_order",
  webhook_time_factor: 1,
  webhook_timeout_ms: 5_000,
  webhook_duplicates: 0,
  webhook_event_copies: 1,
  webhook_escape_non_ascii: false,
  order_receipts: "any",
  list_lag_ms: 0,
  max_amount_paise: 50_000_000,
  refund_status: "processed",
  refund_delay_ms: 0,
};
