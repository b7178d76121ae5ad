/**
 * The settings that a test can change while the stand-in runs. By default it behaves as Razorpay
 * does.
 * @module
 */

import { z } from "zod";
import { isLoopbackUrl } from "../system/loopback.ts";
import { EVENT_NAMES } from "./event-names.ts";

/** Times are milliseconds, amounts are paise. */
export const settingsSchema = z.strictObject({
  /**
   * Where events are delivered: an address of this machine, which is the only one that a stand-in has
   * to reach. Without a URL they are kept.
   */
  webhook_url: z.url({ protocol: /^https?$/ }).nullable()
    .refine((url) => url === null || isLoopbackUrl(url), "must be an address of this machine"),
  /** Signs new events. Retries of older events keep their signature. */
  webhook_secret: z.string().min(1),
  /** Turned off when the retries of an event are used up, as Razorpay does. */
  webhooks_enabled: z.boolean(),
  /** The events that the webhook subscribes to; null means all of them. */
  webhook_events: z.array(z.enum(EVENT_NAMES)).nullable(),
  /**
   * How the events of one action are sent: each after the first attempt of the previous one,
   * including those of earlier actions (`in_order`, `reversed`, `shuffled`), or without waiting
   * (`at_once`). Razorpay promises no order.
   */
  webhook_order: z.enum(["in_order", "reversed", "shuffled", "at_once"]),
  /** Shortens the waits between attempts: 1 is Razorpay's day of retries, 0.00001 a second. */
  webhook_time_factor: z.number().positive().max(1),
  /** How long the receiver may take to respond. */
  webhook_timeout_ms: z.int().positive(),
  /** Additional deliveries of each event, 0.23 s apart, whatever the receiver responds. */
  webhook_duplicates: z.int().min(0).max(10),
  /** How many events, each with its own event id, report the same fact. */
  webhook_event_copies: z.int().min(1).max(10),
  /** Writes non-ASCII characters in event bodies as \u escapes. Razorpay may or may not. */
  webhook_escape_non_ascii: z.boolean(),
  /**
   * Orders with the receipt of an earlier one: allowed (`any`), refused (`unique`), or, for
   * requests with `unique_receipt: true`, given the earlier order (`unique_when_asked`).
   */
  order_receipts: z.enum(["any", "unique", "unique_when_asked"]),
  /** How long lists lack a new entity, rounded to seconds. Reads by id always find it. */
  list_lag_ms: z.int().min(0),
  /** How long the bank takes to approve a payment of a customer who chose to pay later. */
  late_approval_ms: z.int().min(0),
  /** The largest amount of an order, a payment link or a payment. */
  max_amount_paise: z.int().min(100),
  /** The status of a new refund, until a control route changes it. */
  refund_status: z.enum(["processed", "pending"]),
  /** How long a refund request takes. Meanwhile, another with its idempotency key is rejected. */
  refund_delay_ms: z.int().min(0),
});

/** The settings of a running stand-in, changed in place by the control routes. */
export type StandInSettings = z.infer<typeof settingsSchema>;

/** Razorpay's behavior for a default account. */
export const DEFAULT_SETTINGS: Omit<StandInSettings, "webhook_url" | "webhook_secret"> = {
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
  late_approval_ms: 5_000,
  max_amount_paise: 50_000_000,
  refund_status: "processed",
  refund_delay_ms: 0,
};
