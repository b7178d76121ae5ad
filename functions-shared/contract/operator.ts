/**
 * What the functions for operators have in common.
 * @module
 */

import { z } from "zod";
import { referenceId, text, timestamp } from "shared/contract/fields.ts";

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

/** A date, which is its first moment in UTC, or a time. Parsed, it is a time. */
export const moment = z.string("must be a string")
  .refine(
    (text) => date.safeParse(text).success || time.safeParse(text).success,
    "must be a date or a time, such as 2026-11-01 or 2026-11-01T09:30:00Z",
  )
  .transform((text) => text.length === 10 ? `${text}T00:00:00Z` : text);

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
