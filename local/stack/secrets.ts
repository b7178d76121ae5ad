/**
 * The embedded stack's passwords and keys: random, generated once, and kept in
 * `<LOCAL_DIR>/secrets.json`.
 * @module
 */

import { generateApiKey } from "@supabase/lite";
import { randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { PRIVATE_FILE, readIfPresent } from "../system/files.ts";
import { TaskError } from "../system/task.ts";

/** A private ES256 key, of the kind that hosted projects sign their users' sessions with. */
const privateSessionKey = z.looseObject({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: z.string(),
  y: z.string(),
  d: z.string(),
  kid: z.string(),
});

const savedSecrets = z.object({
  databasePassword: z.string().min(1),
  publishableKey: z.string().startsWith("sb_publishable_"),
  secretKey: z.string().startsWith("sb_secret_"),
  jwtSecret: z.string().min(32),
  sessionKey: privateSessionKey,
  botSecret: z.string().min(32),
  razorpayKeyId: z.string().startsWith("rzp_test_"),
  razorpayKeySecret: z.string().min(1),
  razorpayWebhookSecret: z.string().min(1),
  erasureSecret: z.string().min(32),
  eventsSecret: z.string().startsWith("whsec_"),
});

/** The folders of earlier versions have no secret for erasures and for events. */
const earlierSecrets = savedSecrets.partial({ erasureSecret: true, eventsSecret: true });

type PrivateSessionKey = z.infer<typeof privateSessionKey>;

/** One value for each part of the embedded stack that needs a secret. */
export type Secrets = z.infer<typeof savedSecrets>;

/** Generates a new set. */
export async function generateSecrets(): Promise<Secrets> {
  return {
    databasePassword: randomBytes(24).toString("hex"),
    publishableKey: (await generateApiKey("publishable")).key,
    secretKey: (await generateApiKey("secret")).key,
    jwtSecret: randomBytes(48).toString("base64url"),
    sessionKey: await generateSessionKey(),
    botSecret: randomBytes(32).toString("base64url"),
    razorpayKeyId: `rzp_test_${alphanumerics(14)}`,
    razorpayKeySecret: alphanumerics(24),
    razorpayWebhookSecret: randomBytes(24).toString("base64url"),
    erasureSecret: randomBytes(32).toString("base64url"),
    eventsSecret: `whsec_${randomBytes(32).toString("base64")}`,
  };
}

/**
 * Reads the folder's secrets, or generates them on the first run. A folder of an earlier version gets
 * those that it lacks.
 *
 * @throws {TaskError} if the file holds anything else.
 */
export async function loadSecrets(localDir: string): Promise<Secrets> {
  const path = join(localDir, "secrets.json");
  const saved = await readIfPresent(path);
  const secrets = await generateSecrets();
  if (saved !== undefined) {
    try {
      Object.assign(secrets, earlierSecrets.parse(JSON.parse(saved)));
    } catch {
      throw new TaskError(
        `${path} cannot be read as the secrets of a stack. Run "deno task reset" to start over.`,
      );
    }
  }
  const text = JSON.stringify(secrets, null, 2) + "\n";
  if (text !== saved) await Deno.writeTextFile(path, text, { mode: PRIVATE_FILE });
  return secrets;
}

/**
 * Returns the keys that the functions verify sessions with: the public half of the session key, and an
 * entry for the shared secret of the embedded Auth. That one says only that there is such a secret: Auth
 * is asked about each session that claims to be signed with it.
 */
export function sessionKeys({ sessionKey }: Secrets): JsonWebKey[] {
  const { kty, crv, x, y, kid } = sessionKey;
  const publicKey = { kty, crv, x, y, kid, alg: "ES256", key_ops: ["verify"] };
  return [publicKey, { kty: "oct", alg: "HS256", key_ops: ["verify"] }];
}

async function generateSessionKey(): Promise<PrivateSessionKey> {
  const pair = await crypto.subtle.generateKey(
    { name: "ECDSA", namedCurve: "P-256" },
    true,
    ["sign", "verify"],
  );
  const key = await crypto.subtle.exportKey("jwk", pair.privateKey);
  return privateSessionKey.parse({ ...key, kid: crypto.randomUUID() });
}

function alphanumerics(length: number): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  return Array.from({ length }, () => alphabet.charAt(randomInt(alphabet.length))).join("");
}
