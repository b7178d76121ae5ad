/**
 * `/rest/v1` and `/auth/v1`: `@supabase/lite` on the stack's PostgreSQL, or a given Supabase project.
 *
 * Lite speaks PostgREST's and Auth's protocol in this process. Two of its habits would hide faults
 * that a hosted project shows, and {@linkcode ProjectConnection} takes them away.
 * @module
 */

import { App, ConsoleEmailDriver } from "@supabase/lite";
import { PostgresConnection } from "@supabase/lite/postgres";
import { z } from "zod";

/** What answers the paths `/rest/v1/...` and `/auth/v1/...`. */
export interface DataApi {
  fetch(request: Request): Promise<Response>;
  close(): Promise<void>;
}

/** What the embedded Data API needs. */
export interface DataApiOptions {
  /** Logs in as the role that owns the tables and may become `anon` and so on for a request. */
  readonly databaseUrl: string;
  readonly publishableKey: string;
  readonly secretKey: string;
  /** Signs the sessions of users (HS256). */
  readonly jwtSecret: string;
}

/** Connections that the Data API keeps at most. */
const POOL_SIZE = 20;

/**
 * Milliseconds that a request may spend in the database: what the SQL functions that lock say of
 * themselves, and PostgREST puts into force (PostgREST docs, "Functions: timeouts").
 */
const STATEMENT_TIMEOUT_MS = 4_000;

const CLOSE_TIMEOUT_SECONDS = 5;

/** Opens the embedded Data API on a migrated database. */
export async function openDataApi(options: DataApiOptions): Promise<DataApi> {
  Deno.env.set("DO_NOT_TRACK", "1");
  const connection = new ProjectConnection(options.databaseUrl);
  const app = new App({
    connection,
    auth: {
      enabled: true,
      enable_signup: true,
      jwt_secret: options.jwtSecret,
      publishable_key: options.publishableKey,
      secret_key: options.secretKey,
      site_url: "http://127.0.0.1:3000",
    },
    api: { schemas: ["public"] },
    // The history of migrations belongs to the Supabase CLI.
    db: { migrations: { enabled: false } },
    options: {
      // Without a key a request is refused, as on a hosted project.
      server: { admin: false, disableStudio: true },
      drivers: { email: new ConsoleEmailDriver() },
    },
  });
  let refreshing: Promise<unknown> = Promise.resolve();
  const refresh = () => refreshing = refreshing.then(() => connection.introspect());
  try {
    await provideAuthTables(app, connection);
    // Looked up once, the schema stays known even while the database is away.
    await refresh();
    // Here PostgreSQL says that a migration has changed the schema, as it says to PostgREST.
    await connection.driver.listen("pgrst", refresh);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return {
    fetch: (request) => app.fetch(request, { peerAddress: null }),
    async close() {
      await refreshing;
      await connection.close();
    },
  };
}

/** A given Supabase database has tables of its own for users and sessions, which are not touched. */
async function provideAuthTables(app: App, connection: PostgresConnection): Promise<void> {
  const [{ present }] = await connection.driver<{ present: boolean }[]>`
    select to_regclass('auth.users') is not null as present`;
  if (!present) await app.ensureSystemSchema();
}

/** Passes requests on to the Supabase project at `projectUrl`. */
export function forwardDataApi(projectUrl: string): DataApi {
  return {
    fetch(request) {
      const { pathname, search } = new URL(request.url);
      const headers = new Headers(request.headers);
      headers.delete("host");
      return fetch(`${projectUrl}${pathname}${search}`, {
        method: request.method,
        headers,
        body: request.body,
        redirect: "manual",
      });
    },
    close: () => Promise.resolve(),
  };
}

/** Lite hands over objects and arrays as JSON already, which the driver would put into JSON again. */
const jsonType = (oid: number) => ({
  to: oid,
  from: [oid],
  serialize: (value: unknown) => typeof value === "string" ? value : JSON.stringify(value),
  parse: (text: string): unknown => JSON.parse(text),
});

/** PostgREST writes numbers as JSON numbers, the driver as text. */
const NUMERIC_TYPE = { to: 1700, from: [1700], serialize: String, parse: Number };

/** PostgREST writes timestamps as ISO 8601, PostgreSQL with a space and a short offset. */
const TIMESTAMP_TYPE = {
  to: 1184,
  from: [1184],
  serialize: String,
  parse: (text: string) => text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00"),
};

class ProjectConnection extends PostgresConnection {
  constructor(url: string) {
    super({
      url,
      postgresOptions: {
        max: POOL_SIZE,
        onnotice: () => {},
        connection: { statement_timeout: STATEMENT_TIMEOUT_MS },
        types: {
          json: jsonType(114),
          jsonb: jsonType(3802),
          numeric: NUMERIC_TYPE,
          timestamptz: TIMESTAMP_TYPE,
        },
      },
    });
    // Lite grants every table with row level security to everybody when it first meets one
    // (ensureRlsContext), which would undo the migrations' grants. This state says that it has done so.
    Reflect.set(this, "rlsState", "active");
  }

  /** A session that does not come to its end must not hold up the rest. */
  override close(): Promise<void> {
    return this.driver.end({ timeout: CLOSE_TIMEOUT_SECONDS });
  }

  /**
   * Lite answers an SQLSTATE that it does not know with 500 and the code `SUP`. PostgREST keeps the
   * code and chooses a status by its class; an error with the code `PGRST` tells lite both.
   *
   * Lite logs what this returns: without the stack of the driver it is one line.
   */
  override normalizeDbError(error: unknown): unknown {
    const parsed = DriverError.safeParse(error);
    if (!parsed.success) return error;
    const { code, message, detail, hint } = parsed.data;
    if (KNOWN_TO_LITE.test(code)) return parsed.data;
    const reported = isUnreachable(code) ? { code: "PGRST001", status: 503 } : {
      code,
      status: postgrestStatus(code),
    };
    return {
      code: "PGRST",
      message: JSON.stringify({ code: reported.code, message, details: detail, hint }),
      detail: JSON.stringify({ status: reported.status, headers: {} }),
    };
  }
}

/** What PostgreSQL and the driver say of an error. `code` is an SQLSTATE or one of the driver's own. */
const DriverError = z.object({
  code: z.string(),
  message: z.string(),
  detail: z.string().nullish(),
  hint: z.string().nullish(),
});

/** The codes that lite itself answers as PostgREST does. */
const KNOWN_TO_LITE = /^(21|22|42|55)|^23502$|^23503$|^23505$|^25006$|^PT|^PGRST/;

/** The driver's own codes, such as ECONNREFUSED and CONNECTION_CLOSED: the database is away. */
function isUnreachable(code: string): boolean {
  return /^(E[A-Z]+|CONNECT\w+)$/.test(code);
}

/** The HTTP status for an SQLSTATE, from PostgREST's documentation, "Errors". */
function postgrestStatus(sqlState: string): number {
  if (/^(08|53)/.test(sqlState) && sqlState !== "53400") return 503;
  if (/^(0L|0P|28)/.test(sqlState)) return 403;
  if (/^(09|25|2D|38|39|3B|40|53|54|57|58|F0|HV|XX)/.test(sqlState)) return 500;
  if (sqlState.startsWith("P0")) return sqlState === "P0001" ? 400 : 500;
  return 400;
}
