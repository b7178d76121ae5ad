/**
 * GET /bot-credits/:phone_number: the bot asks how many credits a user has left.
 * @module
 */

import { botCredits } from "shared/contract/bot-credits.ts";
import { creditsRemaining } from "shared/messages.ts";
import { getUser } from "shared/database/credits.ts";
import { endpoint } from "shared/endpoint.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(botCredits, async (input) => {
  const { user_id, credits } = await getUser(input);
  return success(creditsRemaining(credits), { remaining_credits: credits, user_exists: true }, {
    userId: user_id,
  });
});
