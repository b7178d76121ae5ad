/**
 * Who is calling: each kind of caller proves itself in its own way.
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import {
  botSecrets,
  ConfigurationError,
  supabaseSecretKeys,
  webhookSecrets,
} from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";
import { verifySignature } from "shared/signature.ts";

/**
 * Lets the bot pass, by the shared secret in `x-bot-secret`. Without a configured secret nothing
 * passes.
 *
 * @throws {RequestError} `MISSING_BOT_SECRET` or `INVALID_BOT_SECRET`.
 */
export function requireBot(headers: Headers): void {
  const presented = headers.get("x-bot-secret");
  if (!presented) throw new RequestError("MISSING_BOT_SECRET");
  const secrets = botSecrets();
  if (!isOneOf(presented, secrets)) {
    throw new RequestError("INVALID_BOT_SECRET", {
      cause: secrets.length === 0 ? new ConfigurationError("BOT_SECRET is not set") : undefined,
    });
  }
}

/**
 * Lets the operator and the scheduler pass, by the project's secret key in `apikey` or as a bearer
 * token.
 *
 * @throws {RequestError} `INVALID_SECRET_KEY`.
 */
export function requireOperator(headers: Headers): void {
  const presented = [
    headers.get("apikey"),
    headers.get("authorization")?.replace(/^Bearer /i, ""),
  ];
  const keys = supabaseSecretKeys();
  if (!presented.some((key) => key && isOneOf(key, keys))) {
    throw new RequestError("INVALID_SECRET_KEY");
  }
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

/** Digests are of one length, and every secret is compared: the time tells nothing. */
function isOneOf(presented: string, secrets: string[]): boolean {
  const digest = sha256(presented);
  return secrets.map((secret) => timingSafeEqual(digest, sha256(secret))).includes(true);
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
