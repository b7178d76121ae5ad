/**
 * The contract of `POST verify-payment`.
 * @module
 */

import { z } from "zod";
import { razorpayId, remainingCredits } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";
import { packageId } from "shared/contract/package.ts";
import { phoneNumber } from "shared/contract/phone-number.ts";
import { PAYMENT_NOT_CONFIRMED } from "shared/messages.ts";

export const verifyPayment = {
  name: "verify-payment",
  method: "POST",
  caller: "anyone",
  summary: "Turn a payment into credits",
  description:
    "Takes what Razorpay Checkout returns to the page. Safe to call any number of times: the credits " +
    "are added once, and every call gets the same response.",
  input: z.object({
    razorpay_order_id: razorpayId("order"),
    razorpay_payment_id: razorpayId("pay"),
    razorpay_signature: z.string("must be a string"),
    phone_number: phoneNumber("page"),
    package_id: packageId,
  }),
  examples: {
    fromCheckout: {
      summary: "The three fields that Checkout hands to the page, and who bought what",
      input: {
        razorpay_order_id: "order_kUxdarPvS4iiKE",
        razorpay_payment_id: "pay_mglRcPJRkZ0oOG",
        razorpay_signature: "0".repeat(64),
        phone_number: "+919876543210",
        package_id: "starter",
      },
    },
  },
  missingMessage: "All payment verification fields are required",
  data: z.object({
    payment_id: z.string(),
    order_id: z.string(),
    credits_added: z.int().min(1),
    remaining_credits: remainingCredits.optional()
      .describe("Left out if the payer has not proven that the account is theirs."),
  }),
  successMessage: "Payment verified and credits added successfully",
  otherResponses: [{
    httpStatus: 202,
    status: "PENDING",
    exampleMessage: PAYMENT_NOT_CONFIRMED,
  }],
  errors: ["INVALID_SIGNATURE", "ORDER_NOT_FOUND", "ORDER_MISMATCH"],
} as const satisfies Operation;
