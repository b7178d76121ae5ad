/**
 * GET /list-attention: an operator or a monitor asks what needs attention.
 * @module
 */

import { listAttention as contract } from "shared/contract/list-attention.ts";
import { listAttention } from "shared/database/operators.ts";
import { endpoint } from "shared/endpoint.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(contract, async () => {
  // A hosted project's Data API returns no more rows either.
  const items = (await listAttention({})).slice(0, 1_000);
  return success(contract.successMessage, { items });
});
