/**
 * What the functions for operators have in common.
 * @module
 */

import { z } from "zod";
import {
  MAX_INTEGER,
  referenceId,
  text,
  timestamp,
  wholeNumberText,
} from "shared/contract/fields.ts";

/** Who acts, in every request that changes something. */
export const operatorName = text(200).regex(/\S/, "must be a name").nullish()
  .describe(
    "Who acts, for the record. Required with the secret key; with a session it is ignored, because the " +
      "session says so.",
  );

/** Who acts and why, in every request that changes something. */
export const actionFields = {
  operator: operatorName,
  reason: text(2000).regex(/\S/, "must say why").describe("Why, for the record."),
  reference_id: referenceId.meta({
    description: "Makes the call safe to repeat: the number of the ticket or case it is for.",
    examples: ["ticket-4711"],
  }),
};

/** The fields of {@linkcode actionFields} in an example. */
export const exampleAction = {
  operator: "Asha",
  reason: "The video came out black",
  reference_id: "ticket-4711",
};

/** The end of the sentence for a request that lacks a required field. */
export const ACTION_FIELDS_REQUIRED = "operator, reason and reference ID are required";

/** What the description of each of these functions says. */
export const RECORDED =
  "Who did it, and why, is recorded permanently. The same request with the same `reference_id` is " +
  "answered as the first one was and changes nothing.";

/** A user, as operators name one. */
export const userId = z.uuid("must be a UUID").describe(
  "If the account was merged into another one, that one is meant.",
);

/** The user of the examples. */
export const EXAMPLE_USER_ID = "ce966eac-3f68-47a9-af05-f70448bdf4ff";

const date = z.iso.date();
const time = z.iso.datetime({ offset: true });

/** What is earlier than the product is a mistake, and PostgreSQL knows no year 0000. */
const EARLIEST = "2000-01-01";

/** The end of a time as PostgreSQL reads it: neither long fractions nor offsets of 16 hours and more. */
const END_OF_TIME = /(:\d\d|\.\d{1,9})(Z|[+-](0\d|1[0-5]):\d\d)$/;

/** A date, which is its first moment in UTC, or a time. Parsed, it is a time. */
export const moment = z.string("must be a string")
  .refine(
    (text) =>
      text >= EARLIEST && (date.safeParse(text).success ||
        time.safeParse(text).success && END_OF_TIME.test(text)),
    `must be a date or a time from ${EARLIEST}, such as 2026-11-01 or 2026-11-01T09:30:00Z`,
  )
  .transform((text) => text.length === 10 ? `${text}T00:00:00Z` : text);

/** Returns whether a period ends after it begins. One that is open on either side does. */
export function endsAfterItBegins(
  { from, to }: {
    readonly from?: string | null | undefined;
    readonly to?: string | null | undefined;
  },
): boolean {
  return from == null || to == null || Date.parse(from) < Date.parse(to);
}

/** The error for a period that ends before it begins. */
export const ENDS_TOO_EARLY = { path: ["to"], error: "must be after from" };

/** A day of India, where the business is. */
export const day = z.string("must be a string").refine(
  (text) => date.safeParse(text).success && text >= EARLIEST,
  `must be a date from ${EARLIEST}, such as 2026-11-01`,
);

/** An entry of an account's history, as operators see it. */
export const entry = z.object({
  sequence_number: z.int().min(1),
  created_at: timestamp,
  action: z.enum(["credit", "debit"]),
  credits: z.int().min(1),
  source: z.string(),
  reference_id: z.string().nullable(),
  balance_after: z.int().min(0),
});

/** An entry with all that is known about it. */
export const entryInFull = entry.extend({
  source: z.string().describe(
    "`system` (the welcome), `payment`, `refund`, `dispute`, `merge`, `adjustment`, or the id of the " +
      "action that was charged for.",
  ),
  remaining_after: z.int().min(0).nullable().describe(
    "What could be spent then. Null in entries from before reservations, after which it was the balance.",
  ),
  quantity: z.int().min(1).nullable()
    .describe("In the unit of the action; null where the request named none."),
  price: z.object({
    unit: z.string(),
    credits: z.int(),
    per_quantity: z.int(),
    minimum_credits: z.int(),
  }).nullable().describe("The price by which it came about."),
  payment: z.object({ payment_id: z.string(), order_id: z.uuid() }).nullable()
    .describe("What was bought, or went back."),
  merged_user_id: z.uuid().nullable().describe("The other account, where two were merged."),
});

const recorded = z.record(z.string(), z.unknown()).nullable();

/** An operator's action, as it was recorded. */
export const actionTaken = z.object({
  action_id: z.int(),
  created_at: timestamp,
  action: z.string().describe("The function that was called."),
  operator: z.string(),
  reason: z.string(),
  outcome: z.string(),
  reference_id: z.string().nullable(),
  user_id: z.uuid().nullable().describe(
    "The account, as it was then; it may have been merged since.",
  ),
  order_id: z.uuid().nullable(),
  payment_id: z.string().nullable(),
  request: recorded.describe("What was asked for."),
  before: recorded.describe("The account before."),
  after: recorded.describe("The account after."),
  result: recorded.describe("What was answered."),
  completes_action_id: z.int().nullable().describe(
    "The action that asked Razorpay for the refund, where this one says what came of it.",
  ),
});

/** The `cursor` of a list. */
export const cursor = wholeNumberText(1, MAX_INTEGER).optional().describe(
  "The `next_cursor` of the previous page.",
);

/** The `next_cursor` of a list. */
export const nextCursor = z.string().nullable().describe("null on the last page");
