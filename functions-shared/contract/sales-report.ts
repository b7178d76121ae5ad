/**
 * The contract of `GET sales-report`.
 * @module
 */

import { z } from "zod";
import { day } from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

/** The most days of one report. */
export const MAX_REPORT_DAYS = 400;

const money = z.object({
  paid_orders: z.int().min(0).describe("Payments that granted credits."),
  amount_paise: z.int().min(0).describe("What these paid."),
  credits_sold: z.int().min(0),
  refunded_paise: z.int().min(0).describe("Refunds of such payments, whenever they were made."),
  lost_paise: z.int().min(0).describe("Disputes about such payments that were lost."),
});

export const salesReport = {
  name: "sales-report",
  method: "GET",
  caller: "operator",
  operatorRole: "support",
  summary: "Report sales by day, and what the credits were spent on",
  description:
    "By days of India (Asia/Kolkata), each present even if nothing was sold. Money that bought nothing " +
    "is no sale, and its refund is not counted either: `list-attention` has it.",
  input: z.object({
    from: day.meta({ description: "The first day.", examples: ["2026-11-01"] }),
    to: day.meta({
      description: `The day after the last one, at most ${MAX_REPORT_DAYS} days later.`,
      examples: ["2026-12-01"],
    }),
  }),
  examples: {
    month: { summary: "A month", input: { from: "2026-11-01", to: "2026-12-01" } },
  },
  missingMessage: "from and to are required",
  data: z.object({
    days: z.array(z.object({
      date: z.iso.date(),
      live: money.describe("By live keys of Razorpay's."),
      test: money.describe("By test keys."),
      charges: z.int().min(0).describe("Everything that credits were spent on."),
      credits_spent: z.int().min(0),
    })).describe("Oldest first."),
    actions: z.array(z.object({
      action: z.string(),
      unit: z.string().nullable().describe("What a quantity counts, by the newest price."),
      charges: z.int().min(0),
      quantity: z.int().min(0).describe("Of the charges that named one."),
      credits: z.int().min(0),
      credits_per_day: z.array(z.int().min(0)).describe("In the order of `days`."),
    })).describe("What the bot charged for, the 50 actions that most credits were spent on."),
  }),
  successMessage: "Report made",
  errors: [],
} as const satisfies Operation;
