/**
 * Fields that several contracts share.
 * @module
 */

import { z } from "zod";

/** The largest `integer` of PostgreSQL. */
export const MAX_INTEGER = 2_147_483_647;

/** Text that the database can store: any but NUL and unpaired surrogates. */
export const text = (maxLength: number) =>
  z.string("must be a string")
    .max(maxLength, `must be at most ${maxLength} characters long`)
    .regex(/^[^\0\p{Cs}]*$/u, "must not contain NUL or unpaired surrogates");

/** What makes a call safe to retry. */
export const referenceId = z.string("must be a string")
  .min(1, "must not be empty")
  .max(255, "must be at most 255 characters long")
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, "must not contain control characters")
  .meta({
    description: "Makes the call safe to retry: the id of the WhatsApp message or job it is for.",
    examples: ["wamid.HBgMOTE5ODc2NTQzMjEw"],
  });

/** A business-scoped user id, which WhatsApp may send in place of a phone number. */
export const whatsappUserId = z.string("must be a string")
  .regex(/^[A-Z]{2}\.[A-Za-z0-9.]{1,128}$/, "must be a WhatsApp user id, such as IN.1A2B3C")
  .meta({
    description: "A WhatsApp user id, for a user whose number WhatsApp does not share.",
    examples: ["IN.1A2B3C"],
  });

/** An id that Razorpay assigned. */
export const razorpayId = (prefix: "order" | "pay") =>
  z.string("must be a string")
    .regex(
      new RegExp(`^${prefix}_[A-Za-z0-9]{14}$`),
      `must be a Razorpay id that starts with ${prefix}_`,
    )
    .meta({ examples: [`${prefix}_RB58MiP5SPFYyM`] });

/** A whole number from `min` to `max`. */
export const wholeNumber = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return z.int(message).min(min, message).max(max, message);
};

/** A whole number that arrives as text, in a query string. */
export const wholeNumberText = (min: number, max: number) =>
  z.string()
    .regex(/^[0-9]{1,10}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(wholeNumber(min, max))
    .meta({ type: "integer", pattern: undefined, minimum: min, maximum: max });

/** What a user can spend. */
export const remainingCredits = z.int().min(0)
  .describe("Credits that can be spent: the balance, less what is reserved or owed.");

/** Whether a user is running out of credits. */
export const lowBalance = z.literal(true).optional().describe(
  "Only if the balance is at the threshold or below, so that the bot can say so.",
);

/** What a user has reserved in all. */
export const reservedCredits = z.int().min(0).describe(
  "Credits that are reserved for jobs under way.",
);

/** Whether an operator keeps the account from spending. */
export const frozen = z.literal(true).optional()
  .describe("Present if the account is frozen: it spends nothing until an operator unfreezes it.");

/** ISO 8601 with an offset. */
export const timestamp = z.iso.datetime({ offset: true });
