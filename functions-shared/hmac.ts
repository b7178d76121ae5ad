/**
 * HMAC-SHA256, written as 64 lowercase hexadecimal digits.
 * @module
 */

const encoder = new TextEncoder();

/** Returns the HMAC-SHA256 of `message` under `secret`. */
export async function hmac(message: string, secret: string): Promise<string> {
  const bytes = await crypto.subtle.sign("HMAC", await hmacKey(secret), encoder.encode(message));
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns `secret` as a key that makes and checks HMACs. */
export function hmacKey(secret: string | BufferSource): Promise<CryptoKey> {
  const bytes = typeof secret === "string" ? encoder.encode(secret) : secret;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign", "verify"]);
}
