/**
 * POST /merge-users: an operator merges two accounts of one person.
 *
 * Safe to repeat: the same request with the same `reference_id` changes nothing.
 * @module
 */

import { mergeUsers as contract } from "shared/contract/merge-users.ts";
import { mergeUsers } from "shared/database/operators.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(contract, async (input, { operator }) => {
  const { from_user_id, into_user_id, reason, reference_id } = input;
  const action = await mergeUsers({
    from_user_id,
    into_user_id,
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
        userId: into_user_id,
      });
    case "same_user":
      throw new RequestError("INVALID_REQUEST", {
        message: "from_user_id and into_user_id name the same account",
      });
    case "user_not_found":
      throw new RequestError("USER_NOT_FOUND");
    case "merged_before":
      throw new RequestError("MERGED_BEFORE");
    case "reference_reused":
      throw new RequestError("REFERENCE_REUSED");
  }
});
