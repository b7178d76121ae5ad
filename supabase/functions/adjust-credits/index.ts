/**
 * POST /adjust-credits: an operator gives credits to a user or takes some away.
 *
 * Safe to repeat: the same request with the same `reference_id` changes nothing.
 * @module
 */

import { adjustCredits as contract, MAX_SUPPORT_CREDITS } from "shared/contract/adjust-credits.ts";
import { adjustCredits } from "shared/database/operators.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(contract, async (input, { operator }) => {
  const { user_id, credits, allow_debt, reason, reference_id } = input;
  if (operator.role === "support" && Math.abs(credits) > MAX_SUPPORT_CREDITS) {
    throw new RequestError("NOT_ALLOWED", {
      message: `More than ${MAX_SUPPORT_CREDITS} credits are up to an operator with the role owner`,
    });
  }
  const action = await adjustCredits({
    user_id,
    credits,
    allow_debt,
    operator: operator.name,
    operator_id: operator.id,
    reason,
    reference_id,
  });
  switch (action.outcome) {
    case "done":
    case "replayed":
      return success(contract.successMessage, action.result, {
        replayed: action.outcome === "replayed",
        userId: action.result.user_id,
      });
    case "too_many_credits":
      throw new RequestError("INVALID_REQUEST", {
        message: "credits would take the balance or the debt beyond 1,000,000,000",
      });
    case "user_not_found":
      throw new RequestError("USER_NOT_FOUND");
    case "not_enough_credits":
      throw new RequestError("NOT_ENOUGH_CREDITS");
    case "reference_reused":
      throw new RequestError("REFERENCE_REUSED");
  }
});
