/**
 * Verifies signatures as Razorpay writes them: HMAC-SHA256 in 64 lowercase hexadecimal digits.
 * @module
 */

import { hmacKey } from "shared/hmac.ts";

const encoder = new TextEncoder();

/**
 * Returns whether `signature` is the HMAC-SHA256 of `message` under `secret`, in constant time.
 *
 * An empty secret verifies nothing: if the secret was never configured, a signature that anyone can
 * compute must not pass.
 */
export async function verifySignature(
  { message, signature, secret }: {
    message: string | BufferSource;
    signature: string;
    secret: string;
  },
): Promise<boolean> {
  if (secret === "" || !isSignature(signature)) return false;
  const key = await hmacKey(secret);
  const bytes = typeof message === "string" ? encoder.encode(message) : message;
  return await crypto.subtle.verify("HMAC", key, fromHex(signature), bytes);
}

/** Returns whether the text has the form of a signature. */
export function isSignature(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/**
 * Compares `presented` with every one of `secrets` in constant time. The values compared are HMACs
 * under a per-worker random key: equal length, and not of the caller's choosing.
 */
export async function isOneOf(presented: string, secrets: readonly string[]): Promise<boolean> {
  const key = await comparisonKey;
  const signature = await crypto.subtle.sign("HMAC", key, encoder.encode(presented));
  const checks = secrets.map((secret) =>
    crypto.subtle.verify("HMAC", key, signature, encoder.encode(secret))
  );
  return (await Promise.all(checks)).includes(true);
}

const comparisonKey = hmacKey(crypto.getRandomValues(new Uint8Array(32)));

function fromHex(digits: string): BufferSource {
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, index) => Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16),
  );
}
