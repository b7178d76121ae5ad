/**
 * The contract of `GET check-books`.
 * @module
 */

import { z } from "zod";
import { timestamp } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";

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
    })).describe("Oldest first, at most 1,000."),
    checked_at: timestamp.nullable().describe("When the newest run was; null if there was none."),
  }),
  successMessage: "Books retrieved successfully",
  errors: [],
} as const satisfies Operation;
