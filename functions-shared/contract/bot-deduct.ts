/**
 * The contract of `POST bot-deduct`.
 * @module
 */

import { z } from "zod";
import { BOT_IDENTITY_FIELDS, botIdentity, byBotIdentity } from "shared/contract/bot-identity.ts";
import {
  chargeFields,
  insufficientCreditsResponse,
  quantityOrCredits,
} from "shared/contract/charge.ts";
import { lowBalance, referenceId, remainingCredits } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { done } from "shared/messages.ts";

export const botDeduct = {
  name: "bot-deduct",
  method: "POST",
  caller: "bot",
  summary: "Spend credits for an image, or for another action",
  description:
    "A repeated `reference_id` returns the first call's response, charges nothing and carries " +
    "`idempotent-replayed: true`. A refused call changes nothing, so its reference may succeed later.",
  input: quantityOrCredits(z.object({
    ...botIdentity,
    reference_id: referenceId.nullish(),
    ...chargeFields,
  })),
  anyOf: BOT_IDENTITY_FIELDS,
  examples: {
    ...byBotIdentity({ reference_id: "wamid.HBgMOTE5ODc2NTQzMjEw" }),
    byQuantity: {
      summary: "Another action, by quantity: 95 seconds of voice",
      input: {
        phone_number: "+919876543210",
        reference_id: "wamid.HBgMOTE5ODc2NTQzMjEy",
        action: "voice_message",
        quantity: 95,
      },
    },
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
  data: z.object({ remaining_credits: remainingCredits, low_balance: lowBalance }),
  successMessage: done,
  exampleMessage: done("Image generated successfully.", 1),
  otherResponses: [insufficientCreditsResponse],
  errors: ["ACTION_NOT_FOUND", "REFERENCE_REUSED", "REFERENCE_HELD", "ACCOUNT_FROZEN"],
} as const satisfies Operation;
