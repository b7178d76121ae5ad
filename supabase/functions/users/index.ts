/**
 * GET /users/:phone_number: a page shows the profile of a user.
 * @module
 */

import { users } from "shared/contract/users.ts";
import { getUser } from "shared/database/credits.ts";
import { endpoint } from "shared/endpoint.ts";
import { success } from "shared/reply.ts";

export default endpoint(users, async ({ phone_number }) => {
  const { user_id: id, credits, created_at } = await getUser(phone_number);
  return success("User profile retrieved successfully", { id, phone_number, credits, created_at });
});
