/**
 * GET /get-operator: the console asks who is signed in.
 * @module
 */

import { getOperator } from "shared/contract/get-operator.ts";
import { endpoint } from "shared/endpoint.ts";
import { secondFactor } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(getOperator, (_input, { operator: { id, name, role } }) => {
  if (id === undefined) throw new RequestError("INVALID_SESSION");
  return Promise.resolve(success(getOperator.successMessage, {
    operator_id: id,
    name,
    role,
    second_factor: secondFactor(),
  }));
});
