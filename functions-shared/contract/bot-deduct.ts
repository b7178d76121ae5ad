/**
 * The contract of `POST bot-deduct`.
 * @module
 */

import { z } from "zod";
import { BOT_IDENTITY_FIELDS, botIdentity, byBotIdentity } from "shared/contract/bot-identity.ts";
import { balance, referenceId, wholeNumber } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { imageGenerated, tooFewCredits } from "shared/messages.ts";

/** The largest number of credits that one call may spend. */
const MAX_CREDITS_PER_CALL = 1000;

export const botDeduct = {
  name: "bot-deduct",
  method: "POST",
  caller: "bot",
  summary: "Spend credits for an image",
  description:
    "A repeated `reference_id` (or `Idempotency-Key` header, if the body has none) returns the first " +
    "call's response, charges nothing and carries `idempotent-replayed: true`. A refused call " +
    "changes nothing, so its reference may succeed later.",
  input: z.object({
    ...botIdentity,
    reference_id: referenceId.nullish(),
    credits: wholeNumber(1, MAX_CREDITS_PER_CALL).nullish()
      .describe("How many credits the image costs; 1 if left out."),
  }),
  anyOf: BOT_IDENTITY_FIELDS,
  examples: {
    ...byBotIdentity({ reference_id: "wamid.HBgMOTE5ODc2NTQzMjEw" }),
    severalCredits: {
      summary: "An image that costs more than one credit",
      input: {
        phone_number: "+919876543210",
        reference_id: "wamid.HBgMOTE5ODc2NTQzMjEx",
        credits: 5,
      },
    },
    withoutReference: {
      summary: "Without a reference, and so not safe to retry",
      input: { phone_number: "+919876543210" },
    },
  },
  missingMessage: "Phone number is required",
  data: z.object({ remaining_credits: balance }),
  successMessage: imageGenerated,
  exampleMessage: imageGenerated(1),
  otherResponses: [{
    httpStatus: 200,
    status: "INSUFFICIENT_CREDITS",
    exampleMessage: tooFewCredits(0, 1),
    data: z.object({ remaining_credits: balance }),
  }],
  errors: ["REFERENCE_REUSED"],
} as const satisfies Operation;
