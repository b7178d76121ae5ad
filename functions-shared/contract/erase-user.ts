/**
 * The contract of `POST erase-user`.
 * @module
 */

import { z } from "zod";
import { timestamp } from "shared/contract/fields.ts";
import {
  ACTION_FIELDS_REQUIRED,
  actionFields,
  EXAMPLE_USER_ID,
  exampleAction,
  userId,
} from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

export const eraseUser = {
  name: "erase-user",
  method: "POST",
  caller: "operator",
  operatorRole: "owner",
  summary: "Erase a person",
  description:
    "Removes everything that says whose account this was: numbers, WhatsApp user ids, the bot's " +
    "references, what operators wrote, and the user of Supabase Auth, in the account and in all that " +
    "were merged into it. The books stay, under the account's random id. It cannot be undone. Orders " +
    "that nobody tried to pay are closed; money that comes for them later buys nothing and is shown to " +
    "operators. A repeated call returns what the first one did. Neither `reason` nor `reference_id` is " +
    "kept, because both may name the person.",
  input: z.object({ user_id: userId, ...actionFields }),
  examples: {
    always: {
      summary: "One person",
      input: { user_id: EXAMPLE_USER_ID, ...exampleAction, reason: "Asked for it in the chat" },
    },
  },
  missingMessage: `User ID, ${ACTION_FIELDS_REQUIRED}`,
  data: z.object({
    user_id: z.uuid().describe("The account, which is another one if it had been merged."),
    erased_at: timestamp,
    auth: z.enum(["none", "deleted", "left"]).describe(
      "What became of the user of Supabase Auth with this number. `left`: it could not be deleted from " +
        "here, or not all of what Auth has logged, or another user has the number as a second factor; an " +
        "operator has to see to it.",
    ),
  }),
  successMessage: "User erased",
  errors: ["USER_NOT_FOUND", "USER_IN_USE"],
} as const satisfies Operation;
