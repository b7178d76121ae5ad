/**
 * The contract of `POST settle-order`.
 * @module
 */

import { z } from "zod";
import { text } from "shared/contract/fields.ts";
import { operatorName } from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

export const settleOrder = {
  name: "settle-order",
  method: "POST",
  caller: "operator",
  operatorRole: "support",
  summary: "Settle one order by hand",
  description:
    "Asks Razorpay about one order and settles its payments. Who asked, and why, is recorded " +
    "permanently.",
  input: z.object({
    order: text(100).min(1, "must not be empty")
      .describe(
        "Identifies one order: a Razorpay order, payment, payment link, refund or dispute id, our order " +
          "id or receipt, a bot's reference, a phone number in E.164 or a WhatsApp user id.",
      ),
    operator: operatorName,
    reason: text(2000).regex(/\S/, "must say why"),
  }),
  examples: {
    byRazorpayOrder: {
      summary: "By Razorpay's order id",
      input: {
        order: "order_kUxdarPvS4iiKE",
        operator: "Asha",
        reason: "Customer paid, no credits",
      },
    },
    byPayment: {
      summary: "By the payment id of the customer's receipt",
      input: {
        order: "pay_mglRcPJRkZ0oOG",
        operator: "Asha",
        reason: "Customer paid, no credits",
      },
    },
    byPhoneNumber: {
      summary: "By phone number, where it has only one order",
      input: { order: "+919876543210", operator: "Asha", reason: "Customer paid, no credits" },
    },
  },
  missingMessage: "order, operator and reason are required",
  data: z.object({ order_id: z.uuid(), outcomes: z.array(z.string()) }),
  successMessage: "Razorpay was asked",
  errors: ["ORDER_NOT_FOUND", "GATEWAY_ERROR", "GATEWAY_UNAVAILABLE"],
} as const satisfies Operation;
