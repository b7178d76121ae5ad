/**
 * GET /bot-credits/:phone_number: the bot asks how many credits a user has left.
 * @module
 */

import { botCredits } from "shared/contract.ts";
import { creditsRemaining } from "shared/credits-left.ts";
import { endpoint } from "shared/endpoint.ts";
import { success } from "shared/reply.ts";

export default endpoint(botCredits, async ({ phone_number }, { database }) => {
  const { credits } = await database.getUser(phone_number);
  return success(creditsRemaining(credits), { remaining_credits: credits, user_exists: true });
});
