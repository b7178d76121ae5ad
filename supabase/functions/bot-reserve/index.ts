/**
 * POST /bot-reserve: the bot reserves a user's credits before it starts a job that takes a while.
 *
 * Safe to retry: a repeated `reference_id` returns the first call's figures and reserves nothing.
 * @module
 */

import { botReserve } from "shared/contract/bot-reserve.ts";
import { costsTooMuch } from "shared/contract/charge.ts";
import { reserveCredits } from "shared/database/holds.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { insufficientCredits, success } from "shared/http/reply.ts";
import { tooFewCredits } from "shared/messages.ts";

export default endpoint(botReserve, async (input) => {
  const { phone_number, whatsapp_user_id, reference_id, action, quantity, credits } = input;
  const hold = await reserveCredits({
    phone_number,
    whatsapp_user_id,
    reference_id,
    action,
    quantity,
    credits,
    expires_in_seconds: input.expires_in_seconds,
  });
  switch (hold.outcome) {
    case "reserved":
    case "replayed":
      return success(
        botReserve.successMessage(hold.reserved_credits, hold.remaining_credits),
        {
          remaining_credits: hold.remaining_credits,
          reserved_credits: hold.reserved_credits,
          expires_at: hold.expires_at,
          state: hold.state,
        },
        { replayed: hold.outcome === "replayed", userId: hold.user_id },
      );
    case "insufficient_credits":
      return insufficientCredits(
        tooFewCredits({
          remaining: hold.remaining_credits,
          reserved: hold.reserved_credits,
          needed: hold.needed_credits,
        }),
        { remaining_credits: hold.remaining_credits },
        { userId: hold.user_id },
      );
    case "too_many_credits":
      throw new RequestError("INVALID_REQUEST", { message: costsTooMuch(hold.needed_credits) });
    case "action_not_found":
      throw new RequestError("ACTION_NOT_FOUND");
    case "account_frozen":
      throw new RequestError("ACCOUNT_FROZEN");
    case "reference_reused":
      throw new RequestError("REFERENCE_REUSED");
    case "too_many_holds":
      throw new RequestError("TOO_MANY_HOLDS");
  }
});
