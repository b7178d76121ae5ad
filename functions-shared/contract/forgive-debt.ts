/**
 * The contract of `POST forgive-debt`.
 * @module
 */

import { z } from "zod";
import { MAX_INTEGER, wholeNumber } from "shared/contract/fields.ts";
import {
  ACTION_FIELDS_REQUIRED,
  actionFields,
  EXAMPLE_USER_ID,
  exampleAction,
  RECORDED,
  userId,
} from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

export const forgiveDebt = {
  name: "forgive-debt",
  method: "POST",
  caller: "operator",
  operatorRole: "owner",
  summary: "Forgive what a user owes",
  description: "A debt is no part of the balance, so the history shows nothing of it. " + RECORDED,
  input: z.object({
    user_id: userId,
    credits: wholeNumber(1, MAX_INTEGER).nullish()
      .describe("The most that is forgiven, oldest debt first; all of it if left out."),
    ...actionFields,
  }),
  examples: {
    all: { summary: "All of it", input: { user_id: EXAMPLE_USER_ID, ...exampleAction } },
    part: {
      summary: "A part of it",
      input: { user_id: EXAMPLE_USER_ID, credits: 5, ...exampleAction },
    },
  },
  missingMessage: `User ID, ${ACTION_FIELDS_REQUIRED}`,
  data: z.object({ user_id: z.uuid(), debt_credits: z.int().min(0).describe("What is left.") }),
  successMessage: (changed: boolean) => changed ? "Debt forgiven" : "There was no debt to forgive",
  exampleMessage: "Debt forgiven",
  errors: ["USER_NOT_FOUND", "REFERENCE_REUSED"],
} as const satisfies Operation;
