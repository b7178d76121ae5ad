/**
 * What people prove a phone number with: a session of Supabase Auth, or a link from the chat.
 * @module
 */

import { z } from "zod";
import { mintSession } from "../../local/stack/session-token.ts";
import type { Backend } from "./backend.ts";
import { call, dataOf } from "./calls.ts";
import { keepPrivate } from "./private-values.ts";

const HOUR_MS = 60 * 60 * 1000;

/** The headers of a user who signed in with this number; `claims` replaces parts of the token. */
export async function signedIn(
  { environment, secrets }: Pick<Backend, "environment" | "secrets">,
  phoneNumber: string,
  claims: Record<string, unknown> = {},
): Promise<{ authorization: string }> {
  const session = await mintSession({
    key: secrets.sessionKey,
    phoneNumber,
    issuer: `${environment.SUPABASE_URL}/auth/v1`,
    expiresAt: new Date(Date.now() + HOUR_MS),
    claims,
  });
  keepPrivate(session.slice(session.lastIndexOf(".") + 1));
  return { authorization: `Bearer ${session}` };
}

/** The token of the link that the bot sends to this number. */
export async function linkTokenOf(phoneNumber: string): Promise<string> {
  const body = { phone_number: phoneNumber };
  const token = z.string().parse(dataOf(await call("POST", "bot-link", { body })).token);
  keepPrivate(token);
  return token;
}

/** The headers of a page that was opened by the link from the chat. */
export async function cameByLink(phoneNumber: string): Promise<{ "x-access-token": string }> {
  return { "x-access-token": await linkTokenOf(phoneNumber) };
}
