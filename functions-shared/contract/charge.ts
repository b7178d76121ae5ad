/**
 * How a bot says what it charges or reserves credits for.
 * @module
 */

import { z } from "zod";
import { remainingCredits, wholeNumber } from "shared/contract/fields.ts";
import type { OtherResponse } from "shared/contract/operation.ts";
import { tooFewCredits } from "shared/messages.ts";

/** The largest number of credits that one call may spend. */
const MAX_CREDITS_PER_CALL = 1000;

/** The largest quantity that one call may name. */
const MAX_QUANTITY = 10_000_000;

/** The action, and either a quantity, which the price list prices, or the credits themselves. */
export const chargeFields = {
  action: z.string("must be a string")
    .regex(/^[a-z][a-z0-9_]{0,63}$/, "must be the id of an action, such as image_generation")
    .nullish()
    .describe("What is charged for, by its id in the price list; `image_generation` if left out."),
  quantity: wholeNumber(1, MAX_QUANTITY).nullish()
    .describe("How much of it, in the unit of the action; 1 if left out."),
  credits: wholeNumber(1, MAX_CREDITS_PER_CALL).nullish()
    .describe("The price, if the bot sets it itself; not together with `quantity`."),
};

/** How much of a reservation is charged. 0 is allowed, and releases all of it. */
export const captureFields = {
  quantity: wholeNumber(0, MAX_QUANTITY).nullish()
    .describe(
      "How much was made, if a quantity was reserved. Without an amount, all that was reserved is charged.",
    ),
  credits: wholeNumber(0, MAX_CREDITS_PER_CALL).nullish()
    .describe(
      "What it costs, if credits were reserved. Without an amount, all of them are charged.",
    ),
};

/** An input that may name a quantity or credits, but not both. */
export function quantityOrCredits<Input extends z.ZodObject>(input: Input): Input {
  return input.refine(({ quantity, credits }) => quantity == null || credits == null, {
    path: ["credits"],
    error: "must not be given together with quantity",
  });
}

/** The sentence for a quantity that is priced too high for one call. */
export function costsTooMuch(credits: number): string {
  const [cost, most] = [credits, MAX_CREDITS_PER_CALL].map((n) => n.toLocaleString("en-US"));
  return `quantity would cost ${cost} credits, and one call spends at most ${most}`;
}

/** The response to a call that needs more credits than remain. */
export const insufficientCreditsResponse = {
  httpStatus: 200,
  status: "INSUFFICIENT_CREDITS",
  exampleMessage: tooFewCredits({ remaining: 0, reserved: 0, needed: 1 }),
  data: z.object({ remaining_credits: remainingCredits }),
} as const satisfies OtherResponse;
