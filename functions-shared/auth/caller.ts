/**
 * Who is calling: each kind of caller proves itself in its own way.
 * @module
 */

import { callerAddress } from "shared/auth/caller-address.ts";
import { countFailedSecret } from "shared/database/rate-limits.ts";
import {
  botSecrets,
  ConfigurationError,
  supabaseSecretKeys,
  webhookSecrets,
} from "shared/environment.ts";
import { rateLimited, RequestError } from "shared/errors.ts";
import { verifySignature } from "shared/auth/signature.ts";

/**
 * Lets the bot pass, by the shared secret in `x-bot-secret`. Without a configured secret nothing
 * passes.
 *
 * @throws {RequestError} `MISSING_BOT_SECRET`, `INVALID_BOT_SECRET` or `RATE_LIMITED`.
 */
export async function requireBot(headers: Headers): Promise<void> {
  const presented = headers.get("x-bot-secret");
  if (!presented) throw new RequestError("MISSING_BOT_SECRET");
  const secrets = botSecrets();
  if (await isOneOf(presented, secrets)) return;
  // Only a wrong secret is counted: the bot itself is never held up. What keeps a secret from being
  // guessed is its length; the count tells a guesser to go away.
  const wait = await countFailedSecret(callerAddress(headers));
  if (wait > 0) throw rateLimited(wait);
  throw new RequestError("INVALID_BOT_SECRET", {
    cause: secrets.length === 0
      ? new ConfigurationError("BOT_SECRET is not set, or has less than 32 characters")
      : undefined,
  });
}

/**
 * Lets the operator and the scheduler pass, by the project's secret key in `apikey` or as a bearer
 * token.
 *
 * @throws {RequestError} `INVALID_SECRET_KEY`.
 */
export async function requireOperator(headers: Headers): Promise<void> {
  if (!await isOperator(headers)) throw new RequestError("INVALID_SECRET_KEY");
}

/** Whether the request carries the project's secret key. */
export async function isOperator(headers: Headers): Promise<boolean> {
  const keys = supabaseSecretKeys();
  const bearer = bearerToken(headers);
  return await isOneOf(headers.get("apikey") ?? "", keys) || await isOneOf(bearer ?? "", keys);
}

/** The token of an `Authorization: Bearer` header. */
export function bearerToken(headers: Headers): string | undefined {
  return headers.get("authorization")?.match(/^Bearer (\S+)$/i)?.[1];
}

/**
 * Lets Razorpay pass, by its signature over the body's bytes.
 *
 * @throws {RequestError} `INVALID_WEBHOOK_SIGNATURE`.
 */
export async function requireRazorpay(headers: Headers, message: BufferSource): Promise<void> {
  const signature = headers.get("x-razorpay-signature") ?? "";
  const secrets = webhookSecrets();
  const checks = secrets.map((secret) => verifySignature({ message, signature, secret }));
  if (!(await Promise.all(checks)).includes(true)) {
    throw new RequestError("INVALID_WEBHOOK_SIGNATURE", {
      cause: secrets.length === 0
        ? new ConfigurationError("RAZORPAY_WEBHOOK_SECRET is not set")
        : undefined,
    });
  }
}

const encoder = new TextEncoder();

/**
 * Compares in constant time, with every secret. What is compared are signatures under a key of this
 * worker's own: they are of one length, and nobody outside can steer them.
 */
async function isOneOf(presented: string, secrets: string[]): Promise<boolean> {
  const key = await comparisonKey;
  const signature = await crypto.subtle.sign("HMAC", key, encoder.encode(presented));
  const checks = secrets.map((secret) =>
    crypto.subtle.verify("HMAC", key, signature, encoder.encode(secret))
  );
  return (await Promise.all(checks)).includes(true);
}

const comparisonKey = crypto.subtle.importKey(
  "raw",
  crypto.getRandomValues(new Uint8Array(32)),
  { name: "HMAC", hash: "SHA-256" },
  false,
  ["sign", "verify"],
);
