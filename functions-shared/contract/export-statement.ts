/**
 * The contract of `GET export-statement`.
 * @module
 */

import { z } from "zod";
import {
  ENDS_TOO_EARLY,
  endsAfterItBegins,
  entry,
  EXAMPLE_USER_ID,
  moment,
} from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

/** The most entries of one statement. */
export const MAX_STATEMENT_ENTRIES = 10_000;

export const exportStatement = {
  name: "export-statement",
  method: "GET",
  caller: "operator",
  operatorRole: "support",
  summary: "Export the statement of an account, as JSON or CSV",
  description:
    "The balance before a period, the entries in it, and the balance after it. As CSV, the response is " +
    "the file itself, in which text that a spreadsheet would run as a formula starts with an " +
    `apostrophe. At most ${
      MAX_STATEMENT_ENTRIES.toLocaleString("en-US")
    } entries. If the account was ` +
    "merged into another one, its own history until then.",
  input: z.object({
    user_id: z.uuid("must be a UUID"),
    from: moment.optional().meta({
      description: "The first moment of the period, a date or a time; the beginning if left out.",
      examples: ["2026-11-01"],
    }),
    to: moment.optional().meta({
      description: "The moment after the period, a date or a time; now if left out.",
      examples: ["2026-12-01"],
    }),
    format: z.enum(["json", "csv"], "must be json or csv").optional().describe(
      "`json` if left out.",
    ),
  }).refine(endsAfterItBegins, ENDS_TOO_EARLY),
  examples: {
    whole: { summary: "The whole history", input: { user_id: EXAMPLE_USER_ID } },
    month: {
      summary: "A month, for a spreadsheet",
      input: {
        user_id: EXAMPLE_USER_ID,
        from: "2026-11-01",
        to: "2026-12-01",
        format: "csv",
      },
    },
  },
  missingMessage: "User ID is required",
  data: z.object({
    user_id: z.uuid(),
    opening_balance: z.int().min(0),
    closing_balance: z.int().min(0),
    entries: z.array(entry).describe("Oldest first."),
  }),
  successMessage: "Statement exported",
  fileType: "text/csv",
  errors: ["USER_NOT_FOUND"],
} as const satisfies Operation;
