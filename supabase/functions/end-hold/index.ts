/**
 * POST /end-hold: an operator returns reserved credits whose bot does not.
 *
 * Safe to repeat: the same request with the same `reference_id` changes nothing.
 * @module
 */

import { endHold as contract } from "shared/contract/end-hold.ts";
import { endHold } from "shared/database/operators.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(contract, async (input, { operator }) => {
  const { user_id, hold_reference_id, reason, reference_id } = input;
  const action = await endHold({
    user_id,
    hold_reference_id,
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
        userId: user_id,
      });
    case "user_not_found":
      throw new RequestError("USER_NOT_FOUND");
    case "hold_not_found":
      throw new RequestError("HOLD_NOT_FOUND", {
        message: "Nothing is reserved under this hold_reference_id",
      });
    case "hold_captured":
      throw new RequestError("HOLD_CAPTURED", {
        message: "This hold_reference_id was charged and cannot be released",
      });
    case "reference_reused":
      throw new RequestError("REFERENCE_REUSED");
  }
});
