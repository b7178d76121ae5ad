/**
 * The contract of `POST bot-link`.
 * @module
 */

import { z } from "zod";
import { timestamp, whatsappUserId } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { phoneNumber } from "shared/contract/phone-number.ts";

export const botLink = {
  name: "bot-link",
  method: "POST",
  caller: "bot",
  summary: "Make a link to the user's own page, for the chat",
  description:
    "The link carries a token for half an hour, which the page presents as `x-access-token`. Who has " +
    "the link can read the account, so it belongs into the user's own chat and nowhere else.",
  input: z.object({
    phone_number: phoneNumber("whatsapp").nullish(),
    whatsapp_user_id: whatsappUserId.nullish(),
  }),
  oneOf: ["phone_number", "whatsapp_user_id"],
  missing: "Phone number is required",
  data: z.object({ url: z.url(), token: z.string(), expires_at: timestamp }),
  message: "Link created successfully",
  errors: [],
} as const satisfies Operation;
