/**
 * Link tokens: the bot posts one in the chat, and anyone who opens the link has access to the phone.
 *
 * A token is `payload.signature`: the user and the expiry, as base64url JSON, signed with the bot's
 * secret for this project. It expires, and dies with the secret that signed it.
 * @module
 */

import { z } from "zod";
import { decodeBase64url, encodeBase64url } from "shared/auth/base64url.ts";
import { verifySignature } from "shared/auth/signature.ts";
import { botSecrets, ConfigurationError, projectUrl } from "shared/environment.ts";
import { hmac } from "shared/hmac.ts";

const payload = z.lazy(() =>
  z.object({
    phone_number: z.string().nullable(),
    user_id: z.uuid(),
    expires_at: z.int(),
  })
);

/** The user that a token is for. */
export interface LinkOwner {
  readonly userId: string;
  /** E.164; undefined for a user known only by a WhatsApp user id. */
  readonly phoneNumber: string | undefined;
}

/** Returns a token that is valid until `expiresAt`. */
export async function makeLinkToken(
  { userId, phoneNumber }: LinkOwner,
  expiresAt: Date,
): Promise<string> {
  const [secret] = botSecrets();
  if (secret === undefined) throw new ConfigurationError("BOT_SECRET is not set");
  const body = encodeBase64url(JSON.stringify({
    phone_number: phoneNumber ?? null,
    user_id: userId,
    expires_at: Math.floor(expiresAt.getTime() / 1000),
  }));
  return `${body}.${await hmac(signedText(body), secret)}`;
}

/** Returns the user of a token, or `undefined` if it is forged, expired, or of another project. */
export async function readLinkToken(token: string): Promise<LinkOwner | undefined> {
  const [body, signature, ...rest] = token.split(".");
  if (body === undefined || signature === undefined || rest.length > 0) return undefined;
  const message = signedText(body);
  const checks = botSecrets().map((secret) => verifySignature({ message, signature, secret }));
  if (!(await Promise.all(checks)).includes(true)) return undefined;

  const owner = payloadOf(body);
  if (owner === undefined || owner.expires_at * 1000 <= Date.now()) return undefined;
  return { userId: owner.user_id, phoneNumber: owner.phone_number ?? undefined };
}

/** Anyone with the secret may have signed anything, and it must not make a function crash. */
function payloadOf(body: string): z.infer<typeof payload> | undefined {
  try {
    return payload.safeParse(JSON.parse(decodeBase64url(body))).data;
  } catch {
    return undefined;
  }
}

/**
 * Domain separation: the prefix binds the signature to this use of the secret. Self-hosted projects all
 * have the same internal address, so only the secret tells their tokens apart.
 */
function signedText(body: string): string {
  return `credits link token\n${projectUrl()}\n${body}`;
}
