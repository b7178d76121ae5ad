/**
 * GET /list-entries: an operator reads the history of an account, page by page.
 * @module
 */

import { DEFAULT_PAGE_SIZE, listEntries as contract } from "shared/contract/list-entries.ts";
import { listEntries } from "shared/database/console.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(contract, async ({ user_id, limit, cursor }) => {
  const page = await listEntries({
    user_id,
    page_size: limit ?? DEFAULT_PAGE_SIZE,
    before_sequence_number: cursor,
  });
  if (page.outcome === "user_not_found") throw new RequestError("USER_NOT_FOUND");
  const { entries, total, next_cursor } = page;
  return success(
    contract.successMessage,
    { user_id, entries, total, next_cursor: next_cursor?.toString() ?? null },
    { userId: user_id },
  );
});
