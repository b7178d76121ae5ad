/**
 * The check of the books.
 * @module
 */

import { z } from "zod";
import { checkBooks } from "shared/contract/check-books.ts";
import { oneRow, procedure } from "shared/database/rpc.ts";

/** Checks what was written since the last run, or a part of it, and records what is wrong. */
export const runBookCheck = procedure(
  "run_book_check",
  () =>
    oneRow(z.object({
      outcome: z.enum(["caught_up", "behind", "busy"]),
      violation_count: z.int(),
    })),
);

/** Returns what the runs have found, and the time of the newest run. */
export const listViolations = procedure(
  "list_violations",
  () => oneRow(checkBooks.data),
);
