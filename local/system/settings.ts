/**
 * Reads the embedded stack's settings from the environment and from an optional `.env` file at the
 * top of the repository. The environment takes precedence.
 *
 * Nothing has to be set. A setting replaces an embedded part (a database, a Supabase project,
 * Razorpay test keys) or moves it (ports, folder).
 * @module
 */

import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { TaskError } from "./task.ts";
import { DEFAULTS, variablesOf } from "./variables.ts";

/** The top folder of the repository. */
export const REPOSITORY = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A Supabase project to use instead of the embedded Data API and Auth. */
interface GivenSupabase {
  readonly url: string;
  readonly publishableKey: string;
  readonly secretKey: string;
}

/** Razorpay test keys to use instead of the stand-in. */
export interface GivenRazorpay {
  readonly keyId: string;
  readonly keySecret: string;
  readonly apiUrl: string;
}

/** The settings of the embedded stack. Ports are TCP ports on 127.0.0.1; 0 takes any free one. */
export interface Settings {
  readonly apiPort: number;
  readonly dbPort: number;
  readonly razorpayPort: number;
  readonly accountPort: number;
  readonly consolePort: number;
  /** Absolute path of the folder for data, secrets and `stack.env`. */
  readonly localDir: string;
  /** A folder with `initdb` and `postgres` to use instead of the binaries from npm. */
  readonly postgresBin: string | undefined;
  /** A PostgreSQL or Supabase database to use instead of the embedded one. */
  readonly databaseUrl: string | undefined;
  readonly supabase: GivenSupabase | undefined;
  readonly razorpay: GivenRazorpay | undefined;
  readonly botSecret: string | undefined;
  readonly razorpayWebhookSecret: string | undefined;
  readonly erasureSecret: string | undefined;
  readonly eventsSecret: string | undefined;
  /** How the stack logs; undefined lets it depend on whether a terminal reads it. */
  readonly logFormat: LogFormat | undefined;
  /** Variables that the functions receive unchanged. */
  readonly functionOptions: Readonly<Record<string, string>>;
}

/** Lines of JSON for machines, or lines for people. */
export type LogFormat = "json" | "pretty";

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings of this process.
 *
 * @throws {TaskError} for an invalid value.
 */
export function readSettings(): Settings {
  return parseSettings({ ...readEnvFile(ENV_FILE), ...Deno.env.toObject() });
}

/** Returns the names of the variables that {@linkcode readSettings} finds, and where. */
export function settingSources(): { envFile: string[]; environment: string[] } {
  const names = SETTINGS.flatMap((part) => variablesOf(part)).map(({ name }) => name);
  const environment = names.filter((name) => Deno.env.get(name));
  const file = readEnvFile(ENV_FILE);
  const envFile = names.filter((name) => file[name] && !Deno.env.has(name));
  return { envFile, environment };
}

const ENV_FILE = resolve(REPOSITORY, ".env");

/** The parts of the list of variables that a developer may set. */
const SETTINGS = ["stack", "secrets", "options"] as const;

/**
 * Parses settings from the given variables. An empty value counts as unset.
 *
 * @throws {TaskError} for an invalid value.
 */
export function parseSettings(variables: Variables): Settings {
  return {
    apiPort: port(variables, "API_PORT"),
    dbPort: port(variables, "DB_PORT"),
    razorpayPort: port(variables, "RAZORPAY_PORT"),
    accountPort: port(variables, "ACCOUNT_PORT"),
    consolePort: port(variables, "CONSOLE_PORT"),
    localDir: resolve(REPOSITORY, variables.LOCAL_DIR || DEFAULTS.LOCAL_DIR),
    postgresBin: variables.POSTGRES_BIN ? resolve(REPOSITORY, variables.POSTGRES_BIN) : undefined,
    databaseUrl: url(variables, "DATABASE_URL", ["postgres:", "postgresql:"]),
    supabase: givenSupabase(variables),
    razorpay: givenRazorpay(variables),
    botSecret: botSecret(variables),
    razorpayWebhookSecret: variables.RAZORPAY_WEBHOOK_SECRET || undefined,
    erasureSecret: variables.ERASURE_SECRET || undefined,
    eventsSecret: eventsSecret(variables),
    logFormat: logFormat(variables),
    functionOptions: Object.fromEntries(
      variablesOf("options")
        .map(({ name }) => [name, variables[name] ?? ""])
        .filter(([, value]) => value),
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

function port(
  variables: Variables,
  name: Extract<keyof typeof DEFAULTS, `${string}_PORT`>,
): number {
  const text = variables[name] || DEFAULTS[name];
  const value = Number(text);
  if (!/^\d{1,5}$/.test(text) || value > 65535) {
    throw new TaskError(
      `${name} must be a port from 0 to 65535 (0 takes any free one), not "${text}".`,
    );
  }
  return value;
}

function logFormat(variables: Variables): LogFormat | undefined {
  const format = variables.LOG_FORMAT;
  if (!format) return undefined;
  if (format === "json" || format === "pretty") return format;
  throw new TaskError(`LOG_FORMAT must be json or pretty, not "${format}".`);
}

function url(
  variables: Variables,
  name: string,
  protocols: readonly [string, ...string[]],
): string | undefined {
  const text = variables[name];
  if (!text) return undefined;
  if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol)) {
    // The message does not repeat the value, because a database URL contains a password.
    throw new TaskError(`${name} must be a URL that starts with ${protocols[0]}//.`);
  }
  return text;
}

/** As in `functions-shared/environment.ts`, which this floor may not import. */
const MIN_SECRET_LENGTH = 32;
const MIN_DIFFERENT_CHARACTERS = 8;

/** With a weaker one, the functions would let nobody in. */
function botSecret(variables: Variables): string | undefined {
  const secret = variables.BOT_SECRET || undefined;
  if (secret === undefined) return undefined;
  const isHardToGuess = secret.length >= MIN_SECRET_LENGTH &&
    new Set(secret).size >= MIN_DIFFERENT_CHARACTERS;
  if (isHardToGuess) return secret;
  throw new TaskError(
    `BOT_SECRET must have at least ${MIN_SECRET_LENGTH} characters, and ${MIN_DIFFERENT_CHARACTERS} ` +
      "different ones. Leave it empty to have one generated.",
  );
}

/** `whsec_` and 24 to 64 bytes in base64, as in `functions-shared/environment.ts`. */
const EVENTS_SECRET = /^whsec_([A-Za-z0-9+/]{4}){8,21}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** With another one, the functions would send nothing. */
function eventsSecret(variables: Variables): string | undefined {
  const secret = variables.EVENTS_SECRET || undefined;
  if (secret === undefined || EVENTS_SECRET.test(secret)) return secret;
  throw new TaskError(
    "EVENTS_SECRET must be whsec_ and 24 to 64 random bytes in base64. Leave it empty to have one " +
      "generated.",
  );
}

function givenSupabase(variables: Variables): GivenSupabase | undefined {
  const projectUrl = url(variables, "SUPABASE_URL", ["https:", "http:"]);
  if (!projectUrl) return undefined;
  const publishableKey = variables.SUPABASE_PUBLISHABLE_KEY;
  const secretKey = variables.SUPABASE_SECRET_KEY;
  if (!publishableKey || !secretKey) {
    throw new TaskError(
      "SUPABASE_URL also needs SUPABASE_PUBLISHABLE_KEY and SUPABASE_SECRET_KEY of the same " +
        "project. Set them, or unset SUPABASE_URL to use the embedded stack.",
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
