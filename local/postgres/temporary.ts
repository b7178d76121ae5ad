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
}

/** Starts a server on a free port, calls `use`, and removes the server and its data. */
export async function withTemporaryServer<Result>(
  settings: Settings,
  use: (server: TemporaryServer) => Promise<Result>,
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
  });
  cleanUp.defer(() => server.stop());
  const urlOf = (role: string, database: string) =>
    `postgresql://${role}:${password}@127.0.0.1:${server.port}/${database}`;

  return await use({
    async createDatabase(name) {
      const sql = postgres(urlOf(SUPERUSER, "postgres"), { max: 1, onnotice: () => {} });
      try {
        await sql`create database ${sql(name)}`;
      } finally {
        await sql.end();
      }
      await prepareDatabase(urlOf(SUPERUSER, name), { password });
      return urlOf("postgres", name);
    },
  });
}
