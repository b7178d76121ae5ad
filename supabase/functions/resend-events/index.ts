/**
 * POST /resend-events: an operator has the bot told again of what it missed.
 *
 * Safe to repeat: the same request with the same `reference_id` changes nothing.
 * @module
 */

import { resendEvents as contract } from "shared/contract/resend-events.ts";
import { resendEvents } from "shared/database/operators.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(contract, async (input, { operator }) => {
  const { event_id, from, to, reason, reference_id } = input;
  const action = await resendEvents({
    event_id,
    created_from: from,
    created_before: to,
    operator: operator.name,
    operator_id: operator.id,
    reason,
    reference_id,
  });
  switch (action.outcome) {
    case "done":
    case "replayed":
      return success(contract.successMessage(action.result.resent), action.result, {
        replayed: action.outcome === "replayed",
      });
    case "event_not_found":
      throw new RequestError("EVENT_NOT_FOUND");
    case "too_many_events":
      throw new RequestError("INVALID_REQUEST", {
        message: "from and to name more than 10,000 events; choose a shorter period",
      });
    case "reference_reused":
      throw new RequestError("REFERENCE_REUSED");
  }
});
