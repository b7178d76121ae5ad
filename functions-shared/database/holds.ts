/**
 * Credits that are reserved for jobs under way.
 * @module
 */

import { z } from "zod";
import { oneRow, procedure } from "shared/database/rpc.ts";

/** Reserves credits, once for each `reference_id`. */
export const reserveCredits = procedure(
  "reserve_credits",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      z.object({
        outcome: z.enum(["reserved", "replayed"]),
        user_id: z.uuid(),
        remaining_credits: z.int(),
        reserved_credits: z.int(),
        expires_at: z.string(),
        state: z.enum(["open", "captured"]),
      }),
      z.object({
        outcome: z.literal("insufficient_credits"),
        user_id: z.uuid(),
        remaining_credits: z.int(),
        reserved_credits: z.int(),
        needed_credits: z.int(),
      }),
      z.object({ outcome: z.literal("too_many_credits"), needed_credits: z.int() }),
      z.object({
        outcome: z.enum([
          "reference_reused",
          "account_frozen",
          "action_not_found",
          "too_many_holds",
        ]),
      }),
    ])),
);

/** Charges what a hold has reserved, or a part of it, and returns the rest. */
export const captureCredits = procedure(
  "capture_credits",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      z.object({
        outcome: z.enum(["captured", "replayed"]),
        user_id: z.uuid(),
        remaining_credits: z.int(),
        captured_credits: z.int(),
        is_late: z.boolean().nullable(),
        done_message: z.string(),
        // Not known of a hold that ended before there was a threshold.
        low_balance: z.boolean().nullable(),
      }),
      z.object({
        outcome: z.enum([
          "reference_reused",
          "hold_not_found",
          "hold_released",
          "hold_expired",
          "account_frozen",
          "wrong_unit",
          "capture_exceeds_hold",
        ]),
      }),
    ])),
);

/** Returns what a hold has reserved. */
export const releaseHold = procedure(
  "release_hold",
  () =>
    oneRow(z.discriminatedUnion("outcome", [
      z.object({
        outcome: z.enum(["released", "replayed"]),
        user_id: z.uuid(),
        remaining_credits: z.int(),
        released_credits: z.int(),
      }),
      z.object({ outcome: z.enum(["hold_captured", "hold_not_found"]) }),
    ])),
);

/** Ends about `batch_size` expired holds, of the users after `after_user_id`. */
export const expireHolds = procedure(
  "expire_holds",
  () =>
    oneRow(z.object({
      users: z.int(),
      expired: z.int(),
      failed: z.int(),
      last_user_id: z.uuid().nullable(),
    })),
);
