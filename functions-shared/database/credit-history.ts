/**
 * The history of a user's credits.
 * @module
 */

import { z } from "zod";
import { transaction } from "shared/contract/credit-history.ts";
import { pendingOrders } from "shared/database/pending-orders.ts";
import { oneRow, procedure } from "shared/database/rpc.ts";

/**
 * Returns one page of a user's history, newest first, and the state of the account. The entries are in
 * the shape of the contract: the SQL function builds them, and parsing them here fails if the two ever
 * differ.
 */
export const listCreditTransactions = procedure(
  "list_credit_transactions",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      z.object({ outcome: z.literal("user_not_found") }),
      z.object({ outcome: z.literal("not_the_owner") }),
      z.object({
        outcome: z.literal("listed"),
        credits: z.int(),
        remaining_credits: z.int(),
        reserved_credits: z.int(),
        debt_credits: z.int(),
        is_frozen: z.boolean(),
        pending_orders: pendingOrders,
        total: z.int(),
        next_cursor: z.int().nullable(),
        transactions: z.array(transaction),
      }),
    ])),
);
