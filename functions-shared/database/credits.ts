/**
 * Users and their credits. Each function here is the SQL function of the same name, whose comment
 * explains the outcomes.
 * @module
 */

import { z } from "zod";
import { one, rpc } from "shared/database/rpc.ts";

const user = z.object({ user_id: z.uuid(), credits: z.int(), created_at: z.string() });

const deduction = z.object({
  outcome: z.enum(["deducted", "replayed", "insufficient_credits", "reference_reused"]),
  user_id: z.uuid(),
  remaining_credits: z.int(),
});

/** The user of a phone number (E.164), created on first contact. */
export async function getUser(phoneNumber: string): Promise<z.infer<typeof user>> {
  return one(user, await rpc("get_user", { phone_number: phoneNumber }));
}

/** Spends `credits`, once for each `referenceId`. */
export async function deductCredits(
  { phoneNumber, credits, referenceId }: {
    phoneNumber: string;
    credits: number;
    referenceId: string | undefined;
  },
): Promise<z.infer<typeof deduction>> {
  const args = { phone_number: phoneNumber, credits, reference_id: referenceId };
  return one(deduction, await rpc("deduct_credits", args));
}
