/**
 * GET /list-attention: an operator or a monitor asks what needs attention.
 * @module
 */

import { listAttention as contract, MAX_ATTENTION_ITEMS } from "shared/contract/list-attention.ts";
import { listAttention } from "shared/database/operators.ts";
import { endpoint } from "shared/endpoint.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(contract, async () => {
  const items = (await listAttention({})).slice(0, MAX_ATTENTION_ITEMS);
  return success(contract.successMessage, { items });
});
