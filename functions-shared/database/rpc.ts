/**
 * The way to the database: SQL functions, called through the Data API, one round trip each.
 * What may move credits is decided in `supabase/migrations/`, never here.
 * @module
 */

import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import type { Database } from "shared/database/types.generated.ts";
import { supabaseCredentials } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";

/** Longer than any lock wait of ours, shorter than a bot's patience. */
const TIMEOUT_MS = 5_000;

type Functions = Database["public"]["Functions"];

/**
 * Calls one SQL function.
 *
 * @throws {RequestError} `UNAVAILABLE` when the database cannot answer now, `INTERNAL` when it
 * refuses what we asked.
 */
export async function rpc<Name extends keyof Functions & string>(
  name: Name,
  args: Functions[Name]["Args"],
): Promise<Functions[Name]["Returns"]> {
  const { data, error, status } = await client().rpc(name, args);
  if (error === null) return data;
  throw new RequestError(isOutage(error.code, status) ? "UNAVAILABLE" : "INTERNAL", {
    cause: `${name}: ${error.code} ${error.message}`,
  });
}

/** The only row, in the shape that the code relies on: generated types know no nulls and no words. */
export function one<Row>(schema: z.ZodType<Row>, rows: unknown[]): Row {
  return schema.parse(rows[0]);
}

let connection: { url: string; secretKey: string; client: SupabaseClient<Database> } | undefined;

/** One client serves all requests of a worker, as long as the credentials are the same. */
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
            return fetch(input, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
          },
        },
      }),
    };
  }
  return connection.client;
}

/**
 * Tells an outage from a refusal, by SQLSTATE class or PostgREST code; the HTTP status alone does
 * not (PostgREST answers 500 for lock and statement timeouts). Classes: 08 connection, 25006
 * read-only, 40 rollback, 53 resources, 55 locks, 57 intervention, 58 system. PGRST000 to PGRST003:
 * no connection. A failure without a code comes from something in front of PostgREST; a refusal
 * without one is about our key or address, and waiting would not help.
 *
 * Sources: PostgreSQL, appendix A; PostgREST, "Errors".
 */
function isOutage(code: string | undefined, status: number): boolean {
  if (code && /^(08|25006|40|53|55|57|58|PGRST00)/.test(code)) return true;
  return status === 0 || (status >= 502 && status <= 504) ||
    (!code && (status === 429 || status >= 500));
}
