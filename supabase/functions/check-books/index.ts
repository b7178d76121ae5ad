/**
 * GET /check-books: an operator or a monitor asks what the check of the books has found.
 * @module
 */

import { checkBooks } from "shared/contract/check-books.ts";
import { listViolations } from "shared/database/books.ts";
import { endpoint } from "shared/endpoint.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(checkBooks, async () => {
  return success(checkBooks.successMessage, await listViolations({}));
});
