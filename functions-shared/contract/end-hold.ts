/**
 * The contract of `POST end-hold`.
 * @module
 */

import { z } from "zod";
import { referenceId } from "shared/contract/fields.ts";
import {
  ACTION_FIELDS_REQUIRED,
  actionFields,
  EXAMPLE_USER_ID,
  exampleAction,
  RECORDED,
  userId,
} from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

export const endHold = {
  name: "end-hold",
  method: "POST",
  caller: "operator",
  operatorRole: "support",
  summary: "Return reserved credits whose bot does not",
  description: "As `bot-release`, for a job that will not end by itself. " + RECORDED,
  input: z.object({
    user_id: userId,
    hold_reference_id: referenceId.meta({
      description: "The reference under which the credits are reserved.",
      examples: ["wamid.HBgMOTE5ODc2NTQzMjEw"],
    }),
    ...actionFields,
  }),
  examples: {
    always: {
      summary: "One reservation",
      input: {
        user_id: EXAMPLE_USER_ID,
        hold_reference_id: "wamid.HBgMOTE5ODc2NTQzMjEw",
        ...exampleAction,
      },
    },
  },
  missingMessage: `User ID, hold reference ID, ${ACTION_FIELDS_REQUIRED}`,
  data: z.object({ released_credits: z.int().min(1) }),
  successMessage: "Reservation ended",
  errors: ["USER_NOT_FOUND", "HOLD_NOT_FOUND", "HOLD_CAPTURED", "REFERENCE_REUSED"],
} as const satisfies Operation;
