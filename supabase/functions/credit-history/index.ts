/**
 * GET /credit-history/:user_id: a page lists what changed a user's balance, newest first, and shows the
 * account.
 * @module
 */

import type { Principal } from "shared/auth/principal.ts";
import { creditHistory, DEFAULT_PAGE_SIZE } from "shared/contract/credit-history.ts";
import { listCreditTransactions } from "shared/database/credit-history.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";
import { summarizePendingOrders } from "shared/payments/package-summary.ts";

export default endpoint(creditHistory, async ({ user_id, limit, cursor }, { principal }) => {
  const page = await listCreditTransactions({
    user_id,
    page_size: limit ?? DEFAULT_PAGE_SIZE,
    before_sequence_number: cursor,
    ...proofToCheck(principal, user_id),
  });
  if (page.outcome === "not_the_owner") throw new RequestError("NOT_THE_OWNER");
  if (page.outcome === "user_not_found") throw new RequestError("USER_NOT_FOUND");
  return success(creditHistory.successMessage, {
    user_id,
    credits: page.credits,
    remaining_credits: page.remaining_credits,
    reserved_credits: page.reserved_credits,
    ...(page.is_frozen && { frozen: true }),
    ...summarizePendingOrders(page.pending_orders),
    transactions: page.transactions,
    total: page.total,
    debt_credits: page.debt_credits,
    next_cursor: page.next_cursor?.toString() ?? null,
  }, { userId: user_id });
});

/**
 * Returns the number that must be the user's, for the history or, where accounts are public, for the
 * orders alone; nothing if the principal may read both anyway.
 */
function proofToCheck(
  principal: Principal,
  userId: string,
): { proven_phone_number?: string | undefined; is_public_reader?: boolean } {
  if (principal.kind !== "owner" && principal.kind !== "public") return {};
  if (principal.userId === userId) return {};
  const { kind, phoneNumber: proven_phone_number } = principal;
  if (kind === "public") return { proven_phone_number, is_public_reader: true };
  // A link for an account without a phone number proves no number.
  if (proven_phone_number === undefined) throw new RequestError("NOT_THE_OWNER");
  return { proven_phone_number };
}
