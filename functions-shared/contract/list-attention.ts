/**
 * The contract of `GET list-attention`.
 * @module
 */

import { z } from "zod";
import { timestamp } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";

/** The most items of one answer. A hosted project's Data API returns no more rows either. */
export const MAX_ATTENTION_ITEMS = 1_000;

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
      remedy: z.string().nullable().describe(
        "The function that helps; null if none does by itself.",
      ),
      user_id: z.uuid().nullable(),
      order_id: z.uuid().nullable(),
      payment_id: z.string().nullable(),
      reference_id: z.string().nullable().describe("Of an unfinished refund, to repeat it with."),
      amount_paise: z.int().nullable().describe(
        "What is to be refunded, or was to be paid. Of an unfinished refund, what was asked for: null " +
          "for all that was left.",
      ),
      events_from: timestamp.nullable().describe("Since when events have to be sent again."),
    })).describe(`Oldest first, at most ${MAX_ATTENTION_ITEMS.toLocaleString("en-US")}.`),
  }),
  successMessage: "List retrieved successfully",
  errors: [],
} as const satisfies Operation;
