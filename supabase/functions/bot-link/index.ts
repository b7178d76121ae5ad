/**
 * POST /bot-link: the bot sends a user the link to their own page.
 *
 * The chat is the proof: whoever can read it has the phone. So the user needs no password, and nobody
 * pays for a text message.
 * @module
 */

import { makeLinkToken } from "shared/auth/link-token.ts";
import { botLink } from "shared/contract/bot-link.ts";
import { getUser } from "shared/database/credits.ts";
import { endpoint } from "shared/endpoint.ts";
import { frontendUrl } from "shared/environment.ts";
import { success } from "shared/http/reply.ts";

const LINK_LIFE_MS = 30 * 60 * 1000;

export default endpoint(botLink, async ({ phone_number, whatsapp_user_id }) => {
  const url = frontendUrl();
  const { user_id: userId } = await getUser({ phone_number, whatsapp_user_id });
  const expiresAt = new Date(Date.now() + LINK_LIFE_MS);
  const phoneNumber = phone_number ?? undefined;
  const token = await makeLinkToken({ userId, phoneNumber }, expiresAt);
  // In the fragment, because a browser does not send it: it stays out of the logs of the page's host.
  url.hash = new URLSearchParams({
    access_token: token,
    user_id: userId,
    ...(phoneNumber && { phone_number: phoneNumber }),
  }).toString();
  return success(
    botLink.successMessage,
    { url: url.href, token, expires_at: expiresAt.toISOString() },
    { userId },
  );
});
