/**
 * GET /credit-history/:user_id: a page lists what moved a user's credits, newest first.
 * @module
 */

import { creditHistory } from "shared/contract/credit-history.ts";
import { listCreditTransactions } from "shared/database/credit-history.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

const DEFAULT_PAGE_SIZE = 50;

/** Who has proven an account without a number has proven no number. */
const NO_PHONE = "none";

export default endpoint(creditHistory, async ({ user_id, limit, cursor }, { principal }) => {
  const isOwnHistory = principal.kind === "owner" && principal.userId === user_id;
  const page = await listCreditTransactions({
    userId: user_id,
    pageSize: limit ?? DEFAULT_PAGE_SIZE,
    before: cursor,
    provenPhone: principal.kind === "owner" && !isOwnHistory
      ? principal.phoneNumber ?? NO_PHONE
      : undefined,
  });
  if (page.outcome === "not_the_owner") throw new RequestError("NOT_THE_OWNER");
  if (page.outcome === "user_not_found") throw new RequestError("USER_NOT_FOUND");
  return success("Credit history retrieved successfully", {
    user_id,
    transactions: page.transactions,
    total: page.total,
    debt_credits: page.debt_credits,
    next_cursor: page.next_cursor?.toString() ?? null,
  }, { userId: user_id });
});
