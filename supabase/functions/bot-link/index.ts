/**
 * POST /bot-link: the bot sends a user the way to their own page.
 *
 * The chat is the proof: who can read it holds the phone. So the user needs no password, and nobody
 * pays for a text message.
 * @module
 */

import { botLink } from "shared/contract/bot-link.ts";
import { getUser } from "shared/database/credits.ts";
import { endpoint } from "shared/endpoint.ts";
import { frontendUrl } from "shared/environment.ts";
import { makeLinkToken } from "shared/auth/link-token.ts";
import { success } from "shared/http/reply.ts";

const LINK_LIFE_MS = 30 * 60 * 1000;

export default endpoint(botLink, async (input) => {
  const url = frontendUrl();
  const { user_id: userId } = await getUser(input);
  const expiresAt = new Date(Date.now() + LINK_LIFE_MS);
  const phoneNumber = input.phone_number ?? undefined;
  const token = await makeLinkToken({ userId, phoneNumber }, expiresAt);
  // In the fragment: it stays in the browser, out of the logs of whoever serves the page.
  url.hash = new URLSearchParams({
    access_token: token,
    user_id: userId,
    ...(phoneNumber && { phone_number: phoneNumber }),
  }).toString();
  return success("Link created successfully", {
    url: url.href,
    token,
    expires_at: expiresAt.toISOString(),
  }, { userId });
});
