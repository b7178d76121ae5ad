/**
 * A PostgreSQL server that exists for one task, in a folder of its own, so that a running stack and its
 * data are left alone.
 * @module
 */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import postgres from "postgres";
import { removeIfPresent } from "../system/files.ts";
import type { Settings } from "../system/settings.ts";
import { failWhenInterrupted } from "../system/task.ts";
import { installPostgres } from "./binaries.ts";
import { prepareDatabase } from "./platform.ts";
import { postgresHome, startPostgres, SUPERUSER } from "./server.ts";

/** A server that is stopped and removed after its use. */
export interface TemporaryServer {
  /**
   * Creates a database like that of a new Supabase project, and returns its URL for the role that runs
   * migrations.
   */
  createDatabase(name: string): Promise<string>;
  /** Returns the URL of one of its databases for a superuser. */
  superuserUrl(name: string): string;
  /** Removes a database, and with it its space on the disk. */
  dropDatabase(name: string): Promise<void>;
}

/**
 * Starts a server on a free port, with `serverSettings` in the way of postgresql.conf, calls `use`, and
 * removes the server and its data, even if the task is interrupted. An `interruption` that never rejects is
 * for a `use` that ends by itself then, and has to clean up before its server goes.
 *
 * @throws {TaskError} if the server does not start or the task is interrupted.
 */
export async function withTemporaryServer<Result>(
  settings: Settings,
  use: (server: TemporaryServer) => Promise<Result>,
  serverSettings: Readonly<Record<string, string>> = {},
  interruption: Promise<never> = failWhenInterrupted(),
): Promise<Result> {
  await using cleanUp = new AsyncDisposableStack();
  const localDir = await Deno.makeTempDir({ prefix: "whatsapp-credits-" });
  cleanUp.defer(() => removeIfPresent(localDir));
  const home = await postgresHome(localDir);
  // Run by root, the server may need its data elsewhere.
  cleanUp.defer(() => removeIfPresent(home));
  const password = randomBytes(24).toString("hex");
  const server = await startPostgres({
    binaries: settings.postgresBin ?? await installPostgres(),
    folder: join(home, "postgres"),
    port: 0,
    password,
    durable: false,
    settings: serverSettings,
  });
  cleanUp.defer(() => server.stop());
  const urlOf = (role: string, database: string) =>
    `postgresql://${role}:${password}@127.0.0.1:${server.port}/${database}`;

  const onServer = async (statement: string) => {
    const sql = postgres(urlOf(SUPERUSER, "postgres"), { max: 1, onnotice: () => {} });
    try {
      await sql.unsafe(statement);
    } finally {
      await sql.end();
    }
  };

  const used = use({
    async createDatabase(name) {
      await onServer(`create database "${name}"`);
      await prepareDatabase(urlOf(SUPERUSER, name), { password });
      return urlOf("postgres", name);
    },
    superuserUrl: (name) => urlOf(SUPERUSER, name),
    dropDatabase: (name) => onServer(`drop database "${name}" with (force)`),
  });
  return await Promise.race([used, interruption]);
}
