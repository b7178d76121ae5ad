/**
 * The contract of `POST bot-deduct`.
 * @module
 */

import { z } from "zod";
import { balance, referenceId, whatsappUserId, wholeNumber } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { phoneNumber } from "shared/contract/phone-number.ts";

/** The largest number of credits that one call may spend. */
const MAX_CREDITS_PER_CALL = 1000;

export const botDeduct = {
  name: "bot-deduct",
  method: "POST",
  caller: "bot",
  summary: "Spend credits for an image",
  description:
    "A repeated `reference_id` (or `Idempotency-Key` header, where the body has none) is answered " +
    "as the first call was, charges nothing and carries `idempotent-replayed: true`. A refused " +
    "call leaves nothing behind, so its reference may succeed later.",
  input: z.object({
    phone_number: phoneNumber("whatsapp").nullish(),
    whatsapp_user_id: whatsappUserId.nullish(),
    reference_id: referenceId.nullish(),
    credits: wholeNumber(1, MAX_CREDITS_PER_CALL).nullish()
      .describe("How many credits the image costs; 1 when it is left out."),
  }),
  oneOf: ["phone_number", "whatsapp_user_id"],
  missing: "Phone number is required",
  data: z.object({ remaining_credits: balance }),
  message: "Image generated successfully. You have 1 credit remaining.",
  otherAnswers: [{
    httpStatus: 200,
    status: "INSUFFICIENT_CREDITS",
    message: "You have no credits left. Please purchase a plan to continue.",
    data: z.object({ remaining_credits: balance }),
  }],
  errors: ["REFERENCE_REUSED"],
} as const satisfies Operation;
