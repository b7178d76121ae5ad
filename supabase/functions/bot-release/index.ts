/**
 * POST /bot-release: the bot returns what it has reserved, because the job failed.
 *
 * Safe to retry: a repeated call returns the first call's response.
 * @module
 */

import { botRelease } from "shared/contract/bot-release.ts";
import { releaseHold } from "shared/database/holds.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(botRelease, async ({ phone_number, whatsapp_user_id, reference_id }) => {
  const release = await releaseHold({ phone_number, whatsapp_user_id, reference_id });
  switch (release.outcome) {
    case "released":
    case "replayed":
      return success(
        botRelease.successMessage(release.released_credits, release.remaining_credits),
        {
          remaining_credits: release.remaining_credits,
          released_credits: release.released_credits,
        },
        { replayed: release.outcome === "replayed", userId: release.user_id },
      );
    case "hold_not_found":
      throw new RequestError("HOLD_NOT_FOUND");
    case "hold_captured":
      throw new RequestError("HOLD_CAPTURED");
  }
});
