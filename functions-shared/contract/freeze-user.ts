/**
 * The contract of `POST freeze-user`.
 * @module
 */

import { z } from "zod";
import {
  ACTION_FIELDS_REQUIRED,
  actionFields,
  EXAMPLE_USER_ID,
  exampleAction,
  RECORDED,
  userId,
} from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

export const freezeUser = {
  name: "freeze-user",
  method: "POST",
  caller: "operator",
  operatorRole: "owner",
  summary: "Keep an account from spending",
  description:
    "Deductions and reservations are refused with `ACCOUNT_FROZEN`. What is reserved may still be captured " +
    "in time, and payments and refunds go on. " + RECORDED,
  input: z.object({ user_id: userId, ...actionFields }),
  examples: {
    always: {
      summary: "One account",
      input: { user_id: EXAMPLE_USER_ID, ...exampleAction },
    },
  },
  missingMessage: `User ID, ${ACTION_FIELDS_REQUIRED}`,
  data: z.object({ user_id: z.uuid(), frozen: z.boolean() }),
  successMessage: (changed: boolean) =>
    changed ? "Account frozen" : "The account was frozen already",
  exampleMessage: "Account frozen",
  errors: ["USER_NOT_FOUND", "REFERENCE_REUSED"],
} as const satisfies Operation;
