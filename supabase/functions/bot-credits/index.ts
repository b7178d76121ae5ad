/**
 * GET /bot-credits/:phone_number: the bot asks how many credits a user has left.
 * @module
 */

import { botCredits } from "shared/contract/bot-credits.ts";
import { getUser } from "shared/database/credits.ts";
import { endpoint } from "shared/endpoint.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(botCredits, async ({ phone_number, whatsapp_user_id }) => {
  const { user_id: userId, credits } = await getUser({ phone_number, whatsapp_user_id });
  return success(
    botCredits.successMessage(credits),
    { remaining_credits: credits, user_exists: true },
    { userId },
  );
});
