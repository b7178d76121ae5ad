/**
 * POST /bot-deduct: the bot spends a user's credits for an image.
 *
 * Safe to retry: a repeated `reference_id` answers as the first call did and charges nothing.
 * @module
 */

import { botDeduct } from "shared/contract/bot-deduct.ts";
import { creditsRemaining, tooFewCredits } from "shared/messages.ts";
import { deductCredits } from "shared/database/credits.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { insufficientCredits, success } from "shared/http/reply.ts";

export default endpoint(botDeduct, async (input) => {
  const credits = input.credits ?? 1;
  const { outcome, user_id: userId, remaining_credits } = await deductCredits({
    identity: input,
    credits,
    referenceId: input.reference_id ?? undefined,
  });
  switch (outcome) {
    case "deducted":
    case "replayed":
      return success(
        `Image generated successfully. ${creditsRemaining(remaining_credits)}`,
        { remaining_credits },
        { replayed: outcome === "replayed", userId },
      );
    case "insufficient_credits":
      return insufficientCredits(tooFewCredits(remaining_credits, credits), { remaining_credits }, {
        userId,
      });
    case "reference_reused":
      throw new RequestError("REFERENCE_REUSED");
  }
});
