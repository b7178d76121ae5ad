/**
 * POST /freeze-user: an operator keeps an account from spending.
 *
 * Safe to repeat: the same request with the same `reference_id` changes nothing.
 * @module
 */

import { freezeUser as contract } from "shared/contract/freeze-user.ts";
import { freezeUser } from "shared/database/operators.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(contract, async (input, { operator }) => {
  const { user_id, reason, reference_id } = input;
  const action = await freezeUser({
    user_id,
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
