/**
 * The contract of `POST refund-payment`.
 * @module
 */

import { z } from "zod";
import { MAX_INTEGER, razorpayId, wholeNumber } from "shared/contract/fields.ts";
import {
  ACTION_FIELDS_REQUIRED,
  actionFields,
  exampleAction,
  RECORDED,
} from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";
import { REFUND_NOT_CONFIRMED } from "shared/messages.ts";

export const refundPayment = {
  name: "refund-payment",
  method: "POST",
  caller: "operator",
  operatorRole: "owner",
  summary: "Return the money of a payment, or a part of it",
  description:
    "Asks Razorpay for a refund. The credits follow as with any refund, once Razorpay has processed " +
    "it. `PENDING` means that Razorpay's answer was lost: repeat the same call, which finds the refund " +
    `or asks again, and never refunds twice. ${RECORDED}`,
  input: z.object({
    payment_id: razorpayId("pay"),
    amount_paise: wholeNumber(100, MAX_INTEGER).nullish()
      .describe("All that is left of the payment if left out."),
    ...actionFields,
  }),
  examples: {
    all: {
      summary: "All of it",
      input: { payment_id: "pay_RB58MiP5SPFYyM", ...exampleAction },
    },
    part: {
      summary: "200 rupees of it",
      input: { payment_id: "pay_RB58MiP5SPFYyM", amount_paise: 20_000, ...exampleAction },
    },
  },
  missingMessage: `Payment ID, ${ACTION_FIELDS_REQUIRED}`,
  data: z.object({
    refund_id: z.string(),
    status: z.enum(["pending", "processed", "failed"]).describe(
      "As Razorpay reported it then. `pending` takes up to a few days.",
    ),
    amount_paise: z.int().min(0),
  }),
  successMessage: "Razorpay made the refund",
  otherResponses: [{
    httpStatus: 202,
    status: "PENDING",
    exampleMessage: REFUND_NOT_CONFIRMED,
  }],
  errors: [
    "PAYMENT_NOT_FOUND",
    "PAYMENT_NOT_CAPTURED",
    "REFUND_EXCEEDS_PAYMENT",
    "REFUND_REFUSED",
    "REFERENCE_REUSED",
    "GATEWAY_ERROR",
  ],
} as const satisfies Operation;
