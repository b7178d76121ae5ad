/**
 * The contract of `POST payment-return`.
 * @module
 */

import { z } from "zod";
import { razorpayId } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";

export const paymentReturn = {
  name: "payment-return",
  method: "POST",
  caller: "browser",
  summary: "Bring a customer from Checkout back to the page",
  description:
    "The `callback_url` of Razorpay Checkout, to which it sends the browser where it cannot call the " +
    "page. Adds the credits as `verify-payment` does, once, and sends the browser to the page of " +
    "`FRONTEND_URL`, whatever goes wrong. `pending` means that the payment is not confirmed yet, or not " +
    "by this request. A GET, from a customer who reloads, leads to the page too, without a fragment.",
  bodyType: "application/x-www-form-urlencoded",
  input: z.object({
    razorpay_order_id: razorpayId("order").optional(),
    razorpay_payment_id: razorpayId("pay").optional(),
    razorpay_signature: z.string().optional(),
    "error[code]": z.string().optional().describe("Present if the payment failed."),
    "error[metadata]": z.string().optional().describe("JSON with the `order_id`."),
    "error[metadata][order_id]": z.string().optional(),
  }),
  examples: {
    paid: {
      summary: "A payment",
      input: {
        razorpay_order_id: "order_kUxdarPvS4iiKE",
        razorpay_payment_id: "pay_mglRcPJRkZ0oOG",
        razorpay_signature: "0".repeat(64),
      },
    },
    failed: {
      summary: "A payment that failed",
      input: {
        "error[code]": "BAD_REQUEST_ERROR",
        "error[metadata]": '{"payment_id":"pay_mglRcPJRkZ0oOG","order_id":"order_kUxdarPvS4iiKE"}',
      },
    },
    failedInFields: {
      summary: "The same, with the order in a field of its own",
      input: {
        "error[code]": "BAD_REQUEST_ERROR",
        "error[metadata][order_id]": "order_kUxdarPvS4iiKE",
      },
    },
  },
  missingMessage: "The form is empty",
  data: z.object({
    payment: z.enum(["paid", "pending", "failed"]).optional()
      .describe("`paid`, `pending` or `failed`"),
    order: razorpayId("order").optional().describe("Razorpay's id, if the form names one"),
  }),
  successMessage: "The browser is sent to the page",
  redirects: true,
  errors: [],
} as const satisfies Operation;
