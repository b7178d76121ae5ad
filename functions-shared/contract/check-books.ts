/**
 * The contract of `GET check-books`.
 * @module
 */

import { z } from "zod";
import { timestamp } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";

const run = z.object({
  checked_at: timestamp,
  is_whole: z.boolean().describe("Whether it checked everything."),
  since: timestamp.nullable().describe("What was written from here on was checked; null for all."),
  before: timestamp.nullable(),
  violation_count: z.int().min(0).describe("What it found, also what was known already."),
});

export const checkBooks = {
  name: "check-books",
  method: "GET",
  caller: "operator",
  operatorRole: "support",
  summary: "Read what the check of the books has found",
  description:
    "What the newest run found and no later one has found gone; it runs no check itself. For a " +
    "monitor, too: the list is empty when all is well.",
  input: z.object({}),
  examples: { always: { summary: "The only request", input: {} } },
  missingMessage: "",
  data: z.object({
    violations: z.array(z.object({
      invariant: z.string(),
      subject: z.string(),
      detail: z.string(),
      found_at: timestamp,
      user_id: z.uuid().nullable().describe("Whose books are wrong, unless those of an order are."),
      order_id: z.uuid().nullable(),
    })).describe("Oldest first, at most 1,000."),
    checked_at: timestamp.nullable().describe("When the newest run was; null if there was none."),
    runs: z.array(run).describe(
      "The newest 50 runs, newest first. Those that found nothing are kept for 7 days.",
    ),
    whole_run: run.nullable().describe("The newest run that checked everything."),
  }),
  successMessage: "Books retrieved successfully",
  errors: [],
} as const satisfies Operation;
