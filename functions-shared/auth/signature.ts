/**
 * HMAC-SHA256, and signatures as Razorpay writes them: 64 lowercase hexadecimal digits.
 * @module
 */

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

/** Returns the HMAC-SHA256 of `message` under `secret`. */
export async function sign(message: string, secret: string): Promise<string> {
  const bytes = await crypto.subtle.sign("HMAC", await hmacKey(secret), encoder.encode(message));
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
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

function hmacKey(secret: string | BufferSource): Promise<CryptoKey> {
  const bytes = typeof secret === "string" ? encoder.encode(secret) : secret;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign", "verify"]);
}

function fromHex(digits: string): BufferSource {
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, index) => Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16),
  );
}
