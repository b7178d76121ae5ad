/**
 * The one reader of the embedded stack's settings: the environment, and an optional `.env` file at the
 * top of the repository, over which the real environment wins.
 *
 * Nothing has to be set. What is set replaces an embedded part (a database, a Supabase project,
 * Razorpay test keys) or moves it (ports, folder).
 * @module
 */

import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { TaskError } from "./task.ts";

/** The top folder of the repository. */
export const REPOSITORY = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A Supabase project that stands in for the embedded Data API and Auth. */
export interface GivenSupabase {
  readonly url: string;
  readonly publishableKey: string;
  readonly secretKey: string;
}

/** Razorpay test keys, which make the stand-in unnecessary. */
export interface GivenRazorpay {
  readonly keyId: string;
  readonly keySecret: string;
  readonly apiUrl: string;
}

/** What the embedded stack is told. Ports are TCP ports on 127.0.0.1, and 0 takes any free one. */
export interface Settings {
  readonly apiPort: number;
  readonly dbPort: number;
  readonly razorpayPort: number;
  /** Absolute path of the folder that keeps data, secrets and `stack.env`. */
  readonly localDir: string;
  /** A folder with `initdb` and `postgres` to use instead of the binaries from npm. */
  readonly postgresBin?: string;
  /** A PostgreSQL or Supabase database to use instead of the embedded one. */
  readonly databaseUrl?: string;
  readonly supabase?: GivenSupabase;
  readonly razorpay?: GivenRazorpay;
  readonly botSecret?: string;
  readonly razorpayWebhookSecret?: string;
  /** Variables that go to the functions as they are. */
  readonly functionOptions: Record<string, string>;
}

/** Options of the functions that the stack has nothing to do with but to pass them on. */
const FUNCTION_OPTIONS = [
  "ALLOWED_ORIGINS",
  "BOT_SECRET_PREVIOUS",
  "DEFAULT_COUNTRY",
  "FRONTEND_ACCESS",
  "FRONTEND_URL",
  "RAZORPAY_WEBHOOK_SECRET_PREVIOUS",
];

type Variables = Readonly<Record<string, string | undefined>>;

/** Reads the settings of this process. Throws an {@linkcode TaskError} for a value that cannot work. */
export function readSettings(): Settings {
  return parseSettings({ ...readEnvFile(resolve(REPOSITORY, ".env")), ...Deno.env.toObject() });
}

/** Makes settings of the given variables. An empty value counts as unset. */
export function parseSettings(variables: Variables): Settings {
  return {
    apiPort: port(variables, "API_PORT", 54321),
    dbPort: port(variables, "DB_PORT", 54322),
    razorpayPort: port(variables, "RAZORPAY_PORT", 54323),
    localDir: resolve(REPOSITORY, variables.LOCAL_DIR || ".local"),
    postgresBin: variables.POSTGRES_BIN ? resolve(REPOSITORY, variables.POSTGRES_BIN) : undefined,
    databaseUrl: url(variables, "DATABASE_URL", ["postgres:", "postgresql:"]),
    supabase: givenSupabase(variables),
    razorpay: givenRazorpay(variables),
    botSecret: variables.BOT_SECRET || undefined,
    razorpayWebhookSecret: variables.RAZORPAY_WEBHOOK_SECRET || undefined,
    functionOptions: Object.fromEntries(
      FUNCTION_OPTIONS.map((name) => [name, variables[name] ?? ""]).filter(([, value]) => value),
    ),
  };
}

function readEnvFile(path: string): Variables {
  try {
    return parseEnv(Deno.readTextFileSync(path)) as Variables;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

function port(variables: Variables, name: string, fallback: number): number {
  const text = variables[name] || String(fallback);
  const value = Number(text);
  if (!/^\d{1,5}$/.test(text) || value > 65535) {
    throw new TaskError(
      `${name} must be a port from 0 to 65535, where 0 takes any free one, and not "${text}".`,
    );
  }
  return value;
}

function url(variables: Variables, name: string, protocols: string[]): string | undefined {
  const text = variables[name];
  if (!text) return undefined;
  if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol)) {
    // The value is not repeated: a database URL carries a password.
    throw new TaskError(`${name} must be a URL that starts with ${protocols[0]}//.`);
  }
  return text;
}

function givenSupabase(variables: Variables): GivenSupabase | undefined {
  const projectUrl = url(variables, "SUPABASE_URL", ["https:", "http:"]);
  if (!projectUrl) return undefined;
  const publishableKey = variables.SUPABASE_PUBLISHABLE_KEY;
  const secretKey = variables.SUPABASE_SECRET_KEY;
  if (!publishableKey || !secretKey) {
    throw new TaskError(
      "SUPABASE_URL needs SUPABASE_PUBLISHABLE_KEY and SUPABASE_SECRET_KEY of the same project " +
        "beside it. Set them, or unset SUPABASE_URL to use the embedded one.",
    );
  }
  return { url: projectUrl.replace(/\/+$/, ""), publishableKey, secretKey };
}

function givenRazorpay(variables: Variables): GivenRazorpay | undefined {
  const keyId = variables.RAZORPAY_KEY_ID;
  const keySecret = variables.RAZORPAY_KEY_SECRET;
  const apiUrl = url(variables, "RAZORPAY_API_URL", ["https:", "http:"]);
  if (!keyId && !keySecret && !apiUrl) return undefined;
  if (!keyId || !keySecret) {
    throw new TaskError(
      "RAZORPAY_KEY_ID and RAZORPAY_KEY_SECRET belong together, and RAZORPAY_API_URL needs both. " +
        "Set both keys, or unset all three to use the embedded stand-in.",
    );
  }
  if (!keyId.startsWith("rzp_test_")) {
    throw new TaskError(
      "RAZORPAY_KEY_ID must be a test key (rzp_test_...): this stack is for development, and a " +
        "live key would move real money.",
    );
  }
  return { keyId, keySecret, apiUrl: apiUrl ?? "https://api.razorpay.com" };
}
