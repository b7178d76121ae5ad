/**
 * The contract of `GET credit-history/:user_id`.
 * @module
 */

import { z } from "zod";
import {
  frozen,
  MAX_INTEGER,
  remainingCredits,
  reservedCredits,
  timestamp,
  wholeNumberText,
} from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { pendingOrders } from "shared/contract/pending-order.ts";

/** The number of entries on a page for which the request names no limit. */
export const DEFAULT_PAGE_SIZE = 50;

/** One entry of a user's history. */
export const transaction = z.object({
  id: z.uuid(),
  user_id: z.uuid(),
  action: z.enum(["credit", "debit"]),
  credits: z.int().min(1),
  source: z.string().describe(
    "`system` (the welcome), `payment`, `refund`, `dispute`, `merge`, `adjustment`, or the id of the " +
      "action that was charged for; other words may join.",
  ),
  reference_id: z.string().nullable(),
  created_at: timestamp,
  balance_after: z.int().min(0),
  quantity: z.int().min(1).nullable()
    .describe("In the unit of the action; null where the request named none."),
});

export const creditHistory = {
  name: "credit-history",
  method: "GET",
  caller: "owner",
  summary: "List a user's credit history, newest first",
  description:
    "`total` counts all entries. Pass `next_cursor` as `cursor` to get the next page. Each page also has " +
    "the state of the account, so that a page about a user without a phone number needs nothing else.",
  pathField: "user_id",
  input: z.object({
    user_id: z.uuid("must be a UUID"),
    limit: wholeNumberText(1, 100).optional().describe(
      `Entries per page; ${DEFAULT_PAGE_SIZE} if left out.`,
    ),
    cursor: wholeNumberText(1, MAX_INTEGER).optional().describe(
      "The `next_cursor` of the previous page.",
    ),
  }),
  examples: {
    firstPage: {
      summary: "The newest entries",
      input: { user_id: "ce966eac-3f68-47a9-af05-f70448bdf4ff", limit: 20 },
    },
    nextPage: {
      summary: "The entries after those",
      input: { user_id: "ce966eac-3f68-47a9-af05-f70448bdf4ff", limit: 20, cursor: 5 },
    },
  },
  missingMessage: "User ID is required",
  data: z.object({
    user_id: z.uuid(),
    credits: z.int().min(0).describe("The balance."),
    remaining_credits: remainingCredits,
    reserved_credits: reservedCredits,
    frozen,
    pending_orders: pendingOrders,
    transactions: z.array(transaction),
    total: z.int().min(0),
    debt_credits: z.int().min(0)
      .describe(
        "Credits that were spent before their payment was reversed; the next credits pay them off.",
      ),
    next_cursor: z.string().nullable().describe("null on the last page"),
  }),
  successMessage: "Credit history retrieved successfully",
  errors: ["USER_NOT_FOUND"],
} as const satisfies Operation;
