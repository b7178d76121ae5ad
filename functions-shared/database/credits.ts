/**
 * Users and their credits. Each function here is the SQL function of the same name, whose comment
 * explains the outcomes.
 * @module
 */

import { z } from "zod";
import { one, rpc } from "shared/database/rpc.ts";
import { rateLimited } from "shared/errors.ts";

const foundUser = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.literal("found"),
    user_id: z.uuid(),
    credits: z.int(),
    created_at: z.string(),
  }),
  z.object({ outcome: z.literal("limited"), retry_after_seconds: z.int() }),
]);

/** A user, as far as it is told. */
export type User = Extract<z.infer<typeof foundUser>, { outcome: "found" }>;

const deduction = z.object({
  outcome: z.enum(["deducted", "replayed", "insufficient_credits", "reference_reused"]),
  user_id: z.uuid(),
  remaining_credits: z.int(),
});

/**
 * Who is meant: a phone number in E.164, a WhatsApp user id, or both for one person. What WhatsApp
 * or a caller left out may be null.
 */
export interface Identity {
  readonly phone_number?: string | null;
  readonly whatsapp_user_id?: string | null;
}

/** The arguments of a SQL function that name a user. */
export function identityArgs({ phone_number, whatsapp_user_id }: Identity) {
  return {
    phone_number: phone_number ?? undefined,
    whatsapp_user_id: whatsapp_user_id ?? undefined,
  };
}

/**
 * The user of an identity, created on first contact.
 *
 * @throws {RequestError} `RATE_LIMITED` when `limitedAddress` brought too many unknown ones.
 */
export async function getUser(identity: Identity, limitedAddress?: string): Promise<User> {
  const args = { ...identityArgs(identity), limited_address: limitedAddress };
  const found = one(foundUser, await rpc("get_user", args));
  if (found.outcome === "limited") throw rateLimited(found.retry_after_seconds);
  return found;
}

/** Spends `credits`, once for each `referenceId`. */
export async function deductCredits(
  { identity, credits, referenceId }: {
    identity: Identity;
    credits: number;
    referenceId: string | undefined;
  },
): Promise<z.infer<typeof deduction>> {
  const args = { ...identityArgs(identity), credits, reference_id: referenceId };
  return one(deduction, await rpc("deduct_credits", args));
}
