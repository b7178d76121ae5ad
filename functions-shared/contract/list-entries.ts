/**
 * The contract of `GET list-entries`.
 * @module
 */

import { z } from "zod";
import { wholeNumberText } from "shared/contract/fields.ts";
import { cursor, entryInFull, EXAMPLE_USER_ID, nextCursor } from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

/** The number of entries on a page for which the request names no limit. */
export const DEFAULT_PAGE_SIZE = 100;

export const listEntries = {
  name: "list-entries",
  method: "GET",
  caller: "operator",
  operatorRole: "support",
  summary: "List an account's entries, newest first",
  description: "Pass `next_cursor` as `cursor` to get the next page.",
  input: z.object({
    user_id: z.uuid("must be a UUID").describe(
      "If the account was merged into another one, its own history until then.",
    ),
    limit: wholeNumberText(1, 500).optional().describe(
      `Entries per page; ${DEFAULT_PAGE_SIZE} if left out.`,
    ),
    cursor,
  }),
  examples: {
    firstPage: {
      summary: "The newest entries",
      input: { user_id: EXAMPLE_USER_ID, limit: 500 },
    },
    nextPage: {
      summary: "The entries after those",
      input: { user_id: EXAMPLE_USER_ID, limit: 500, cursor: 9_501 },
    },
  },
  missingMessage: "User ID is required",
  data: z.object({
    user_id: z.uuid(),
    entries: z.array(entryInFull),
    total: z.int().min(0).describe("All entries of the account."),
    next_cursor: nextCursor,
  }),
  successMessage: "Entries retrieved successfully",
  errors: ["USER_NOT_FOUND"],
} as const satisfies Operation;
