/**
 * The contract of `POST bot-payment-link`.
 * @module
 */

import { z } from "zod";
import {
  boughtPackage,
  packageId,
  referenceId,
  timestamp,
  whatsappUserId,
} from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { phoneNumber } from "shared/contract/phone-number.ts";

export const botPaymentLink = {
  name: "bot-payment-link",
  method: "POST",
  caller: "bot",
  summary: "Make a payment link for the chat",
  description:
    "A link that is still open for the same user and package is answered again, and so is the link " +
    "of a repeated `reference_id`. The credits arrive when the link is paid, without another call.",
  input: z.object({
    phone_number: phoneNumber("whatsapp").nullish(),
    whatsapp_user_id: whatsappUserId.nullish(),
    package_id: packageId,
    reference_id: referenceId.nullish(),
  }),
  oneOf: ["phone_number", "whatsapp_user_id"],
  missing: "Package ID and phone number are required",
  data: z.object({
    short_url: z.url(),
    amount: z.int().min(100).describe("In paise."),
    currency: z.literal("INR"),
    package: boughtPackage,
    expires_at: timestamp,
  }),
  message: "Payment link created successfully",
  errors: ["PACKAGE_NOT_FOUND", "REFERENCE_REUSED", "GATEWAY_ERROR", "GATEWAY_UNAVAILABLE"],
} as const satisfies Operation;
