/**
 * GET /bot-credits/:phone_number: the bot asks how many credits a user has left.
 * @module
 */

import { botCredits } from "shared/contract/bot-credits.ts";
import { getUser } from "shared/database/credits.ts";
import { endpoint } from "shared/endpoint.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(botCredits, async ({ phone_number, whatsapp_user_id }) => {
  const user = await getUser({ phone_number, whatsapp_user_id });
  const { user_id: userId, remaining_credits, reserved_credits, is_frozen } = user;
  return success(
    botCredits.successMessage({ remaining: remaining_credits, reserved: reserved_credits }),
    {
      remaining_credits,
      reserved_credits,
      ...(user.low_balance && { low_balance: true }),
      user_exists: true,
      ...(is_frozen && { frozen: true }),
    },
    { userId },
  );
});
