/**
 * The contract of `GET bot-credits/:phone_number`.
 * @module
 */

import { z } from "zod";
import { BOT_IDENTITY_FIELDS, botIdentity, byBotIdentity } from "shared/contract/bot-identity.ts";
import { frozen, lowBalance, remainingCredits, reservedCredits } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { creditsOf } from "shared/messages.ts";

export const botCredits = {
  name: "bot-credits",
  method: "GET",
  caller: "bot",
  summary: "Get a user's balance",
  description: "An unknown phone number becomes a user with 3 free credits.",
  pathField: "phone_number",
  input: z.object(botIdentity),
  anyOf: BOT_IDENTITY_FIELDS,
  examples: byBotIdentity(),
  missingMessage: "Phone number is required",
  data: z.object({
    remaining_credits: remainingCredits,
    reserved_credits: reservedCredits,
    low_balance: lowBalance,
    user_exists: z.literal(true),
    frozen,
  }),
  successMessage: creditsOf,
  exampleMessage: creditsOf({ remaining: 2, reserved: 0 }),
  errors: [],
} as const satisfies Operation;
