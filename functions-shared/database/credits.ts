/**
 * Users, their credits and their history.
 * @module
 */

import { z } from "zod";
import { transaction } from "shared/contract/credit-history.ts";
import { oneRow, procedure } from "shared/database/rpc.ts";

/** Returns the user of an identity, created on first contact. Limited where `caller_address` is given. */
export const getUser = procedure(
  "get_user",
  oneRow(z.object({
    user_id: z.uuid(),
    credits: z.int(),
    remaining_credits: z.int(),
    reserved_credits: z.int(),
    created_at: z.string(),
  })),
);

/** Spends credits, once for each `reference_id`. */
export const deductCredits = procedure(
  "deduct_credits",
  oneRow(z.discriminatedUnion("outcome", [
    z.object({
      outcome: z.enum(["deducted", "replayed"]),
      user_id: z.uuid(),
      remaining_credits: z.int(),
      done_message: z.string(),
    }),
    z.object({
      outcome: z.literal("insufficient_credits"),
      user_id: z.uuid(),
      remaining_credits: z.int(),
      reserved_credits: z.int(),
      needed_credits: z.int(),
    }),
    z.object({ outcome: z.literal("too_many_credits"), needed_credits: z.int() }),
    z.object({ outcome: z.enum(["reference_reused", "reference_held", "action_not_found"]) }),
  ])),
);

/**
 * Returns one page of a user's history, newest first, in the shape of the contract: the SQL function
 * builds the entries, and parsing them here fails if the two ever differ.
 */
export const listCreditTransactions = procedure(
  "list_credit_transactions",
  oneRow(z.object({
    outcome: z.enum(["listed", "user_not_found", "not_the_owner"]),
    total: z.int(),
    debt_credits: z.int(),
    next_cursor: z.int().nullable(),
    transactions: z.array(transaction),
  })),
);
