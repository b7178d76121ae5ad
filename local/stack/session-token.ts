/**
 * Session tokens like those of Supabase Auth (Supabase docs, "JWT claims reference"), for
 * development and tests.
 * @module
 */

/** Signs the access token of a user who has signed in with a phone number. */
export async function mintSession(
  { key, phoneNumber, issuer, expiresAt, claims = {} }: {
    /** A private ES256 key with its `kid`. */
    key: JsonWebKey & { kid: string };
    /** E.164. */
    phoneNumber: string;
    issuer: string;
    expiresAt: Date;
    /** Claims to add to the usual ones, or to replace them with. */
    claims?: Record<string, unknown>;
  },
): Promise<string> {
  const expiry = Math.floor(expiresAt.getTime() / 1000);
  const header = { alg: "ES256", typ: "JWT", kid: key.kid };
  const payload = {
    iss: issuer,
    aud: "authenticated",
    role: "authenticated",
    sub: crypto.randomUUID(),
    phone: phoneNumber.replace(/^\+/, ""),
    iat: expiry - 3600,
    exp: expiry,
    ...claims,
  };
  const text = `${encode(JSON.stringify(header))}.${encode(JSON.stringify(payload))}`;
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const signer = await crypto.subtle.importKey("jwk", key, algorithm, false, ["sign"]);
  const signature = await crypto.subtle.sign(
    { name: "ECDSA", hash: "SHA-256" },
    signer,
    new TextEncoder().encode(text),
  );
  return `${text}.${encode(new Uint8Array(signature))}`;
}

function encode(value: string | Uint8Array): string {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
