/**
 * The one reader of the environment. Values are read at each use, so that a changed secret counts
 * without a restart where the platform changes it, and so that a missing one fails only what needs it.
 *
 * The platform's own variables are described in Supabase's documentation, "Environment variables
 * (secrets)" of Edge Functions.
 * @module
 */

import { z } from "zod";

/** The configuration lacks something or contradicts itself. Its message is for the log only. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

/** Address and secret key of the project's own Data API. */
export interface SupabaseCredentials {
  readonly url: string;
  readonly secretKey: string;
}

/** A Razorpay API key. `mode` follows from the key id and says which money it moves. */
export interface RazorpayCredentials {
  readonly keyId: string;
  readonly keySecret: string;
  readonly mode: "test" | "live";
  /** Base URL without a path. */
  readonly apiUrl: string;
}

/** The secret keys of the project, under every name that the platform has for them. */
export function supabaseSecretKeys(): string[] {
  return [
    ...Object.values(namedKeys("SUPABASE_SECRET_KEYS")),
    optional("SUPABASE_SECRET_KEY"),
    optional("SUPABASE_SERVICE_ROLE_KEY"),
  ].filter((key) => key !== undefined);
}

/** @throws {ConfigurationError} when the platform's variables are missing or malformed. */
export function supabaseCredentials(): SupabaseCredentials {
  const secretKey = namedKeys("SUPABASE_SECRET_KEYS").default ?? supabaseSecretKeys()[0];
  if (secretKey === undefined) {
    throw new ConfigurationError(
      "None of SUPABASE_SECRET_KEYS, SUPABASE_SECRET_KEY and SUPABASE_SERVICE_ROLE_KEY is set",
    );
  }
  return { url: required("SUPABASE_URL"), secretKey };
}

/**
 * The bot secrets that are valid now: two during a rotation, none when nothing is configured. What a
 * person can guess is no secret: outside the local stack it takes 32 characters.
 */
export function botSecrets(): string[] {
  const leastLength = isLocalProject() ? 1 : 32;
  return [optional("BOT_SECRET"), optional("BOT_SECRET_PREVIOUS")]
    .filter((secret) => secret !== undefined && secret.length >= leastLength) as string[];
}

/**
 * What a page has to prove before it reads an account: `phone-proof` when nothing is set; `public`
 * lets a phone number or a user id alone be enough.
 *
 * @throws {ConfigurationError} for any other word.
 */
export function frontendAccess(): "phone-proof" | "public" {
  const access = optional("FRONTEND_ACCESS") ?? "phone-proof";
  if (access !== "phone-proof" && access !== "public") {
    throw new ConfigurationError("FRONTEND_ACCESS is neither phone-proof nor public");
  }
  return access;
}

/** Whether a project that is not on somebody's own machine lets everybody read every account. */
export function isOpenToEverybody(): boolean {
  // Not frontendAccess: a word that is none fails the requests, and not the start of the worker.
  return optional("FRONTEND_ACCESS") === "public" && !isLocalProject();
}

/** The origins whose pages may call the functions for pages; `*` allows all. None when unset. */
export function allowedOrigins(): string[] {
  return (optional("ALLOWED_ORIGINS") ?? "").split(",").map((origin) => origin.trim())
    .filter((origin) => origin !== "");
}

/** The page that the bot's links open. @throws {ConfigurationError} when it is missing. */
export function frontendUrl(): URL {
  const url = URL.parse(required("FRONTEND_URL"));
  if (url === null) throw new ConfigurationError("FRONTEND_URL is not a URL");
  return url;
}

/**
 * The public keys of Supabase Auth's sessions. The platform gives them as a JSON Web Key Set or as the
 * bare list of its keys (supabase/server, docs/environment-variables.md).
 */
export function sessionKeys(): { keys: SessionKey[] } {
  const text = optional("SUPABASE_JWKS");
  if (text === undefined) return { keys: [] };
  try {
    const set = JSON.parse(text);
    return sessionKeySet.parse(Array.isArray(set) ? { keys: set } : set);
  } catch {
    throw new ConfigurationError("SUPABASE_JWKS is not a JSON Web Key Set");
  }
}

const sessionKey = z.looseObject({
  kty: z.enum(["RSA", "EC", "oct", "OKP"]),
  key_ops: z.array(z.string()).default(["verify"]),
  alg: z.string().optional(),
  kid: z.string().optional(),
});

const sessionKeySet = z.object({ keys: z.array(sessionKey) });

type SessionKey = z.infer<typeof sessionKey>;

/** The project's address, by which its link tokens are told from another project's. */
export function projectUrl(): string {
  return required("SUPABASE_URL");
}

/** Whether this is a stack on somebody's own machine. */
export function isLocalProject(): boolean {
  const hostname = URL.parse(optional("SUPABASE_URL") ?? "")?.hostname ?? "";
  return LOOPBACK.has(hostname) || hostname === "kong";
}

/** The webhook secrets that are valid now, as {@linkcode botSecrets}. */
export function webhookSecrets(): string[] {
  return [optional("RAZORPAY_WEBHOOK_SECRET"), optional("RAZORPAY_WEBHOOK_SECRET_PREVIOUS")]
    .filter((secret) => secret !== undefined);
}

/** @throws {ConfigurationError} when the key is missing or the API address is not allowed. */
export function razorpayCredentials(): RazorpayCredentials {
  const keyId = required("RAZORPAY_KEY_ID");
  return {
    keyId,
    keySecret: required("RAZORPAY_KEY_SECRET"),
    mode: keyId.startsWith("rzp_live_") ? "live" : "test",
    apiUrl: razorpayApiUrl(),
  };
}

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** Only a stand-in on this machine may take Razorpay's place: the key's secret goes there. */
function razorpayApiUrl(): string {
  const official = "https://api.razorpay.com";
  const given = optional("RAZORPAY_API_URL") ?? official;
  const hostname = URL.parse(given)?.hostname ?? "";
  if (new URL(official).hostname !== hostname && !LOOPBACK.has(hostname)) {
    throw new ConfigurationError("RAZORPAY_API_URL may name api.razorpay.com or this machine only");
  }
  return given.replace(/\/+$/, "");
}

/** The country whose national numbers a page may send, as ISO 3166-1 alpha-2. */
export function defaultCountry(): string {
  return (optional("DEFAULT_COUNTRY") ?? "IN").toUpperCase();
}

/** Blanks around a pasted secret are never part of it, and an empty one is no secret. */
function optional(name: string): string | undefined {
  return Deno.env.get(name)?.trim() || undefined;
}

function required(name: string): string {
  const value = optional(name);
  if (value === undefined) throw new ConfigurationError(`${name} is not set`);
  return value;
}

const keysByName = z.record(z.string(), z.string().min(1));

/** Reads a variable that holds a JSON object of keys by name. */
function namedKeys(variable: string): Record<string, string> {
  const text = optional(variable);
  if (text === undefined) return {};
  try {
    return keysByName.parse(JSON.parse(text));
  } catch {
    throw new ConfigurationError(`${variable} is not a JSON object of keys by name`);
  }
}
