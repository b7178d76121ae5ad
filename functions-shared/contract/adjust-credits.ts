/**
 * The contract of `POST adjust-credits`.
 * @module
 */

import { z } from "zod";
import {
  ACTION_FIELDS_REQUIRED,
  actionFields,
  EXAMPLE_USER_ID,
  exampleAction,
  RECORDED,
  userId,
} from "shared/contract/operator.ts";
import type { Operation } from "shared/contract/operation.ts";

const MAX_CREDITS = 1_000_000;
/** The most credits that an operator of the role support may give or take in one call. */
export const MAX_SUPPORT_CREDITS = 50;

const RANGE = `must be a whole number from ${-MAX_CREDITS} to ${MAX_CREDITS}, and not 0`;

export const adjustCredits = {
  name: "adjust-credits",
  method: "POST",
  caller: "operator",
  operatorRole: "support",
  summary: "Give credits to a user, or take some away",
  description:
    "Changes the balance by a difference, which the history shows as an entry of source " +
    "`adjustment`. Credits that are given pay the user's debt first. Credits that are reserved are " +
    `never taken. With a session of the role support, at most ${MAX_SUPPORT_CREDITS} credits either ` +
    `way. ${RECORDED}`,
  input: z.object({
    user_id: userId,
    credits: z.int(RANGE).min(-MAX_CREDITS, RANGE).max(MAX_CREDITS, RANGE)
      .refine((credits) => credits !== 0, RANGE)
      .describe("The difference; not 0."),
    allow_debt: z.boolean("must be true or false").nullish()
      .describe(
        "Whether what the balance does not cover becomes a debt; otherwise the call is refused.",
      ),
    ...actionFields,
  }),
  examples: {
    give: {
      summary: "Five credits for a job that went wrong",
      input: { user_id: EXAMPLE_USER_ID, credits: 5, ...exampleAction },
    },
    take: {
      summary: "Ten credits that were given by mistake, even if they were spent",
      input: { user_id: EXAMPLE_USER_ID, credits: -10, allow_debt: true, ...exampleAction },
    },
  },
  missingMessage: `User ID, credits, ${ACTION_FIELDS_REQUIRED}`,
  data: z.object({
    user_id: z.uuid(),
    credits: z.int().min(0).describe("The balance."),
    debt_credits: z.int().min(0),
  }),
  successMessage: "Credits adjusted",
  errors: ["NOT_ALLOWED", "USER_NOT_FOUND", "NOT_ENOUGH_CREDITS", "REFERENCE_REUSED"],
} as const satisfies Operation;
