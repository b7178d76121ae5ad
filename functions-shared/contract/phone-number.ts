/**
 * The field `phone_number`.
 * @module
 */

import { z } from "zod";
import { type PhoneNumberSource, toE164 } from "shared/phone-number.ts";

/** A phone number in any common spelling; parsed, it is E.164. */
export const phoneNumber = (source: PhoneNumberSource) =>
  z.string("must be a string").transform((text, context) => {
    const number = toE164(text, source);
    if (number === undefined) {
      context.addIssue({
        code: "custom",
        message: "must be a valid phone number, such as +919876543210",
      });
      return z.NEVER;
    }
    return number;
  }).meta({
    description: source === "whatsapp"
      ? "A phone number or WhatsApp id; bare digits are read as country code and number first."
      : "A phone number; bare digits are read as a national number first.",
    examples: ["+919876543210"],
  });
