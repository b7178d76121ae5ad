/**
 * GET /get-customer: an operator opens the page of one customer.
 * @module
 */

import { getCustomer as contract } from "shared/contract/get-customer.ts";
import { getCustomer } from "shared/database/console.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(contract, async ({ user_id, order_id }) => {
  const found = await getCustomer({ user_id, order_id });
  if (found.outcome === "user_not_found") throw new RequestError("USER_NOT_FOUND");
  const { customer } = found;
  return success(
    contract.successMessage,
    { ...customer, next_cursor: customer.next_cursor?.toString() ?? null },
    { userId: customer.user_id },
  );
});
