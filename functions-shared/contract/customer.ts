/**
 * Customers, as operators see them.
 * @module
 */

import { z } from "zod";
import { remainingCredits, reservedCredits, timestamp } from "shared/contract/fields.ts";

/** An account at a glance. */
export const customerProfile = z.object({
  user_id: z.uuid(),
  phone_number: z.string().nullable(),
  created_at: timestamp,
  credits: z.int().min(0).describe("The balance."),
  remaining_credits: remainingCredits,
  reserved_credits: reservedCredits,
  debt_credits: z.int().min(0),
  frozen: z.boolean(),
  frozen_at: timestamp.nullable(),
  flags: z.array(z.string()).describe(
    "What is unusual: `frozen`, `debt`, `flagged_payment`, `unfinished_refund`; other words may join.",
  ),
  identities: z.array(z.object({ kind: z.string(), value: z.string() })),
  merged_user_ids: z.array(z.uuid()).describe("Accounts that were merged into this one."),
});

/** A payment at a glance. */
export const paymentSummary = z.object({
  payment_id: z.string(),
  status: z.string(),
  amount_paise: z.int(),
  returned_paise: z.int().describe("What was refunded, or lost in a dispute."),
  credits_granted: z.int(),
  flag: z.string().nullable().describe("Why it bought nothing."),
  created_at: timestamp,
});

/** An order at a glance. */
export const orderSummary = z.object({
  order_id: z.uuid(),
  state: z.enum(["pending", "open", "paid"]),
  channel: z.enum(["checkout", "link"]),
  phone_number: z.string().nullable(),
  whatsapp_user_id: z.string().nullable(),
  package_id: z.string(),
  credits: z.int(),
  amount_paise: z.int(),
  razorpay_order_id: z.string().nullable(),
  created_at: timestamp,
  paid_at: timestamp.nullable(),
});

/** Credits that are reserved. */
export const openHold = z.object({
  reference_id: z.string(),
  action: z.string(),
  credits: z.int(),
  created_at: timestamp,
  expires_at: timestamp,
});
