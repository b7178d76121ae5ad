/**
 * `/rest/v1` and `/auth/v1`: `@supabase/lite` on the stack's PostgreSQL, or a given Supabase
 * project.
 *
 * Lite implements the protocols of PostgREST and Auth in this process. Where it differs from a
 * hosted project in a way that would hide faults, {@linkcode ProjectConnection} corrects it.
 * @module
 */

import { App, ConsoleEmailDriver } from "@supabase/lite";
import { PostgresConnection } from "@supabase/lite/postgres";
import { z } from "zod";
import { answerAuth } from "./embedded-auth.ts";
import { type Connections, openConnections } from "./connections.ts";

/** Serves the paths `/rest/v1/...` and `/auth/v1/...`. */
export interface DataApi {
  fetch(request: Request): Promise<Response>;
  close(): Promise<void>;
}

/** How to start the embedded Data API. */
interface DataApiOptions {
  /** Logs in as the tables' owner, which can switch to `anon` and the others for a request. */
  readonly databaseUrl: string;
  readonly publishableKey: string;
  readonly secretKey: string;
  /** Signs the sessions of users (HS256). */
  readonly jwtSecret: string;
}

/** The most connections that the Data API opens. */
const POOL_SIZE = 20;

/**
 * How long a statement may take unless a SQL function declares a timeout of its own. Supabase gives it
 * to the role that PostgREST logs in as (Supabase docs, "Timeouts").
 */
const STATEMENT_TIMEOUT_MS = 8_000;

/** Starts the embedded Data API on a migrated database. */
export async function startDataApi(options: DataApiOptions): Promise<DataApi> {
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
    // The Supabase CLI manages the history of migrations.
    db: { migrations: { enabled: false } },
    options: {
      // Refuses a request without a key, as a hosted project does.
      server: { admin: false, disableStudio: true },
      drivers: { email: new ConsoleEmailDriver() },
    },
  });
  let refreshing: Promise<void> = Promise.resolve();
  // If the database dies meanwhile, or is being closed, what was read before stays known. A rejection
  // that nobody awaits would end the whole stack.
  const refresh = () => {
    refreshing = refreshing.then(() => connection.readSchema()).catch(() => {});
  };
  try {
    await provideAuthTables(app, connection);
    // Known by now. It would ask again whenever it connects, and must not: see connections.ts.
    Reflect.set(connection.driver.options, "fetch_types", false);
    // Once it has been read, the schema stays known even while the database is unavailable.
    await connection.readSchema();
    // PostgreSQL notifies this channel when a migration has changed the schema, as for PostgREST.
    await connection.driver.listen("pgrst", refresh);
  } catch (error) {
    await connection.close();
    throw error;
  }
  const answer = (request: Request) => app.fetch(request, { peerAddress: null });
  return {
    fetch: (request) =>
      new URL(request.url).pathname.startsWith("/auth/v1/")
        ? answerAuth(request, { ...options, fetch: answer })
        : answer(request),
    async close() {
      await refreshing;
      await connection.close();
    },
  };
}

/** Creates the tables for users and sessions, unless the database is a given Supabase one. */
async function provideAuthTables(app: App, connection: PostgresConnection): Promise<void> {
  const [authUsers] = await connection.driver<[{ exist: boolean }]>`
    select to_regclass('auth.users') is not null as exist`;
  if (!authUsers.exist) await app.ensureSystemSchema();
}

/** Forwards requests to the Supabase project at `projectUrl`. */
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

/** Lite passes objects and arrays as JSON text, which the driver would encode a second time. */
const jsonType = (oid: number) => ({
  to: oid,
  from: [oid],
  serialize: (value: unknown) => typeof value === "string" ? value : JSON.stringify(value),
  parse: (text: string): unknown => JSON.parse(text),
});

/** PostgREST writes a numeric as a JSON number; the driver would return text. */
const NUMERIC_TYPE = { to: 1700, from: [1700], serialize: String, parse: Number };

/** PostgREST writes timestamps as ISO 8601; PostgreSQL uses a space and a short offset. */
const TIMESTAMP_TYPE = {
  to: 1184,
  from: [1184],
  serialize: String,
  parse: (text: string) => text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00"),
};

type WithContext = Parameters<PostgresConnection["withContext"]>;
type Database = Parameters<WithContext[1]>[0];

class ProjectConnection extends PostgresConnection {
  readonly #connections: Connections;
  /** The timeouts that SQL functions of the API declare, by name. */
  #timeouts = new Map<string, string>();

  constructor(url: string) {
    super({
      url,
      postgresOptions: {
        max: 1,
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
    // Kysely reserves a connection for each statement and transaction.
    this.#connections = openConnections(this.driver, POOL_SIZE);
    Reflect.set(this.driver, "reserve", () => this.#connections.reserve());
    // When lite first finds a table with row-level security, it grants all of them to every role
    // (ensureRlsContext), which would undo the migrations' grants. This state claims that it
    // already has.
    Reflect.set(this, "rlsState", "active");
  }

  /** Reads everything about the schema that is kept between requests. */
  async readSchema(): Promise<void> {
    await this.introspect();
    const timeouts = await this.driver<{ name: string; timeout: string }[]>`
      select p.proname as name, split_part(setting, '=', 2) as timeout
      from pg_catalog.pg_proc p, unnest(p.proconfig) as setting
      where p.pronamespace = 'public'::regnamespace and setting like 'statement_timeout=%'`;
    this.#timeouts = new Map(timeouts.map(({ name, timeout }) => [name, timeout]));
  }

  /**
   * PostgreSQL starts the timeout of a statement before it looks at the function that is called, so
   * PostgREST sets a function's timeout before the call (PostgREST docs, "Functions: timeouts").
   */
  override withContext<Result>(
    user: WithContext[0],
    act: (database: Database) => Promise<Result>,
    options?: WithContext[2],
  ): Promise<Result> {
    const timeout = this.#timeouts.get(options?.rpc?.path.slice("/rpc/".length) ?? "");
    if (timeout === undefined) return super.withContext(user, act, options);
    return super.withContext(user, async (database) => {
      await database.selectNoFrom(({ fn, val }) =>
        fn("set_config", [val("statement_timeout"), val(timeout), val(true)]).as("timeout")
      ).execute();
      return await act(database);
    }, options);
  }

  override async close(): Promise<void> {
    await this.#connections.end();
    await this.driver.end({ timeout: 0 });
  }

  /**
   * Lite responds to an SQLSTATE that it does not know with 500 and the code `SUP`. PostgREST keeps
   * the code and chooses the status by its class; an error with the code `PGRST` tells lite both.
   *
   * Lite logs what this returns, so it leaves out the driver's stack trace.
   */
  override normalizeDbError(error: unknown): unknown {
    const parsed = driverError.safeParse(error);
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

/** An error of PostgreSQL or the driver. `code` is an SQLSTATE or one of the driver's own. */
const driverError = z.object({
  code: z.string(),
  message: z.string(),
  detail: z.string().nullish(),
  hint: z.string().nullish(),
});

/** The codes that lite itself handles as PostgREST does. */
const KNOWN_TO_LITE = /^(21|22|42|55)|^23502$|^23503$|^23505$|^25006$|^PT|^PGRST/;

/** Returns whether a code is one of the driver's own, such as ECONNREFUSED or CONNECTION_CLOSED. */
function isUnreachable(code: string): boolean {
  return /^(E[A-Z]+|CONNECT\w+)$/.test(code);
}

/** Returns the HTTP status for an SQLSTATE (PostgREST docs, "Errors"). */
function postgrestStatus(sqlState: string): number {
  if (/^(08|53)/.test(sqlState) && sqlState !== "53400") return 503;
  if (/^(0L|0P|28)/.test(sqlState)) return 403;
  if (/^(09|25|2D|38|39|3B|40|53|54|57|58|F0|HV|XX)/.test(sqlState)) return 500;
  if (sqlState.startsWith("P0")) return sqlState === "P0001" ? 400 : 500;
  return 400;
}
