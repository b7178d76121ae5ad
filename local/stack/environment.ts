/**
 * Two views of a running stack's addresses and keys: what a client needs, and what the hosted
 * platform puts into the environment of every function.
 * @module
 */

import { z } from "zod";
import { CLOSED, OPEN } from "../system/variables.ts";

/** What `stack.env` has to hold. */
export const stackEnvironment = z.strictObject({
  SUPABASE_URL: z.string(),
  SUPABASE_PUBLISHABLE_KEY: z.string(),
  SUPABASE_SECRET_KEY: z.string(),
  /** Empty if a given Supabase project is used and `DATABASE_URL` is not set. */
  DATABASE_URL: z.string(),
  BOT_SECRET: z.string(),
  RAZORPAY_KEY_ID: z.string(),
  RAZORPAY_KEY_SECRET: z.string(),
  RAZORPAY_WEBHOOK_SECRET: z.string(),
  ERASURE_SECRET: z.string(),
  RAZORPAY_API_URL: z.string(),
  /** Signs the events that the bot is told. */
  EVENTS_SECRET: z.string(),
  /** The page that the bot's links open. */
  FRONTEND_URL: z.string(),
  /** The origin of the operators' console. */
  CONSOLE_ORIGIN: z.string(),
  /** Where the stack tells of events, if anywhere. */
  EVENTS_URL: z.string().exactOptional(),
}).readonly();

/** The content of `stack.env`. */
export type StackEnvironment = z.infer<typeof stackEnvironment>;

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
