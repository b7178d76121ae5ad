/**
 * How the bot names a user.
 * @module
 */

import { whatsappUserId } from "shared/contract/fields.ts";
import { phoneNumber } from "shared/contract/phone-number.ts";

/** A phone number, a WhatsApp user id, or both for one person. */
export const botIdentity = {
  phone_number: phoneNumber("whatsapp").nullish(),
  whatsapp_user_id: whatsappUserId.nullish(),
};

/** The fields of {@linkcode botIdentity}, of which at least one is required. */
export const BOT_IDENTITY_FIELDS: readonly string[] = Object.keys(botIdentity);
