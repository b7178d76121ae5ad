/**
 * POST /erase-user: an operator has a person forgotten who asked for it.
 *
 * Safe to repeat: an account is erased once, and says when.
 * @module
 */

import { eraseUser as contract } from "shared/contract/erase-user.ts";
import { eraseUser, refreshSamples } from "shared/database/erasure.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { logFailure } from "shared/http/log.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(contract, async ({ user_id, reason }, { operator }) => {
  const erasure = await eraseUser({
    user_id,
    operator: operator.name,
    operator_id: operator.id,
    reason,
  });
  switch (erasure.outcome) {
    case "erased":
    case "replayed":
      // The person is erased, whatever becomes of this. On large tables it may have to be done by hand.
      await refreshSamples({}).catch((error) => logFailure(contract.name, error));
      return success(
        contract.successMessage,
        { user_id: erasure.erased_user_id, erased_at: erasure.erased_at, auth: erasure.auth },
        { replayed: erasure.outcome === "replayed", userId: erasure.erased_user_id },
      );
    case "user_not_found":
      throw new RequestError("USER_NOT_FOUND");
    case "user_in_use":
      throw new RequestError("USER_IN_USE");
  }
});
