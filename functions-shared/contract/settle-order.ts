/**
 * The contract of `POST settle-order`.
 * @module
 */

import { z } from "zod";
import type { Operation } from "shared/contract/operation.ts";

export const settleOrder = {
  name: "settle-order",
  method: "POST",
  caller: "operator",
  summary: "Settle one order by hand",
  description:
    "Asks Razorpay about one order and books what it says. Who asked, and why, is kept for good.",
  input: z.object({
    order: z.string("must be a string").min(1).max(100)
      .describe("Any id of the order: Razorpay's, ours, its receipt, or one of its payments."),
    operator: z.string("must be a string").regex(/\S/, "must be a name").max(200),
    reason: z.string("must be a string").regex(/\S/, "must say why").max(2000),
  }),
  missing: "order, operator and reason are required",
  data: z.object({ order_id: z.uuid(), outcomes: z.array(z.string()) }),
  message: "Razorpay was asked",
  errors: ["ORDER_NOT_FOUND", "GATEWAY_ERROR", "GATEWAY_UNAVAILABLE"],
} as const satisfies Operation;
