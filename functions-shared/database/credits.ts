/**
 * Users and their credits.
 * @module
 */

import { z } from "zod";
import { pendingOrders } from "shared/database/pending-orders.ts";
import { oneRow, procedure } from "shared/database/rpc.ts";

const user = z.object({
  outcome: z.literal("found"),
  user_id: z.uuid(),
  credits: z.int(),
  remaining_credits: z.int(),
  reserved_credits: z.int(),
  low_balance: z.boolean(),
  created_at: z.string(),
  is_frozen: z.boolean(),
});

/** Returns the user of an identity that the bot names, created on first contact. */
export const getUser = procedure("get_user", () => oneRow(user));

/**
 * Returns the user of a number that a page names, created on first contact. Limited where
 * `caller_address` is given; `link_user_id` is the user that the caller's link was made for.
 * `pending_orders` is null unless `with_pending_orders` asks for it.
 */
export const getProfile = procedure(
  "get_user",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      user.extend({ pending_orders: pendingOrders }),
      z.object({ outcome: z.literal("link_is_void") }),
    ])),
);

/** Spends credits, once for each `reference_id`. */
export const deductCredits = procedure(
  "deduct_credits",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      z.object({
        outcome: z.enum(["deducted", "replayed"]),
        user_id: z.uuid(),
        remaining_credits: z.int(),
        done_message: z.string(),
        low_balance: z.boolean(),
      }),
      z.object({
        outcome: z.literal("insufficient_credits"),
        user_id: z.uuid(),
        remaining_credits: z.int(),
        reserved_credits: z.int(),
        needed_credits: z.int(),
      }),
      z.object({ outcome: z.literal("too_many_credits"), needed_credits: z.int() }),
      z.object({
        outcome: z.enum([
          "reference_reused",
          "reference_held",
          "account_frozen",
          "action_not_found",
        ]),
      }),
    ])),
);
