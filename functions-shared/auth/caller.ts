/**
 * Authorizes callers that present a secret or a signature of ours or Razorpay's: the bot, Razorpay.
 * @module
 */

import { callerAddress } from "shared/auth/caller-address.ts";
import { isOneOf, isSignature, verifySignature } from "shared/auth/signature.ts";
import { countWrongSecret } from "shared/database/rate-limits.ts";
import { botSecrets, ConfigurationError, webhookSecrets } from "shared/environment.ts";
import { rateLimited, RequestError } from "shared/errors.ts";

/**
 * Authorizes the bot by the shared secret in `x-bot-secret`. If no secret is configured, every
 * request is rejected.
 *
 * @throws {RequestError} `MISSING_BOT_SECRET`, `INVALID_BOT_SECRET` or `RATE_LIMITED`.
 */
export async function requireBot(headers: Headers): Promise<void> {
  const presented = headers.get("x-bot-secret");
  if (!presented) throw new RequestError("MISSING_BOT_SECRET");
  const secrets = botSecrets();
  if (await isOneOf(presented, secrets)) return;
  // Only a wrong secret is counted, so the bot itself is never delayed. The length of the secret is
  // what makes it unguessable; the count tells a guesser to stop.
  const waitSeconds = await countWrongSecret({ caller_address: callerAddress(headers) });
  if (waitSeconds > 0) throw rateLimited(waitSeconds);
  throw new RequestError(
    "INVALID_BOT_SECRET",
    secrets.length > 0 ? {} : {
      cause: new ConfigurationError("BOT_SECRET is not set, or not 32 random characters or more"),
    },
  );
}

/** Returns the token of an `Authorization: Bearer` header. */
export function bearerToken(headers: Headers): string | undefined {
  return headers.get("authorization")?.match(/^Bearer (\S+)$/i)?.[1];
}

/**
 * Refuses a request that cannot be Razorpay's, before its body is read.
 *
 * @throws {RequestError} `INVALID_WEBHOOK_SIGNATURE`.
 */
export function requireSignature(headers: Headers): void {
  if (!isSignature(signatureOf(headers))) throw new RequestError("INVALID_WEBHOOK_SIGNATURE");
}

/**
 * Authorizes Razorpay by its signature over the bytes of the body.
 *
 * @throws {RequestError} `INVALID_WEBHOOK_SIGNATURE`.
 */
export async function requireRazorpay(headers: Headers, message: BufferSource): Promise<void> {
  const signature = signatureOf(headers);
  const secrets = webhookSecrets();
  const checks = secrets.map((secret) => verifySignature({ message, signature, secret }));
  if ((await Promise.all(checks)).includes(true)) return;
  throw new RequestError(
    "INVALID_WEBHOOK_SIGNATURE",
    secrets.length > 0 ? {} : {
      cause: new ConfigurationError("RAZORPAY_WEBHOOK_SECRET is not set"),
    },
  );
}

function signatureOf(headers: Headers): string {
  return headers.get("x-razorpay-signature") ?? "";
}
