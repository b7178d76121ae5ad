/**
 * The contract of `POST settle-order`.
 * @module
 */

import { z } from "zod";
import { text } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";

export const settleOrder = {
  name: "settle-order",
  method: "POST",
  caller: "operator",
  summary: "Settle one order by hand",
  description:
    "Asks Razorpay about one order and books what it says. Who asked, and why, is kept for good.",
  input: z.object({
    order: text(100).min(1, "must not be empty")
      .describe("Any id of the order: Razorpay's, ours, its receipt, or one of its payments."),
    operator: text(200).regex(/\S/, "must be a name"),
    reason: text(2000).regex(/\S/, "must say why"),
  }),
  missing: "order, operator and reason are required",
  data: z.object({ order_id: z.uuid(), outcomes: z.array(z.string()) }),
  message: "Razorpay was asked",
  errors: ["ORDER_NOT_FOUND", "GATEWAY_ERROR", "GATEWAY_UNAVAILABLE"],
} as const satisfies Operation;
