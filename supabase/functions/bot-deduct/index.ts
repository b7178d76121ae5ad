/**
 * POST /bot-deduct: the bot spends a user's credits on an image, or on another action.
 *
 * Safe to retry: a repeated `reference_id` returns the first call's response and charges nothing.
 * @module
 */

import { botDeduct } from "shared/contract/bot-deduct.ts";
import { costsTooMuch } from "shared/contract/charge.ts";
import { deductCredits } from "shared/database/credits.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { insufficientCredits, success } from "shared/http/reply.ts";
import { tooFewCredits } from "shared/messages.ts";

export default endpoint(botDeduct, async (input) => {
  const { phone_number, whatsapp_user_id, reference_id, action, quantity, credits } = input;
  const deduction = await deductCredits({
    phone_number,
    whatsapp_user_id,
    reference_id,
    action,
    quantity,
    credits,
  });
  switch (deduction.outcome) {
    case "deducted":
    case "replayed":
      return success(
        botDeduct.successMessage(deduction.done_message, deduction.remaining_credits),
        {
          remaining_credits: deduction.remaining_credits,
          ...(deduction.low_balance && { low_balance: true }),
        },
        { replayed: deduction.outcome === "replayed", userId: deduction.user_id },
      );
    case "insufficient_credits":
      return insufficientCredits(
        tooFewCredits({
          remaining: deduction.remaining_credits,
          reserved: deduction.reserved_credits,
          needed: deduction.needed_credits,
        }),
        { remaining_credits: deduction.remaining_credits },
        { userId: deduction.user_id },
      );
    case "too_many_credits":
      throw new RequestError("INVALID_REQUEST", {
        message: costsTooMuch(deduction.needed_credits),
      });
    case "action_not_found":
      throw new RequestError("ACTION_NOT_FOUND");
    case "account_frozen":
      throw new RequestError("ACCOUNT_FROZEN");
    case "reference_reused":
      throw new RequestError("REFERENCE_REUSED");
    case "reference_held":
      throw new RequestError("REFERENCE_HELD");
  }
});
