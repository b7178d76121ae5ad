/**
 * The one reader of the environment. Values are read at each use, so that a changed secret takes effect
 * without a restart if the platform allows it, and a missing one fails only what needs it.
 *
 * The platform's own variables are described in Supabase's documentation, "Environment variables
 * (secrets)" of Edge Functions.
 * @module
 */

import { z } from "zod";

/** The configuration is incomplete or contradictory. The message is for the log only. */
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

/** Returns the secret keys of the project, under every name that the platform has for them. */
export function supabaseSecretKeys(): string[] {
  return [
    ...Object.values(namedKeys("SUPABASE_SECRET_KEYS")),
    optional("SUPABASE_SECRET_KEY"),
    optional("SUPABASE_SERVICE_ROLE_KEY"),
  ].filter((key) => key !== undefined);
}

/**
 * Returns how to reach the Data API.
 *
 * @throws {ConfigurationError} if the platform's variables are missing or malformed.
 */
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
 * A guessable secret is no secret: anyone with a link can try to guess it offline. A random one of this
 * length has more different characters than this, even in hexadecimal.
 */
const MIN_SECRET_LENGTH = 32;
const MIN_DIFFERENT_CHARACTERS = 8;

function isHardToGuess(secret: string): boolean {
  return secret.length >= MIN_SECRET_LENGTH && new Set(secret).size >= MIN_DIFFERENT_CHARACTERS;
}

/**
 * Returns the bot secrets that are valid now: two during a rotation, none if nothing is configured, or
 * only secrets that can be guessed.
 */
export function botSecrets(): string[] {
  return [optional("BOT_SECRET"), optional("BOT_SECRET_PREVIOUS")]
    .filter((secret) => secret !== undefined)
    .filter(isHardToGuess);
}

/**
 * Returns what a page must prove before it may read an account: `phone-proof` if nothing is set; with
 * `public`, a phone number or a user id is enough.
 *
 * @throws {ConfigurationError} for any other value.
 */
export function frontendAccess(): "phone-proof" | "public" {
  const access = optional("FRONTEND_ACCESS") ?? "phone-proof";
  if (access !== "phone-proof" && access !== "public") {
    throw new ConfigurationError("FRONTEND_ACCESS is neither phone-proof nor public");
  }
  return access;
}

/** Returns whether anyone can read the accounts of a project that is not the embedded stack's own. */
export function isOpenToEverybody(): boolean {
  // Not frontendAccess: an invalid value should fail requests, not the start of the worker.
  return optional("FRONTEND_ACCESS") === "public" && optional("EMBEDDED_STACK") === undefined;
}

/** Returns the origins whose pages may call the functions for pages; `*` allows all. None if unset. */
export function allowedOrigins(): string[] {
  return (optional("ALLOWED_ORIGINS") ?? "").split(",").map((origin) => origin.trim())
    .filter((origin) => origin !== "");
}

/**
 * Returns the origin whose pages may call the operators' functions; none if unset. What is not exactly
 * an origin matches no page.
 */
export function consoleOrigin(): string | undefined {
  const origin = optional("CONSOLE_ORIGIN");
  return origin !== undefined && URL.parse(origin)?.origin === origin ? origin : undefined;
}

/**
 * Returns whether an operator has to sign in with a second factor: `required` if nothing is set. On a
 * hosted project, whose Auth has second factors, nothing else can be set.
 *
 * @throws {ConfigurationError} for any other value.
 */
export function secondFactor(): "required" | "off" {
  const setting = optional("CONSOLE_SECOND_FACTOR") ?? "required";
  if (setting !== "required" && setting !== "off") {
    throw new ConfigurationError("CONSOLE_SECOND_FACTOR is neither required nor off");
  }
  return isHostedProject() ? "required" : setting;
}

/** Returns the page that the bot's links open. @throws {ConfigurationError} if it is missing. */
export function frontendUrl(): URL {
  const url = URL.parse(required("FRONTEND_URL"));
  // "localhost:3000" is a URL too, of the protocol "localhost:".
  if (!url?.host) throw new ConfigurationError("FRONTEND_URL is not a URL");
  return url;
}

/**
 * Returns the public keys of Supabase Auth's sessions. The platform sets them as a JSON Web Key Set or
 * as the bare array of its keys (supabase/server, docs/environment-variables.md).
 */
export function sessionKeys(): z.infer<typeof sessionKeySet> {
  const text = optional("SUPABASE_JWKS");
  if (text === undefined) return { keys: [] };
  try {
    const set = JSON.parse(text);
    return sessionKeySet.parse(Array.isArray(set) ? { keys: set } : set);
  } catch {
    throw new ConfigurationError("SUPABASE_JWKS is not a JSON Web Key Set");
  }
}

/** Not built before it is needed, which it never is in the bot's functions. */
const sessionKeySet = z.lazy(() =>
  z.object({
    keys: z.array(z.looseObject({
      kty: z.enum(["RSA", "EC", "oct", "OKP"]),
      key_ops: z.array(z.string()).default(["verify"]),
      alg: z.string().exactOptional(),
      kid: z.string().exactOptional(),
    })),
  })
);

/** Returns the project's address, which distinguishes its link tokens from another project's. */
export function projectUrl(): string {
  return required("SUPABASE_URL");
}

/**
 * Returns whether this runs on the hosted platform, whose edge and Auth are known. Only the operator
 * can change the setting that tells, and being hosted only makes the functions stricter.
 */
export function isHostedProject(): boolean {
  const url = URL.parse(optional("SUPABASE_URL") ?? "");
  return url?.protocol === "https:" && url.hostname.endsWith(".supabase.co");
}

/** Returns who issues the sessions of Supabase Auth, where that is known. */
export function sessionIssuer(): string | undefined {
  // A custom domain does not change it. Where Auth is self-hosted, it can be anything.
  return isHostedProject() ? new URL("/auth/v1", required("SUPABASE_URL")).href : undefined;
}

/**
 * Returns the secret that people who were erased are recognized by, if they come back.
 *
 * @throws {ConfigurationError} if it is missing, or can be guessed: whoever guesses it can try all numbers.
 */
export function erasureSecret(): string {
  const secret = required("ERASURE_SECRET");
  if (!isHardToGuess(secret)) {
    throw new ConfigurationError("ERASURE_SECRET is not 32 random characters or more");
  }
  return secret;
}

/** Returns the webhook secrets that are valid now: two during a rotation. */
export function webhookSecrets(): string[] {
  return [optional("RAZORPAY_WEBHOOK_SECRET"), optional("RAZORPAY_WEBHOOK_SECRET_PREVIOUS")]
    .filter((secret) => secret !== undefined);
}

/** Returns the API key. @throws {ConfigurationError} if it is missing or the API address is not allowed. */
export function razorpayCredentials(): RazorpayCredentials {
  const keyId = required("RAZORPAY_KEY_ID");
  return {
    keyId,
    keySecret: required("RAZORPAY_KEY_SECRET"),
    mode: keyId.startsWith("rzp_live_") ? "live" : "test",
    apiUrl: razorpayApiUrl(),
  };
}

/** More would be a queue of messages, and not a bot with a stand-by and a log. */
const MAX_EVENT_ADDRESSES = 3;

/**
 * Returns the addresses that are told of events; none if unset.
 *
 * @throws {ConfigurationError} for too many, and for one that is not allowed. What is sent names
 * people, so nobody on the way may read it.
 */
export function eventAddresses(): string[] {
  const texts = (optional("EVENTS_URL") ?? "").split(/[\s,]+/).filter((text) => text !== "");
  const urls = new Set(texts.map((text) => {
    const url = URL.parse(text);
    const isSafe = url?.protocol === "https:" ||
      url?.protocol === "http:" && LOOPBACK.has(url.hostname);
    if (!isSafe) {
      throw new ConfigurationError("EVENTS_URL has an address that does not begin with https://");
    }
    if (url.username !== "" || url.password !== "" || url.hash !== "") {
      throw new ConfigurationError(
        "EVENTS_URL has an address with a user name, a password or a fragment, which are not sent",
      );
    }
    return url.href;
  }));
  if (urls.size > MAX_EVENT_ADDRESSES) {
    throw new ConfigurationError(`EVENTS_URL has more than ${MAX_EVENT_ADDRESSES} addresses`);
  }
  return [...urls];
}

/**
 * Returns the secrets that sign events now: two during a rotation.
 *
 * @throws {ConfigurationError} if there is none, or one that is not as Standard Webhooks wants it.
 */
export function eventSecrets(): string[] {
  const secrets = [required("EVENTS_SECRET"), optional("EVENTS_SECRET_PREVIOUS")]
    .filter((secret) => secret !== undefined);
  if (!secrets.every((secret) => EVENT_SECRET.test(secret))) {
    throw new ConfigurationError(
      "EVENTS_SECRET, or the previous one, is not whsec_ and 24 to 64 bytes in base64",
    );
  }
  return secrets;
}

const EVENT_SECRET = /^whsec_([A-Za-z0-9+/]{4}){8,21}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The names of this machine. */
const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** Only a stand-in on this machine may replace Razorpay, because it receives the key's secret. */
function razorpayApiUrl(): string {
  const official = "https://api.razorpay.com";
  const url = URL.parse(optional("RAZORPAY_API_URL") ?? official);
  const isStandIn = url !== null && LOOPBACK.has(url.hostname) && /^https?:$/.test(url.protocol);
  // Compared whole, so that neither a name and password nor a path can hide in it.
  if (url === null || url.href !== `${isStandIn ? url.origin : official}/`) {
    throw new ConfigurationError(`RAZORPAY_API_URL may be ${official} or on this machine only`);
  }
  return url.origin;
}

/** Returns the country whose national numbers a page may send, as ISO 3166-1 alpha-2. */
export function defaultCountry(): string {
  return (optional("DEFAULT_COUNTRY") ?? "IN").toUpperCase();
}

/** Spaces around a pasted secret are never part of it, and an empty value counts as unset. */
function optional(name: string): string | undefined {
  return Deno.env.get(name)?.trim() || undefined;
}

function required(name: string): string {
  const value = optional(name);
  if (value === undefined) throw new ConfigurationError(`${name} is not set`);
  return value;
}

const keysByName = z.lazy(() => z.record(z.string(), z.string().min(1)));

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
