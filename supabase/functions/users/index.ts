/**
 * GET /users/:phone_number: a page shows the profile of a user.
 * @module
 */

import { callerAddress } from "shared/auth/caller-address.ts";
import { users } from "shared/contract/users.ts";
import { getUser } from "shared/database/credits.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { ownsPhoneNumber } from "shared/auth/principal.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(users, async ({ phone_number }, { headers, principal }) => {
  // Before the database is asked: a stranger learns nothing about who is a user.
  if (!ownsPhoneNumber(principal, phone_number)) throw new RequestError("NOT_THE_OWNER");
  const { user_id: id, credits, created_at } = await getUser(
    { phone_number },
    principal.kind === "trusted" ? undefined : callerAddress(headers),
  );
  return success("User profile retrieved successfully", { id, phone_number, credits, created_at }, {
    userId: id,
  });
});
