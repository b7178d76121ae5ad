/**
 * GET /sales-report: an operator asks what was sold each day, and what the credits were spent on.
 * @module
 */

import { MAX_REPORT_DAYS, salesReport as contract } from "shared/contract/sales-report.ts";
import { salesReport } from "shared/database/console.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

export default endpoint(contract, async ({ from, to }) => {
  const days = (Date.parse(to) - Date.parse(from)) / DAY_MS;
  if (days < 1) {
    throw new RequestError("INVALID_REQUEST", { message: "to must be later than from" });
  }
  if (days > MAX_REPORT_DAYS) {
    throw new RequestError("INVALID_REQUEST", {
      message: `from and to span more than ${MAX_REPORT_DAYS} days`,
    });
  }
  return success(contract.successMessage, await salesReport({ first_day: from, end_day: to }));
});
