/**
 * The history of a user's credits.
 * @module
 */

import { z } from "zod";
import { transaction } from "shared/contract/credit-history.ts";
import { one, rpc } from "shared/database/rpc.ts";

const historyPage = z.object({
  outcome: z.enum(["listed", "user_not_found", "not_the_owner"]),
  total: z.int(),
  debt_credits: z.int(),
  next_cursor: z.int().nullable(),
  transactions: z.array(transaction),
});

/** One page of a user's history, newest first; `before` is the cursor of the page before it. */
export async function listCreditTransactions(
  { userId, pageSize, before, provenPhone }: {
    userId: string;
    pageSize: number;
    before: number | undefined;
    /** Whose history it has to be; anyone's when left out. */
    provenPhone: string | undefined;
  },
): Promise<z.infer<typeof historyPage>> {
  const args = {
    user_id: userId,
    page_size: pageSize,
    before_sequence_number: before,
    proven_phone: provenPhone,
  };
  return one(historyPage, await rpc("list_credit_transactions", args));
}
