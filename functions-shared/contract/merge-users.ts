/**
 * The contract of `POST merge-users`.
 * @module
 */

import { z } from "zod";
import {
  ACTION_FIELDS_REQUIRED,
  actionFields,
  EXAMPLE_USER_ID,
  exampleAction,
  RECORDED,
} from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

export const mergeUsers = {
  name: "merge-users",
  method: "POST",
  caller: "operator",
  operatorRole: "owner",
  summary: "Merge two accounts of one person",
  description:
    "The balance, the debt, the orders, the reservations and the numbers move to the second account; " +
    "each history stays where it is. It cannot be undone. Never merge an account whose number the person " +
    "no longer has: whoever gets that number gets the merged account. Give the credits to the new account " +
    `with \`adjust-credits\`, then \`erase-user\` the old one. ${RECORDED}`,
  input: z.object({
    from_user_id: z.uuid("must be a UUID").describe("The account that is given up."),
    into_user_id: z.uuid("must be a UUID").describe("The account that stays."),
    ...actionFields,
  }),
  examples: {
    always: {
      summary: "Two numbers of one person",
      input: {
        from_user_id: "0b6d3c0e-8a52-4f29-9d3c-6c4f0a1b2c3d",
        into_user_id: EXAMPLE_USER_ID,
        ...exampleAction,
        reason: "Two numbers of hers",
      },
    },
  },
  missingMessage: `Both user IDs, ${ACTION_FIELDS_REQUIRED}`,
  data: z.object({
    outcome: z.enum(["merged", "replayed"]).describe(
      "`replayed`: they had been merged before, and whatever was left behind has moved now.",
    ),
  }),
  successMessage: "Accounts merged",
  errors: ["USER_NOT_FOUND", "MERGED_BEFORE", "REFERENCE_REUSED"],
} as const satisfies Operation;
