/**
 * POST /bot-deduct: the bot spends a user's credits on an image.
 *
 * Safe to retry: a repeated `reference_id` returns the first call's response and charges nothing.
 * @module
 */

import { botDeduct } from "shared/contract/bot-deduct.ts";
import { deductCredits } from "shared/database/credits.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { insufficientCredits, success } from "shared/http/reply.ts";
import { tooFewCredits } from "shared/messages.ts";

export default endpoint(botDeduct, async (input) => {
  const { phone_number, whatsapp_user_id, reference_id } = input;
  const credits = input.credits ?? 1;
  const { outcome, user_id: userId, remaining_credits } = await deductCredits({
    phone_number,
    whatsapp_user_id,
    credits,
    reference_id,
  });
  switch (outcome) {
    case "deducted":
    case "replayed":
      return success(
        botDeduct.successMessage(remaining_credits),
        { remaining_credits },
        { replayed: outcome === "replayed", userId },
      );
    case "insufficient_credits":
      return insufficientCredits(
        tooFewCredits(remaining_credits, credits),
        { remaining_credits },
        { userId },
      );
    case "reference_reused":
      throw new RequestError("REFERENCE_REUSED");
  }
});
