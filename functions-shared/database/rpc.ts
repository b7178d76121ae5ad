/**
 * The way to the database: SQL functions, called through the Data API, one round trip each. What may
 * move credits is decided in `supabase/schemas/`, never here.
 *
 * The other files of this folder declare one procedure for each SQL function, under its name; the
 * comment on the SQL function explains the outcomes. Outcomes are returned as values, and handlers
 * decide what they mean. Only an outage and a rate limit are thrown, and both are thrown here.
 * @module
 */

import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";
import { hashIdentities } from "shared/database/identity-hash.ts";
import type { Database } from "shared/database/types.generated.ts";
import { supabaseCredentials } from "shared/environment.ts";
import { rateLimited, RequestError } from "shared/errors.ts";

/** Longer than lock_timeout (3 s) and the usual statement_timeout (4 s), shorter than a bot waits. */
const TIMEOUT_MS = 5_000;

/** How often a call is repeated that the database has rolled back. */
const MAX_RETRIES = 2;

type SqlFunctions = Database["public"]["Functions"];

/**
 * The arguments of a SQL function. One with a default may be left out, and may be `null` or
 * `undefined`, as optional fields of a request are.
 */
type Arguments<Name extends keyof SqlFunctions> = {
  readonly [Key in keyof SqlFunctions[Name]["Args"]]: object extends
    Pick<SqlFunctions[Name]["Args"], Key> ? SqlFunctions[Name]["Args"][Key] | null | undefined
    : SqlFunctions[Name]["Args"][Key];
};

/**
 * Returns the SQL function `name` as a TypeScript function. `result` makes the shape that the code
 * relies on, because generated types lack nullability and enum values. It is made at the first call:
 * an Edge Function imports many procedures and calls few. `timeoutMs` is for one whose statement_timeout
 * is not the usual one, and longer than that.
 *
 * The returned function throws a {@linkcode RequestError}: `RATE_LIMITED` when the outcome says so,
 * `UNAVAILABLE` when the database cannot answer now, `INTERNAL` when it rejects the call.
 */
export function procedure<Name extends keyof SqlFunctions & string, Result>(
  name: Name,
  result: () => z.ZodType<Result>,
  { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
): (args: Arguments<Name>) => Promise<Result> {
  const shape = z.lazy(result);
  return async (args) => {
    let data = await call(name, args, timeoutMs);
    let refusal = refusalIn(data);
    if (refusal?.outcome === "identity_hashes_needed") {
      // The arguments name the person, unless the database does.
      const named = refusal.phone_number || refusal.whatsapp_user_id ? refusal : args;
      const identity_hashes = await hashIdentities(named);
      data = await call(name, { ...args, identity_hashes }, timeoutMs);
      refusal = refusalIn(data);
    }
    if (refusal?.outcome === "rate_limited") throw rateLimited(refusal.retry_after_seconds);
    return shape.parse(data);
  };
}

/** Returns what a SQL function returns. */
async function call(
  name: keyof SqlFunctions & string,
  args: object,
  timeoutMs: number,
): Promise<unknown> {
  const attempt = () =>
    client().rpc(name, args as SqlFunctions[typeof name]["Args"])
      .abortSignal(AbortSignal.timeout(timeoutMs));
  let { data, error, status } = await attempt();
  for (let retry = 1; retry <= MAX_RETRIES && wasRolledBack(error?.code); retry++) {
    ({ data, error, status } = await attempt());
  }
  if (error !== null) {
    throw new RequestError(isOutage(error.code, status) ? "UNAVAILABLE" : "INTERNAL", {
      cause: `${name}: ${error.code} ${error.message}`,
    });
  }
  return data;
}

/** Returns the outcome of a call that did nothing, for a reason that is the same in all functions. */
function refusalIn(data: unknown): z.infer<typeof refusal>[0] | undefined {
  return refusal.safeParse(data).data?.[0];
}

const refusal = z.lazy(() =>
  z.tuple([
    z.discriminatedUnion("outcome", [
      z.object({ outcome: z.literal("rate_limited"), retry_after_seconds: z.int() }),
      // A user is about to be created, and it has to be known whether the person was erased before.
      z.object({
        outcome: z.literal("identity_hashes_needed"),
        phone_number: z.string().nullish(),
        whatsapp_user_id: z.string().nullish(),
      }),
    ]),
  ])
);

/** The result of a SQL function that returns exactly one row. */
export function oneRow<Row>(row: z.ZodType<Row>): z.ZodType<Row> {
  return z.tuple([row]).transform(([only]) => only);
}

/** The result of a SQL function that returns nothing. */
export const nothing = () => z.unknown().transform(() => undefined);

let connection: { url: string; secretKey: string; client: SupabaseClient<Database> } | undefined;

/** Returns the client for all requests of a worker, as long as the credentials are the same. */
export function client(): SupabaseClient<Database> {
  const { url, secretKey } = supabaseCredentials();
  if (connection?.url !== url || connection.secretKey !== secretKey) {
    connection = {
      url,
      secretKey,
      client: createClient<Database>(url, secretKey, {
        auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
        global: {
          fetch: (input, init) => {
            // The Data API never redirects, and the secret key must not follow if something else does.
            return fetch(input, {
              ...init,
              redirect: "error",
              signal: init?.signal ?? AbortSignal.timeout(TIMEOUT_MS),
            });
          },
        },
      }),
    };
  }
  return connection.client;
}

/**
 * Whether the database rolled the whole call back, because of a deadlock or because it relied on data
 * that has changed meanwhile. Repeating it is safe, whatever it does.
 */
function wasRolledBack(code: string | undefined): boolean {
  return code === "40P01" || code === "40001";
}

/**
 * Tells an outage from a rejection, by SQLSTATE class or PostgREST code; the HTTP status alone does
 * not (PostgREST responds with 500 to lock and statement timeouts). Classes: 08 connection, 0A000 a
 * statement that was prepared before a migration, 25006 read-only, 25P03 and 25P04 transaction
 * timeouts, 40 rollback, 53 resources, 55 locks, 57 intervention, 58 system. PGRST000 to PGRST003: no
 * connection. A failure without a code comes from something in front of PostgREST; a rejection without
 * one is about our key or address, and waiting would not help.
 *
 * Sources: PostgreSQL, appendix A; PostgREST, "Errors".
 */
function isOutage(code: string | undefined, status: number): boolean {
  if (code && /^(08|0A000|25006|25P0[34]|40|53|55|57|58|PGRST00)/.test(code)) return true;
  return status === 0 || status === 408 || (status >= 502 && status <= 504) ||
    (!code && (status === 429 || status >= 500));
}
