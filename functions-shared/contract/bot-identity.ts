/**
 * How the bot names a user.
 * @module
 */

import { whatsappUserId } from "shared/contract/fields.ts";
import type { Example } from "shared/contract/operation.ts";
import { phoneNumber } from "shared/contract/phone-number.ts";

/** A phone number, a WhatsApp user id, or both for one person. */
export const botIdentity = {
  phone_number: phoneNumber("whatsapp").nullish(),
  whatsapp_user_id: whatsappUserId.nullish(),
};

/** Each way of naming a user, with the rest of a request. */
export const byBotIdentity = (rest: Example["input"] = {}) => ({
  byPhoneNumber: {
    summary: "By phone number",
    input: { phone_number: "+919876543210", ...rest },
  },
  byWhatsappUserId: {
    summary: "By WhatsApp user id, where WhatsApp does not share the number",
    input: { whatsapp_user_id: "IN.1A2B3C", ...rest },
  },
  byBoth: {
    summary: "By both, which ties them to one user",
    input: { phone_number: "+919876543210", whatsapp_user_id: "IN.1A2B3C", ...rest },
  },
});

/** The fields of {@linkcode botIdentity}, of which at least one is required. */
export const BOT_IDENTITY_FIELDS: readonly string[] = Object.keys(botIdentity);
