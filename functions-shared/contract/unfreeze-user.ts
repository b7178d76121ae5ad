/**
 * The contract of `POST unfreeze-user`.
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

export const unfreezeUser = {
  name: "unfreeze-user",
  method: "POST",
  caller: "operator",
  operatorRole: "owner",
  summary: "Let a frozen account spend again",
  description: RECORDED,
  input: z.object({ user_id: userId, ...actionFields }),
  examples: {
    always: {
      summary: "One account",
      input: { user_id: EXAMPLE_USER_ID, ...exampleAction },
    },
  },
  missingMessage: `User ID, ${ACTION_FIELDS_REQUIRED}`,
  data: z.object({ user_id: z.uuid(), frozen: z.boolean() }),
  successMessage: (changed: boolean) => changed ? "Account unfrozen" : "The account was not frozen",
  exampleMessage: "Account unfrozen",
  errors: ["USER_NOT_FOUND", "REFERENCE_REUSED"],
} as const satisfies Operation;
