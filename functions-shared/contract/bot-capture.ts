/**
 * The contract of `POST bot-capture`.
 * @module
 */

import { z } from "zod";
import { BOT_IDENTITY_FIELDS, botIdentity, byBotIdentity } from "shared/contract/bot-identity.ts";
import { captureFields, quantityOrCredits } from "shared/contract/charge.ts";
import { lowBalance, referenceId, remainingCredits } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { done } from "shared/messages.ts";

export const botCapture = {
  name: "bot-capture",
  method: "POST",
  caller: "bot",
  summary: "Charge what was reserved, or a part of it",
  description:
    "The rest of the reservation returns to the user. The amount has the unit of the reservation; a " +
    "quantity has the price that it had then. Without an amount, all that was reserved is charged. After " +
    "the expiry, the credits are charged if they still suffice. A repeated call returns the first " +
    "call's response, charges nothing and carries `idempotent-replayed: true`.",
  input: quantityOrCredits(z.object({
    ...botIdentity,
    reference_id: referenceId.describe("The reference of the reservation."),
    ...captureFields,
  })),
  anyOf: BOT_IDENTITY_FIELDS,
  examples: {
    ...byBotIdentity({ reference_id: "wamid.HBgMOTE5ODc2NTQzMjEz" }),
    aPartOfTheCredits: {
      summary: "Less than was reserved, in credits",
      input: {
        phone_number: "+919876543210",
        reference_id: "wamid.HBgMOTE5ODc2NTQzMjE1",
        credits: 3,
      },
    },
    aPart: {
      summary: "Less than was reserved, by quantity",
      input: {
        phone_number: "+919876543210",
        reference_id: "wamid.HBgMOTE5ODc2NTQzMjE0",
        quantity: 45,
      },
    },
  },
  missingMessage: "Phone number and reference ID are required",
  data: z.object({
    remaining_credits: remainingCredits,
    captured_credits: z.int().min(0).describe("What was charged."),
    late: z.literal(true).optional().describe(
      "Only if credits were charged after the reservation had expired.",
    ),
    low_balance: lowBalance,
  }),
  successMessage: done,
  exampleMessage: done("Video generated successfully.", 15),
  errors: [
    "HOLD_NOT_FOUND",
    "REFERENCE_REUSED",
    "CAPTURE_EXCEEDS_HOLD",
    "HOLD_RELEASED",
    "HOLD_EXPIRED",
    "ACCOUNT_FROZEN",
  ],
} as const satisfies Operation;
