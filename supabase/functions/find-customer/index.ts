/**
 * POST /find-customer: an operator looks for a customer, by whatever the customer can name.
 *
 * POST, so that no phone number is part of an address, which servers log.
 * @module
 */

import { findCustomer } from "shared/contract/find-customer.ts";
import { findCustomers } from "shared/database/operators.ts";
import { endpoint } from "shared/endpoint.ts";
import { success } from "shared/http/reply.ts";
import { numberInMessageId, toE164 } from "shared/phone-number.ts";

export default endpoint(findCustomer, async ({ query }) => {
  const search = query.trim();
  // Bare digits have two readings. Both are looked up, because an operator does not know which it is.
  const readings = [toE164(search, "whatsapp"), toE164(search, "page"), numberInMessageId(search)];
  const found = await findCustomers({
    search,
    phone_numbers: [...new Set(readings.filter((number) => number !== undefined))],
  });
  return success(findCustomer.successMessage, found);
});
