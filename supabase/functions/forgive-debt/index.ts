/**
 * POST /forgive-debt: an operator forgives what a user owes, or a part of it.
 *
 * Safe to repeat: the same request with the same `reference_id` changes nothing.
 * @module
 */

import { forgiveDebt as contract } from "shared/contract/forgive-debt.ts";
import { forgiveDebt } from "shared/database/operators.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(contract, async (input, { operator }) => {
  const { user_id, credits, reason, reference_id } = input;
  const action = await forgiveDebt({
    user_id,
    credits,
    operator: operator.name,
    operator_id: operator.id,
    reason,
    reference_id,
  });
  switch (action.outcome) {
    case "done":
    case "replayed": {
      const { changed, ...data } = action.result;
      return success(contract.successMessage(changed), data, {
        replayed: action.outcome === "replayed",
        userId: data.user_id,
      });
    }
    case "user_not_found":
      throw new RequestError("USER_NOT_FOUND");
    case "reference_reused":
      throw new RequestError("REFERENCE_REUSED");
  }
});
