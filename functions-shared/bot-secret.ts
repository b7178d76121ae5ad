/**
 * The bot proves itself with a shared secret in `x-bot-secret`.
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { botSecrets, ConfigurationError } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";

/**
 * Lets a request of the bot pass. Without a configured secret nothing passes.
 *
 * @throws {RequestError} `MISSING_BOT_SECRET` or `INVALID_BOT_SECRET`.
 */
export function requireBotSecret(request: Request): void {
  const presented = request.headers.get("x-bot-secret");
  if (!presented) throw new RequestError("MISSING_BOT_SECRET");

  const secrets = botSecrets();
  const digest = sha256(presented);
  // Digests are of one length, and every secret is compared: the time tells nothing.
  const matches = secrets.map((secret) => timingSafeEqual(digest, sha256(secret)));
  if (!matches.includes(true)) {
    throw new RequestError("INVALID_BOT_SECRET", {
      cause: secrets.length === 0 ? new ConfigurationError("BOT_SECRET is not set") : undefined,
    });
  }
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
