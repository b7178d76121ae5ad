/**
 * HMAC-SHA256 signatures as Razorpay makes them: 64 lower-case hexadecimal digits.
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
  const key = await crypto.subtle.importKey(
    "raw",
    encoder.encode(secret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["verify"],
  );
  const bytes = typeof message === "string" ? encoder.encode(message) : message;
  return await crypto.subtle.verify("HMAC", key, fromHex(signature), bytes);
}

function fromHex(digits: string): BufferSource {
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, index) => Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16),
  );
}
