/**
 * The contract of `GET list-actions-taken`.
 * @module
 */

import { z } from "zod";
import { text, wholeNumberText } from "shared/contract/fields.ts";
import {
  actionTaken,
  cursor,
  EXAMPLE_USER_ID,
  nextCursor,
  userId,
} from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

/** The number of actions on a page for which the request names no limit. */
export const DEFAULT_PAGE_SIZE = 50;

export const listActionsTaken = {
  name: "list-actions-taken",
  method: "GET",
  caller: "operator",
  operatorRole: "support",
  summary: "List what operators did, newest first",
  description:
    "Who did what, to whom and why, with the state before and after. Pass `next_cursor` as `cursor` to " +
    "get the next page.",
  input: z.object({
    user_id: userId.optional().describe(
      "Only what was done to this customer, on merged accounts and orders too.",
    ),
    operator: text(200).optional().describe("Only what this operator did; the whole name."),
    limit: wholeNumberText(1, 200).optional().describe(
      `Actions per page; ${DEFAULT_PAGE_SIZE} if left out.`,
    ),
    cursor,
  }),
  examples: {
    everything: { summary: "The newest actions of everybody", input: {} },
    onOne: { summary: "What was done to a customer", input: { user_id: EXAMPLE_USER_ID } },
    byOne: {
      summary: "What an operator did, the second page",
      input: { operator: "Asha", limit: 50, cursor: 4_711 },
    },
  },
  missingMessage: "",
  data: z.object({ actions: z.array(actionTaken), next_cursor: nextCursor }),
  successMessage: "Actions retrieved successfully",
  errors: ["USER_NOT_FOUND"],
} as const satisfies Operation;
