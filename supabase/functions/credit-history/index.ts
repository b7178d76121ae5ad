/**
 * GET /credit-history/:user_id: a page lists what changed a user's balance, newest first.
 * @module
 */

import type { Principal } from "shared/auth/principal.ts";
import { creditHistory, DEFAULT_PAGE_SIZE } from "shared/contract/credit-history.ts";
import { listCreditTransactions } from "shared/database/credit-history.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(creditHistory, async ({ user_id, limit, cursor }, { principal }) => {
  const page = await listCreditTransactions({
    user_id,
    page_size: limit ?? DEFAULT_PAGE_SIZE,
    before_sequence_number: cursor,
    proven_phone_number: phoneNumberToCheck(principal, user_id),
  });
  if (page.outcome === "not_the_owner") throw new RequestError("NOT_THE_OWNER");
  if (page.outcome === "user_not_found") throw new RequestError("USER_NOT_FOUND");
  return success(creditHistory.successMessage, {
    user_id,
    transactions: page.transactions,
    total: page.total,
    debt_credits: page.debt_credits,
    next_cursor: page.next_cursor?.toString() ?? null,
  }, { userId: user_id });
});

/** Returns the number that must be the user's; `undefined` if the principal may read the history anyway. */
function phoneNumberToCheck(principal: Principal, userId: string): string | undefined {
  if (principal.kind !== "owner" || principal.userId === userId) return undefined;
  // A link for an account without a phone number proves no number.
  if (principal.phoneNumber === undefined) throw new RequestError("NOT_THE_OWNER");
  return principal.phoneNumber;
}
