/**
 * The contract of `GET bot-credits/:phone_number`.
 * @module
 */

import { z } from "zod";
import { balance, whatsappUserId } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { phoneNumber } from "shared/contract/phone-number.ts";

export const botCredits = {
  name: "bot-credits",
  method: "GET",
  caller: "bot",
  summary: "Tell a user's balance",
  description: "An unknown phone number becomes a user with 3 free credits.",
  pathField: "phone_number",
  input: z.object({
    phone_number: phoneNumber("whatsapp").nullish(),
    whatsapp_user_id: whatsappUserId.nullish(),
  }),
  oneOf: ["phone_number", "whatsapp_user_id"],
  missing: "Phone number is required",
  data: z.object({ remaining_credits: balance, user_exists: z.literal(true) }),
  message: "You have 2 credits remaining.",
  errors: [],
} as const satisfies Operation;
