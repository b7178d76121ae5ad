/**
 * POST /bot-capture: the bot charges what it has reserved, or a part of it, after the job is done.
 *
 * Safe to retry: a repeated call returns the first call's response and charges nothing.
 * @module
 */

import { botCapture } from "shared/contract/bot-capture.ts";
import { captureCredits } from "shared/database/holds.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(botCapture, async (input) => {
  const { phone_number, whatsapp_user_id, reference_id, quantity, credits } = input;
  const capture = await captureCredits({
    phone_number,
    whatsapp_user_id,
    reference_id,
    quantity,
    credits,
  });
  switch (capture.outcome) {
    case "captured":
    case "replayed":
      return success(
        botCapture.successMessage(
          capture.captured_credits > 0 ? capture.done_message : "Nothing was charged.",
          capture.remaining_credits,
        ),
        {
          remaining_credits: capture.remaining_credits,
          captured_credits: capture.captured_credits,
          ...(capture.is_late && { late: true }),
          ...(capture.low_balance && { low_balance: true }),
        },
        { replayed: capture.outcome === "replayed", userId: capture.user_id },
      );
    case "wrong_unit":
      throw new RequestError("INVALID_REQUEST", {
        message: credits == null
          ? "quantity does not fit: this reservation was made in credits"
          : "credits does not fit: this reservation was made by quantity",
      });
    case "hold_not_found":
      throw new RequestError("HOLD_NOT_FOUND");
    case "reference_reused":
      throw new RequestError("REFERENCE_REUSED");
    case "capture_exceeds_hold":
      throw new RequestError("CAPTURE_EXCEEDS_HOLD");
    case "hold_released":
      throw new RequestError("HOLD_RELEASED");
    case "account_frozen":
      throw new RequestError("ACCOUNT_FROZEN");
    case "hold_expired":
      throw new RequestError("HOLD_EXPIRED");
  }
});
