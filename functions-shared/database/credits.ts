/**
 * Users and their credits.
 * @module
 */

import { z } from "zod";
import { oneRow, procedure } from "shared/database/rpc.ts";

/** Returns the user of an identity, created on first contact. Limited where `caller_address` is given. */
export const getUser = procedure(
  "get_user",
  () => oneRow(z.object({ user_id: z.uuid(), credits: z.int(), created_at: z.string() })),
);

/** Spends credits, once for each `reference_id`. */
export const deductCredits = procedure(
  "deduct_credits",
  () =>
    oneRow(z.object({
      outcome: z.enum(["deducted", "replayed", "insufficient_credits", "reference_reused"]),
      user_id: z.uuid(),
      remaining_credits: z.int(),
    })),
);
