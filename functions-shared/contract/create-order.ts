/**
 * The contract of `POST create-order`.
 * @module
 */

import { z } from "zod";
import type { Operation } from "shared/contract/operation.ts";
import { packageId, packageSummary } from "shared/contract/package.ts";
import { phoneNumber } from "shared/contract/phone-number.ts";

export const createOrder = {
  name: "create-order",
  method: "POST",
  caller: "anyone",
  summary: "Order a package of credits",
  description:
    "Returns what Razorpay Checkout needs. Amount and credits are fixed here. A repeated purchase that " +
    "is still unpaid gets the same order. A number without an account gets one when the order is paid. " +
    "`PROOF_REQUIRED` means that too many orders without a proof of the number are arriving; an order " +
    "with a proof is still accepted.",
  input: z.object({ package_id: packageId, phone_number: phoneNumber("page") }),
  examples: {
    starter: {
      summary: "The package `starter`",
      input: { package_id: "starter", phone_number: "+919876543210" },
    },
  },
  missingMessage: "Package ID and phone number are required",
  data: z.object({
    order_id: z.string(),
    amount: z.int().min(100).describe("In paise."),
    currency: z.literal("INR"),
    key_id: z.string(),
    package: packageSummary,
  }),
  successMessage: "Order created successfully",
  errors: ["PROOF_REQUIRED", "PACKAGE_NOT_FOUND", "GATEWAY_ERROR", "GATEWAY_UNAVAILABLE"],
} as const satisfies Operation;
