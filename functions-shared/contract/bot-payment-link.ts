/**
 * The contract of `POST bot-payment-link`.
 * @module
 */

import { z } from "zod";
import { BOT_IDENTITY_FIELDS, botIdentity, byBotIdentity } from "shared/contract/bot-identity.ts";
import { referenceId, timestamp } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { packageId, packageSummary } from "shared/contract/package.ts";

export const botPaymentLink = {
  name: "bot-payment-link",
  method: "POST",
  caller: "bot",
  summary: "Create a payment link for the chat",
  description:
    "A link that is still open for the same user and package is returned again, and so is the link " +
    "of a repeated `reference_id`. The credits arrive when the link is paid, without another call.",
  input: z.object({
    ...botIdentity,
    package_id: packageId,
    reference_id: referenceId.nullish(),
  }),
  anyOf: BOT_IDENTITY_FIELDS,
  examples: byBotIdentity({ package_id: "starter", reference_id: "wamid.HBgMOTE5ODc2NTQzMjEw" }),
  missingMessage: "Package ID and phone number are required",
  data: z.object({
    short_url: z.url(),
    amount: z.int().min(100).describe("In paise."),
    currency: z.literal("INR"),
    package: packageSummary,
    expires_at: timestamp,
  }),
  successMessage: "Payment link created successfully",
  errors: ["PACKAGE_NOT_FOUND", "REFERENCE_REUSED", "GATEWAY_ERROR", "GATEWAY_UNAVAILABLE"],
} as const satisfies Operation;
