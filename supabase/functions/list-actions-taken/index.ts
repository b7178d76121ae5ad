/**
 * GET /list-actions-taken: an operator reads who did what, to whom and why, page by page.
 * @module
 */

import {
  DEFAULT_PAGE_SIZE,
  listActionsTaken as contract,
} from "shared/contract/list-actions-taken.ts";
import { listActionsTaken } from "shared/database/console.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(contract, async ({ user_id, operator, limit, cursor }) => {
  const page = await listActionsTaken({
    page_size: limit ?? DEFAULT_PAGE_SIZE,
    user_id,
    operator,
    before_action_id: cursor,
  });
  if (page.outcome === "user_not_found") throw new RequestError("USER_NOT_FOUND");
  const { actions, next_cursor } = page;
  return success(
    contract.successMessage,
    { actions, next_cursor: next_cursor?.toString() ?? null },
    { userId: user_id },
  );
});
