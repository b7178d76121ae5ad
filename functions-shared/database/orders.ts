/**
 * Orders and their payments.
 * @module
 */

import { z } from "zod";
import { nothing, oneRow, procedure } from "shared/database/rpc.ts";

const placedOrder = z.object({
  outcome: z.enum(["placed", "reused", "replayed", "reference_reused"]),
  user_id: z.uuid().nullable(),
  order_id: z.uuid(),
  razorpay_order_id: z.string().nullable(),
  package_name: z.string(),
  credits: z.int(),
  amount_paise: z.int(),
  currency: z.literal("INR"),
  short_url: z.string().nullable(),
  expires_at: z.string().nullable(),
});

/** An order with what was fixed when it was placed. */
export type PlacedOrder = z.infer<typeof placedOrder>;

/** Fixes what a purchase costs and grants, or finds the same purchase still unpaid. */
export const placeOrder = procedure(
  "place_order",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      z.object({ outcome: z.literal("package_not_found") }),
      z.object({ outcome: z.literal("proof_required") }),
      placedOrder,
    ])),
);

/**
 * Stores the id that Razorpay gave to an order, unless one is stored already. Returns the stored one,
 * or `null` if there is no such order.
 */
export const attachRazorpayOrder = procedure("attach_razorpay_order", () => z.string().nullable());

/** Stores the payment link that Razorpay made for an order, unless one is stored. Returns the stored one. */
export const attachPaymentLink = procedure(
  "attach_payment_link",
  () => oneRow(z.object({ stored_short_url: z.string(), stored_expires_at: z.string() })),
);

const foundOrder = z.object({
  outcome: z.literal("found"),
  user_id: z.uuid().nullable(),
  is_users_phone: z.boolean(),
  package_id: z.string(),
  key_mode: z.enum(["test", "live"]),
  credits: z.int(),
  razorpay_payment_id: z.string().nullable(),
  remaining_after_payment: z.int().nullable(),
});

/** An order whose payment is to be verified. */
export type FoundOrder = z.infer<typeof foundOrder>;

/** Returns the order that Razorpay knows by this id, and whether it is for `phone_number`. */
export const findOrder = procedure(
  "find_order",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      z.object({ outcome: z.literal("order_not_found") }),
      foundOrder,
    ])),
);

const settlement = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.enum(["settled", "replayed"]),
    credits_added: z.int(),
    remaining_credits: z.int(),
  }),
  z.object({
    outcome: z.enum([
      "not_ours",
      "payment_refunded",
      "paid_by_another_payment",
      "amount_mismatch",
      "user_erased",
      "not_captured",
    ]),
  }),
]);

/** What a payment led to. */
export type Settlement = z.infer<typeof settlement>;

/**
 * Records what Razorpay reports about a payment: grants the order's credits once, and revokes them for
 * money that was returned.
 */
export const settlePayment = procedure("settle_payment", () => oneRow(settlement));

const claimedOrder = z.object({
  order_id: z.uuid(),
  razorpay_order_id: z.string().nullable(),
  razorpay_payment_link_id: z.string().nullable(),
});

/** An order that Razorpay has to be asked about. */
export type ClaimedOrder = z.infer<typeof claimedOrder>;

/** Claims orders that are due for a check at Razorpay. */
export const claimOrdersToCheck = procedure("claim_orders_to_check", () => z.array(claimedOrder));

/** Ends a claim, and schedules the next check. */
export const finishOrderCheck = procedure("finish_order_check", nothing);

/** Returns the orders that match an operator's search: an id of Razorpay's or ours, or a phone number. */
export const findPayments = procedure(
  "find_payments",
  () =>
    z.array(z.object({
      order_id: z.uuid(),
      life: z.object({ order: claimedOrder.omit({ order_id: true }) }),
    })),
);

/** Records that an operator had an order settled by hand. */
export const recordOperatorAction = procedure("record_operator_action", nothing);

/** Deletes old orders that nobody tried to pay, at most 1,000. Returns how many. */
export const deleteAbandonedOrders = procedure("delete_abandoned_orders", () => z.int());

/** Deletes orders that somebody tried to pay in vain, long ago, at most 1,000. Returns how many. */
export const deleteUnpaidOrders = procedure("delete_unpaid_orders", () => z.int());
