/**
 * The contract of `POST razorpay-webhook`.
 * @module
 */

import { z } from "zod";
import { text } from "shared/contract/fields.ts";
import type { Operation } from "shared/contract/operation.ts";

export const razorpayWebhook = {
  name: "razorpay-webhook",
  method: "POST",
  caller: "razorpay",
  summary: "Receive an event from Razorpay",
  description:
    "Signed by Razorpay in `x-razorpay-signature`. 200 means that the event is handled, or not for " +
    "this system; any other status makes Razorpay send it again.",
  input: z.looseObject({
    event: text(100).min(1, "must not be empty"),
    created_at: z.int().nullish(),
    payload: z.looseObject({}).nullish(),
  }),
  examples: {
    captured: {
      summary: "A captured payment, shortened",
      input: {
        event: "payment.captured",
        created_at: 1_795_419_082,
        payload: {
          payment: {
            entity: {
              id: "pay_mglRcPJRkZ0oOG",
              order_id: "order_kUxdarPvS4iiKE",
              amount: 9900,
              currency: "INR",
              status: "captured",
            },
          },
        },
      },
    },
  },
  missingMessage: "event is required",
  data: z.object({ outcome: z.string() }),
  successMessage: "Event received",
  errors: ["GATEWAY_ERROR", "GATEWAY_UNAVAILABLE"],
} as const satisfies Operation;
