/**
 * Fields that several contracts share.
 * @module
 */

import { z } from "zod";

/** Text that the database can keep, which is any but a NUL and halves of characters. */
export const text = (most: number) =>
  z.string("must be a string")
    .max(most, `must be at most ${most} characters long`)
    .regex(/^[^\0\p{Cs}]*$/u, "must not contain a NUL or half a character");

/** What makes a call safe to retry. */
export const referenceId = z.string("must be a string")
  .min(1, "must not be empty")
  .max(255, "must be at most 255 characters long")
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, "must not contain control characters")
  .meta({
    description: "Makes the call safe to retry: the WhatsApp message id or job id it is made for.",
    examples: ["wamid.HBgMOTE5ODc2NTQzMjEw"],
  });

/** A business-scoped user id, which WhatsApp may send in place of a phone number. */
export const whatsappUserId = z.string("must be a string")
  .regex(/^[A-Z]{2}\.[A-Za-z0-9.]{1,128}$/, "must be a WhatsApp user id, such as IN.1A2B3C")
  .meta({
    description: "A WhatsApp user id, for a user whose number WhatsApp does not tell.",
    examples: ["IN.1A2B3C"],
  });

/** The id of a package. */
export const packageId = z.string("must be a string")
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, "must be the id of a package, such as starter")
  .meta({ examples: ["starter"] });

/** An id that Razorpay made. */
export const razorpayId = (prefix: "order" | "pay") =>
  z.string("must be a string")
    .regex(
      new RegExp(`^${prefix}_[A-Za-z0-9]{14}$`),
      `must be a Razorpay id that starts with ${prefix}_`,
    )
    .meta({ examples: [`${prefix}_RB58MiP5SPFYyM`] });

/** A whole number within bounds. */
export const wholeNumber = (least: number, most: number) =>
  z.int(`must be a whole number from ${least} to ${most}`)
    .min(least, `must be a whole number from ${least} to ${most}`)
    .max(most, `must be a whole number from ${least} to ${most}`);

/** A whole number that arrives as text, in a query string. */
export const wholeNumberText = (least: number, most: number) =>
  z.string()
    .regex(/^[0-9]{1,10}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .pipe(wholeNumber(least, most))
    .meta({ type: "integer", pattern: undefined, minimum: least, maximum: most });

/** A balance. */
export const balance = z.int().min(0).describe("Credits that are left.");
/** ISO 8601 with an offset. */
export const timestamp = z.iso.datetime({ offset: true });

/** A package, as a buyer is told of it. */
export const boughtPackage = z.object({
  id: z.string(),
  name: z.string(),
  credits: z.int().min(1),
  price: z.number().min(1).describe("In rupees."),
});
