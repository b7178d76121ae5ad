/**
 * The contract of `POST reconcile-payments`.
 * @module
 */

import { z } from "zod";
import type { Operation } from "shared/contract/operation.ts";

export const reconcilePayments = {
  name: "reconcile-payments",
  method: "POST",
  caller: "operator",
  summary: "Ask Razorpay about the orders that are due",
  description:
    "For a scheduler, every few minutes. Works in batches until nothing is due or its time is up, and " +
    "first returns the credits of reservations that have expired. It can be interrupted and run again, " +
    "and two runs at once do no harm. It needs no body.",
  input: z.object({}),
  examples: {
    always: { summary: "The only request", input: {} },
  },
  missingMessage: "",
  data: z.object({
    checked: z.int().min(0).describe("Orders that Razorpay was asked about."),
    settled: z.int().min(0).describe("Orders whose credits were granted by this run."),
    flagged: z.int().min(0).describe("Payments that bought nothing and need an operator."),
    failed: z.int().min(0).describe(
      "Orders that Razorpay could not be asked about; a later run retries them.",
    ),
    holds_expired: z.int().min(0).describe("Reservations whose credits this run returned."),
  }),
  successMessage: "Payments reconciled",
  errors: [],
} as const satisfies Operation;
