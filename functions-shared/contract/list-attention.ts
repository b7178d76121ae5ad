/**
 * The contract of `GET list-attention`.
 * @module
 */

import { z } from "zod";
import { timestamp } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";

export const listAttention = {
  name: "list-attention",
  method: "GET",
  caller: "operator",
  operatorRole: "support",
  summary: "List what needs an operator's attention",
  description: "For a monitor, too: the list is empty when all is well.",
  input: z.object({}),
  examples: { always: { summary: "The only request", input: {} } },
  missingMessage: "",
  data: z.object({
    items: z.array(z.object({
      kind: z.string().describe("What it is about; other words may join."),
      subject: z.string(),
      since: timestamp,
      detail: z.string(),
    })).describe("Oldest first, at most 1,000."),
  }),
  successMessage: "List retrieved successfully",
  errors: [],
} as const satisfies Operation;
