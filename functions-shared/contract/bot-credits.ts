/**
 * The contract of `GET bot-credits/:phone_number`.
 * @module
 */

import { z } from "zod";
import { BOT_IDENTITY_FIELDS, botIdentity, byBotIdentity } from "shared/contract/bot-identity.ts";
import { balance } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { creditsRemaining } from "shared/messages.ts";

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
  data: z.object({ remaining_credits: balance, user_exists: z.literal(true) }),
  successMessage: creditsRemaining,
  exampleMessage: creditsRemaining(2),
  errors: [],
} as const satisfies Operation;
