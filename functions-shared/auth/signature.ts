/**
 * HMAC-SHA256 signatures, written as Razorpay writes them: 64 lower-case hexadecimal digits.
 * @module
 */

const encoder = new TextEncoder();

/**
 * Tells whether `signature` is the HMAC-SHA256 of `message` under `secret`, in constant time.
 *
 * An empty secret never verifies anything: whoever forgot to configure one must not accept what
 * everybody can sign.
 */
export async function verifySignature(
  { message, signature, secret }: {
    message: string | BufferSource;
    signature: string;
    secret: string;
  },
): Promise<boolean> {
  if (secret === "" || !/^[0-9a-f]{64}$/.test(signature)) return false;
  const key = await importKey(secret, "verify");
  const bytes = typeof message === "string" ? encoder.encode(message) : message;
  return await crypto.subtle.verify("HMAC", key, fromHex(signature), bytes);
}

/** The HMAC-SHA256 of `message` under `secret`. */
export async function sign(message: string, secret: string): Promise<string> {
  const key = await importKey(secret, "sign");
  const bytes = await crypto.subtle.sign("HMAC", key, encoder.encode(message));
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function importKey(secret: string, use: "sign" | "verify"): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, [use]);
}

function fromHex(digits: string): BufferSource {
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, index) => Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16),
  );
}
