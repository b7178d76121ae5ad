/**
 * Users and their credits.
 * @module
 */

import { z } from "zod";
import { oneRow, procedure } from "shared/database/rpc.ts";

/** Returns the user of an identity, created on first contact. Limited where `caller_address` is given. */
export const getUser = procedure(
  "get_user",
  () =>
    oneRow(z.object({
      user_id: z.uuid(),
      credits: z.int(),
      remaining_credits: z.int(),
      reserved_credits: z.int(),
      low_balance: z.boolean(),
      created_at: z.string(),
      is_frozen: z.boolean(),
    })),
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
