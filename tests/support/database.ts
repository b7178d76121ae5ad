/**
 * Databases for tests, one for each backend, on the server that `deno task test` has started.
 * @module
 */

import { randomBytes } from "node:crypto";
import postgres from "postgres";
import { prepareDatabase } from "../../local/postgres/platform.ts";
import { migrate } from "../../local/postgres/migrations.ts";

/** The variable that names the template, as a superuser, for the tests' process. */
export const TEMPLATE_VARIABLE = "TEST_TEMPLATE_URL";

/** A database that nothing else uses. */
export interface TestDatabase {
  /** Logs in as the role that owns the tables. */
  readonly url: string;
  /** Logs in as a superuser. */
  readonly superuserUrl: string;
  /** Queries as the role that owns the tables. */
  readonly sql: postgres.Sql;
  /** Closes `sql`, ends every other session and removes the database. */
  drop(): Promise<void>;
}

/** Makes a database with the migrations and the seed. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { template } = server();
  return await createDatabase(`template ${template}`);
}

/** Runs `act` on a database of its own. */
export async function withTestDatabase(
  act: (database: TestDatabase) => Promise<void>,
): Promise<void> {
  const database = await createTestDatabase();
  try {
    await act(database);
  } finally {
    await database.drop();
  }
}

/** Makes a database without tables; the argument says whether new objects are exposed in the API. */
export async function createEmptyDatabase(exposeNewObjects: boolean): Promise<TestDatabase> {
  const database = await createDatabase("");
  const { password } = new URL(database.url);
  await prepareDatabase(database.superuserUrl, { password, exposeNewObjects });
  return database;
}

/** Makes the database that the others are copied from, anew if it is there, and returns its URL. */
export async function createTemplate(serverUrl: string): Promise<string> {
  const name = "credits_template";
  await onServer(serverUrl, `drop database if exists ${name}`);
  await onServer(serverUrl, `create database ${name}`);
  const templateUrl = withDatabase(serverUrl, name);
  await prepareDatabase(templateUrl, { password: new URL(serverUrl).password });
  await migrate(asOwner(templateUrl));
  return templateUrl;
}

async function createDatabase(options: string): Promise<TestDatabase> {
  const { templateUrl } = server();
  const name = `test_${randomBytes(6).toString("hex")}`;
  await onServer(templateUrl, `create database ${name} owner postgres ${options}`);
  const superuserUrl = withDatabase(templateUrl, name);
  const url = asOwner(superuserUrl);
  const sql = postgres(url, { onnotice: () => {} });
  return {
    url,
    superuserUrl,
    sql,
    async drop() {
      await sql.end({ timeout: 5 });
      await onServer(templateUrl, `drop database ${name} with (force)`);
    },
  };
}

function server(): { templateUrl: string; template: string } {
  const templateUrl = Deno.env.get(TEMPLATE_VARIABLE);
  if (!templateUrl) {
    throw new Error(
      'These tests need a server: run them with "deno task test" and their file names.',
    );
  }
  return { templateUrl, template: new URL(templateUrl).pathname.slice(1) };
}

/** A database cannot be created, dropped or copied by a session that is connected to it. */
async function onServer(anyUrl: string, statement: string): Promise<void> {
  const sql = postgres(withDatabase(anyUrl, "postgres"), { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

/** The test server has one password for all of its roles. */
function asOwner(superuserUrl: string): string {
  const changed = new URL(superuserUrl);
  changed.username = "postgres";
  return changed.href;
}
