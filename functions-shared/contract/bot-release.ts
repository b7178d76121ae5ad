/**
 * The contract of `POST bot-release`.
 * @module
 */

import { z } from "zod";
import { BOT_IDENTITY_FIELDS, botIdentity, byBotIdentity } from "shared/contract/bot-identity.ts";
import { referenceId, remainingCredits } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { creditsReturned } from "shared/messages.ts";

export const botRelease = {
  name: "bot-release",
  method: "POST",
  caller: "bot",
  summary: "Return what was reserved",
  description:
    "For a job that failed. A repeated call, and one after the expiry, returns the figures of the moment " +
    "when the credits returned, and carries `idempotent-replayed: true`.",
  input: z.object({
    ...botIdentity,
    reference_id: referenceId.describe("The reference of the reservation."),
  }),
  anyOf: BOT_IDENTITY_FIELDS,
  examples: byBotIdentity({ reference_id: "wamid.HBgMOTE5ODc2NTQzMjEz" }),
  missingMessage: "Phone number and reference ID are required",
  data: z.object({
    remaining_credits: remainingCredits,
    released_credits: z.int().min(1).describe("What was reserved, and has returned."),
  }),
  successMessage: creditsReturned,
  exampleMessage: creditsReturned(5, 20),
  errors: ["HOLD_NOT_FOUND", "HOLD_CAPTURED"],
} as const satisfies Operation;
