/**
 * GET /export-statement: an operator exports what happened to a balance, as JSON or CSV.
 * @module
 */

import {
  exportStatement as contract,
  MAX_STATEMENT_ENTRIES,
} from "shared/contract/export-statement.ts";
import { exportStatement } from "shared/database/operators.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { type Cell, toCsv } from "shared/http/csv.ts";
import { csvFile, success } from "shared/http/reply.ts";

export default endpoint(contract, async ({ user_id, from, to, format }) => {
  const statement = await exportStatement({
    user_id,
    since: from,
    until: to,
    max_entries: MAX_STATEMENT_ENTRIES,
  });
  switch (statement.outcome) {
    case "user_not_found":
      throw new RequestError("USER_NOT_FOUND");
    case "too_many_entries":
      throw new RequestError("INVALID_REQUEST", {
        message: `from and to span more than ${MAX_STATEMENT_ENTRIES} entries`,
      });
    case "exported": {
      const { opening_balance, closing_balance, entries } = statement;
      if (format === "csv") {
        const rows: Cell[][] = [
          [
            "sequence_number",
            "created_at",
            "action",
            "credits",
            "source",
            "reference_id",
            "balance",
          ],
          [null, from ?? null, "opening balance", null, null, null, opening_balance],
          ...entries.map((entry) => [
            entry.sequence_number,
            entry.created_at,
            entry.action,
            entry.credits,
            entry.source,
            entry.reference_id,
            entry.balance_after,
          ]),
          [null, to ?? null, "closing balance", null, null, null, closing_balance],
        ];
        return csvFile(`statement-${user_id}.csv`, toCsv(rows), { userId: user_id });
      }
      return success(
        contract.successMessage,
        { user_id, opening_balance, closing_balance, entries },
        { userId: user_id },
      );
    }
  }
});
