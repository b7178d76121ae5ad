/**
 * The history of a user's credits.
 * @module
 */

import { z } from "zod";
import { transaction } from "shared/contract/credit-history.ts";
import { oneRow, procedure } from "shared/database/rpc.ts";

/**
 * Returns one page of a user's history, newest first, in the shape of the contract: the SQL function
 * builds the entries, and parsing them here fails if the two ever differ.
 */
export const listCreditTransactions = procedure(
  "list_credit_transactions",
  () =>
    oneRow(z.object({
      outcome: z.enum(["listed", "user_not_found", "not_the_owner"]),
      total: z.int(),
      debt_credits: z.int(),
      next_cursor: z.int().nullable(),
      transactions: z.array(transaction),
    })),
);
