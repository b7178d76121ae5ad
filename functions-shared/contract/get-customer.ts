/**
 * The contract of `GET get-customer`.
 * @module
 */

import { z } from "zod";
import {
  customerProfile,
  openHold,
  orderSummary,
  paymentSummary,
} from "shared/contract/customer.ts";
import { timestamp } from "shared/contract/fields.ts";
import {
  actionTaken,
  entry,
  entryInFull,
  EXAMPLE_USER_ID,
  nextCursor,
  userId,
} from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

const reversal = z.object({
  reversal_id: z.string().describe("Razorpay's refund or dispute id."),
  kind: z.enum(["refund", "dispute"]),
  status: z.string(),
  amount_paise: z.int(),
  is_money_gone: z.boolean(),
  credits_taken: z.int(),
  credits_owed: z.int().describe("What of these is a debt."),
  credits_forgiven: z.int(),
  created_at: timestamp,
  reported_at: timestamp.describe("Of Razorpay's newest report."),
});

const paymentLife = paymentSummary.extend({
  granted_at: timestamp.nullable(),
  reversals: z.array(reversal).describe("Refunds and disputes, newest first, at most 20."),
  entries: z.array(entry.extend({ user_id: z.uuid() })).describe(
    "The credits that followed, newest first, at most 50. They stay with the account that had the order " +
      "then.",
  ),
});

const orderLife = orderSummary.extend({
  package_name: z.string(),
  key_mode: z.enum(["test", "live"]),
  razorpay_payment_link_id: z.string().nullable(),
  razorpay_payment_id: z.string().nullable().describe("The payment that has paid it."),
  tried_at: timestamp.nullable().describe("When somebody first tried to pay it."),
  checked_at: timestamp.nullable().describe("When Razorpay was last asked about it."),
  next_check_at: timestamp.nullable().describe("When Razorpay is next asked by itself."),
  erased_at: timestamp.nullable(),
  reference_ids: z.array(z.string()).describe("The bot's, oldest first, at most 20."),
  payments: z.array(paymentLife).describe("The newest 20."),
});

const event = z.object({
  event_id: z.uuid(),
  type: z.string(),
  created_at: timestamp,
  state: z.enum(["new", "handed_out", "not_sent"]),
  order_id: z.uuid().nullable(),
  credits: z.int().nullable().describe("The balance then."),
  remaining_credits: z.int().nullable(),
  data: z.record(z.string(), z.unknown()),
  deliveries: z.array(z.object({
    address: z.string().describe("Without its query."),
    state: z.enum(["pending", "delivered", "dead", "ended"]),
    attempts: z.int(),
    last_failure: z.string().nullable().describe(
      "The status that was answered, or why there was no answer; null if the last attempt succeeded.",
    ),
    last_attempt_at: timestamp.nullable(),
    next_attempt_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
  })).describe("One for each address."),
});

/** A customer with everything that a page about them shows. */
export const wholeCustomer = customerProfile.extend({
  erased_at: timestamp.nullable().describe("When the person was erased."),
  total_entries: z.int().min(0),
  entries: z.array(entryInFull).describe("The newest 50; `list-entries` has the others."),
  next_cursor: nextCursor,
  balance_points: z.array(z.object({
    sequence_number: z.int().min(1),
    created_at: timestamp,
    balance_after: z.int().min(0),
  })).describe(
    "For a picture of the balance over time, oldest first: each entry, or, where there are more than " +
      "200, 100 at equal distances to the newest, and the newest 50 welcomes, payments and merges, " +
      "each with the entry before it.",
  ),
  holds: z.array(openHold.extend({
    quantity: z.int().nullable(),
    is_expired: z.boolean().describe(
      "Whether it no longer reserves anything, and is about to be ended.",
    ),
  })).describe("Open reservations, those that expire first, at most 100."),
  orders: z.array(orderLife).describe("The newest 20, and after them the one that was asked for."),
  events: z.array(event).describe("What the bot was told about them, the newest 20."),
  actions: z.array(actionTaken).describe(
    "What operators did to them, the newest 20; `list-actions-taken` has the others.",
  ),
});

export const getCustomer = {
  name: "get-customer",
  method: "GET",
  caller: "operator",
  operatorRole: "support",
  summary: "Get everything about one customer",
  description: "Also about one who was erased. Whatever grows is bounded, newest first.",
  input: z.object({
    user_id: userId,
    order_id: z.uuid("must be a UUID").optional().describe(
      "An order of theirs that `orders` has to include, however old it is.",
    ),
  }),
  examples: {
    always: { summary: "One customer", input: { user_id: EXAMPLE_USER_ID } },
    withAnOrder: {
      summary: "With an older order",
      input: { user_id: EXAMPLE_USER_ID, order_id: "0b0fd3e0-4b44-4d4c-9d3e-7a1f4f6f2c11" },
    },
  },
  missingMessage: "User ID is required",
  data: wholeCustomer,
  successMessage: "Customer retrieved successfully",
  errors: ["USER_NOT_FOUND"],
} as const satisfies Operation;
