/**
 * The contract of `POST bot-reserve`.
 * @module
 */

import { z } from "zod";
import { BOT_IDENTITY_FIELDS, botIdentity, byBotIdentity } from "shared/contract/bot-identity.ts";
import {
  chargeFields,
  insufficientCreditsResponse,
  quantityOrCredits,
} from "shared/contract/charge.ts";
import { referenceId, remainingCredits, timestamp, wholeNumber } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { creditsReserved } from "shared/messages.ts";

export const botReserve = {
  name: "bot-reserve",
  method: "POST",
  caller: "bot",
  summary: "Reserve credits for a job that takes a while",
  description:
    "Reserved credits cannot be spent by anything else until `bot-capture` charges them, `bot-release` " +
    "returns them or the reservation expires. A repeated `reference_id` returns the first call's " +
    "figures, extends nothing and carries `idempotent-replayed: true`: the job is under way, or done if " +
    "`state` is `captured`. A reference whose reservation was released or has expired may be reserved " +
    "again.",
  input: quantityOrCredits(z.object({
    ...botIdentity,
    reference_id: referenceId,
    ...chargeFields,
    expires_in_seconds: wholeNumber(30, 3600).nullish()
      .describe("After how many seconds the credits return by themselves; 600 if left out."),
  })),
  anyOf: BOT_IDENTITY_FIELDS,
  examples: {
    ...byBotIdentity({ reference_id: "wamid.HBgMOTE5ODc2NTQzMjEz", action: "video_generation" }),
    byQuantity: {
      summary: "A quantity, for a quarter of an hour",
      input: {
        phone_number: "+919876543210",
        reference_id: "wamid.HBgMOTE5ODc2NTQzMjE0",
        action: "voice_message",
        quantity: 120,
        expires_in_seconds: 900,
      },
    },
    byCredits: {
      summary: "Credits, if the bot sets the price itself",
      input: {
        phone_number: "+919876543210",
        reference_id: "wamid.HBgMOTE5ODc2NTQzMjE1",
        credits: 5,
      },
    },
  },
  missingMessage: "Phone number and reference ID are required",
  data: z.object({
    remaining_credits: remainingCredits,
    reserved_credits: z.int().min(1).describe("What this call has reserved."),
    expires_at: timestamp.describe("When the credits return by themselves."),
    state: z.enum(["open", "captured"]).describe("What has become of the reservation by now."),
  }),
  successMessage: creditsReserved,
  exampleMessage: creditsReserved(5, 15),
  otherResponses: [insufficientCreditsResponse],
  errors: ["ACTION_NOT_FOUND", "REFERENCE_REUSED", "TOO_MANY_HOLDS", "ACCOUNT_FROZEN"],
} as const satisfies Operation;
