/**
 * Two views of a running stack's addresses and keys: what a client needs, and what the hosted
 * platform puts into the environment of every function.
 * @module
 */

import { CLOSED, OPEN } from "../system/variables.ts";

/** The content of `stack.env`. */
export interface StackEnvironment {
  readonly SUPABASE_URL: string;
  readonly SUPABASE_PUBLISHABLE_KEY: string;
  readonly SUPABASE_SECRET_KEY: string;
  /** Empty if a given Supabase project is used and `DATABASE_URL` is not set. */
  readonly DATABASE_URL: string;
  readonly BOT_SECRET: string;
  readonly RAZORPAY_KEY_ID: string;
  readonly RAZORPAY_KEY_SECRET: string;
  readonly RAZORPAY_WEBHOOK_SECRET: string;
  readonly ERASURE_SECRET: string;
  readonly RAZORPAY_API_URL: string;
  /** Signs the events that the bot is told. */
  readonly EVENTS_SECRET: string;
  /** The page that the bot's links open. */
  readonly FRONTEND_URL: string;
  /** The origin of the operators' console. */
  readonly CONSOLE_ORIGIN: string;
  /** Where the stack tells of events, if anywhere. */
  readonly EVENTS_URL?: string;
}

/** Whose accounts the functions of a stack serve. */
interface Project {
  /** The keys that verify users' sessions, as far as they are known. */
  readonly sessionKeys?: readonly JsonWebKey[];
  /** Whether it is a given Supabase project. */
  readonly isGiven?: boolean;
}

/**
 * Returns the variables that a deployed function finds: the platform's own (Supabase docs, Edge
 * Functions, "Environment variables (secrets)") and the project's secrets.
 */
export function functionEnvironment(
  stack: StackEnvironment,
  { sessionKeys = [], isGiven = false }: Project = {},
): Record<string, string> {
  const {
    SUPABASE_URL,
    SUPABASE_PUBLISHABLE_KEY,
    SUPABASE_SECRET_KEY,
    DATABASE_URL,
    ...projectSecrets
  } = stack;
  return {
    SUPABASE_URL,
    SUPABASE_DB_URL: DATABASE_URL,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: SUPABASE_PUBLISHABLE_KEY }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: SUPABASE_SECRET_KEY }),
    SUPABASE_JWKS: JSON.stringify({ keys: sessionKeys }),
    ...(isGiven ? { ...CLOSED, ALLOWED_ORIGINS: new URL(stack.FRONTEND_URL).origin } : OPEN),
    ...projectSecrets,
  };
}

/**
 * Formats variables as lines that a shell can `source`, for the programs that it then starts as well,
 * and that `node --env-file` reads.
 */
export function formatEnvFile(variables: object): string {
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}='${String(value).replaceAll("'", `'\\''`)}'\n`)
    .join("");
}
