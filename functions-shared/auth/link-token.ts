/**
 * Link tokens: the bot sends one into the chat, and whoever opens the link has the phone in hand.
 *
 * A token is `payload.signature`: who it is for and until when, as base64url JSON, signed with the
 * bot's secret for this project. It ends with its time, and with the secret that signed it.
 * @module
 */

import { z } from "zod";
import { botSecrets, ConfigurationError, projectUrl } from "shared/environment.ts";
import { sign, verifySignature } from "shared/auth/signature.ts";

const payload = z.object({
  phone_number: z.string().nullable(),
  user_id: z.uuid(),
  expires_at: z.int(),
});

/** Whom a token is for. */
export interface LinkOwner {
  readonly userId: string;
  /** E.164; absent for somebody known by a WhatsApp user id only. */
  readonly phoneNumber: string | undefined;
}

/** Makes a token that is good until `expiresAt`. */
export async function makeLinkToken(
  { userId, phoneNumber }: LinkOwner,
  expiresAt: Date,
): Promise<string> {
  const [secret] = botSecrets();
  if (secret === undefined) throw new ConfigurationError("BOT_SECRET is not set");
  const body = encode(JSON.stringify({
    phone_number: phoneNumber ?? null,
    user_id: userId,
    expires_at: Math.floor(expiresAt.getTime() / 1000),
  }));
  return `${body}.${await sign(signedText(body), secret)}`;
}

/** Whom a token is for, or `undefined` where it is forged, another project's, or out of time. */
export async function readLinkToken(token: string): Promise<LinkOwner | undefined> {
  const [body, signature, ...rest] = token.split(".");
  if (signature === undefined || rest.length > 0) return undefined;
  const message = signedText(body);
  const checks = botSecrets().map((secret) => verifySignature({ message, signature, secret }));
  if (!(await Promise.all(checks)).includes(true)) return undefined;

  const { phone_number, user_id, expires_at } = payload.parse(JSON.parse(atob(
    body.replaceAll("-", "+").replaceAll("_", "/"),
  )));
  if (expires_at * 1000 <= Date.now()) return undefined;
  return { userId: user_id, phoneNumber: phone_number ?? undefined };
}

/** The words in front keep the signature from meaning anything else under the same secret. */
function signedText(body: string): string {
  return `credits link token\n${projectUrl()}\n${body}`;
}

function encode(text: string): string {
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
