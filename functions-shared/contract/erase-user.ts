/**
 * The contract of `POST erase-user`.
 * @module
 */

import { z } from "zod";
import { referenceId, text, timestamp } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";

export const eraseUser = {
  name: "erase-user",
  method: "POST",
  caller: "operator",
  summary: "Erase a person",
  description:
    "Removes everything that says whose account this was: numbers, WhatsApp user ids, the bot's " +
    "references, what operators wrote, and the user of Supabase Auth, in the account and in all that " +
    "were merged into it. The books stay, under the account's random id. It cannot be undone. Orders " +
    "that nobody tried to pay are closed; money that comes for them later buys nothing and is shown to " +
    "operators. A repeated call returns what the first one did. Neither `reason` nor `reference_id` is " +
    "kept, because both may name the person.",
  input: z.object({
    user_id: z.uuid("must be a user id"),
    operator: text(200).regex(/\S/, "must be a name"),
    reason: text(2000).regex(/\S/, "must say why"),
    reference_id: referenceId,
  }),
  examples: {
    always: {
      summary: "The only request",
      input: {
        user_id: "6fd6d3b1-3b0e-4b0e-9d0b-0d9f5a5f9a10",
        operator: "Asha",
        reason: "Asked for it in the chat",
        reference_id: "ticket-4711",
      },
    },
  },
  missingMessage: "user_id, operator, reason and reference_id are required",
  data: z.object({
    user_id: z.uuid().describe("The account, which is another one if it had been merged."),
    erased_at: timestamp,
    auth: z.enum(["none", "deleted", "left"]).describe(
      "What became of the user of Supabase Auth with this number. `left`: it could not be deleted from " +
        "here, or not all of what Auth has logged; an operator has to do it.",
    ),
  }),
  successMessage: "User erased",
  errors: ["USER_NOT_FOUND", "USER_IN_USE"],
} as const satisfies Operation;
