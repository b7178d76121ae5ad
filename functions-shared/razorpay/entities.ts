/**
 * Razorpay's entities, reduced to what the functions use, from API responses and webhooks alike.
 * Amounts are whole paise, times are seconds since 1970.
 *
 * Sources: Razorpay docs, api/orders, api/payments, api/refunds, api/payments/payment-links and
 * webhooks/disputes.md.
 * @module
 */

import { z } from "zod";

const orderId = z.string().regex(/^order_[A-Za-z0-9]{14}$/);

/** Up to the end of the year 9999, which is the last that ISO 8601 has four digits for. */
export const secondsSince1970 = z.int().min(0).max(253_402_300_799);

/** The part of Razorpay's order entity that the functions use. */
export const order = z.object({
  id: orderId,
  amount: z.int(),
  currency: z.string(),
  receipt: z.string().nullish(),
});

/** See {@linkcode order}. */
export type GatewayOrder = z.infer<typeof order>;

/** The part of Razorpay's payment entity that decides about credits. */
export const payment = z.object({
  id: z.string().regex(/^pay_[A-Za-z0-9]{14}$/),
  // Empty or null where a payment was made without an order.
  order_id: z.union([orderId, z.literal("")]).nullish(),
  amount: z.int().min(1),
  amount_refunded: z.int().nullish(),
  currency: z.string().regex(/^[A-Z]{3}$/),
  status: z.enum(["created", "authorized", "captured", "refunded", "failed"]),
});

/** See {@linkcode payment}. */
export type GatewayPayment = z.infer<typeof payment>;

/** The part of Razorpay's refund entity that decides about credits. */
export const refund = z.object({
  id: z.string().regex(/^rfnd_[A-Za-z0-9]{14}$/),
  amount: z.int().min(0),
  status: z.enum(["pending", "processed", "failed"]),
  receipt: z.string().nullish(),
  created_at: secondsSince1970,
});

/** See {@linkcode refund}. */
export type GatewayRefund = z.infer<typeof refund>;

/** The part of Razorpay's payment link entity that the functions use. */
export const paymentLink = z.object({
  id: z.string().regex(/^plink_[A-Za-z0-9]{14}$/),
  amount: z.int(),
  reference_id: z.string().nullish(),
  short_url: z.url({ protocol: /^https?$/ }),
  expire_by: z.int().nullish(),
  order_id: z.string().nullish(),
});

/** See {@linkcode paymentLink}. */
export type GatewayPaymentLink = z.infer<typeof paymentLink>;

/** The part of Razorpay's dispute entity that decides about credits. */
export const dispute = z.object({
  id: z.string().regex(/^disp_[A-Za-z0-9]{14}$/),
  amount: z.int().min(0),
  amount_deducted: z.int().min(0).nullish(),
  status: z.enum(["open", "under_review", "action_required", "won", "lost", "closed"]),
});

/** See {@linkcode dispute}. */
export type GatewayDispute = z.infer<typeof dispute>;
