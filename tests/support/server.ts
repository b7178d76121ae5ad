/**
 * The PostgreSQL server of one test run, in a folder that is removed with it.
 * @module
 */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { exists } from "../../local/system/files.ts";
import { lockFolder, tryLockFolder } from "../../local/system/folder-lock.ts";
import { makeLocalFolder } from "../../local/system/local-folder.ts";
import { installPostgres } from "../../local/postgres/binaries.ts";
import {
  postgresHome,
  startPostgres,
  stopLeftoverPostgres,
  SUPERUSER,
} from "../../local/postgres/server.ts";
import type { Settings } from "../../local/system/settings.ts";

/** The variable that names a server to run tests on, as a superuser. `deno task prove mutants` sets it. */
export const SERVER_VARIABLE = "TEST_SERVER_URL";

/** A server for tests. */
export interface TestServer {
  /** Logs in as a superuser. */
  readonly url: string;
  /** The folder with its programs, for tests that start servers of their own. */
  readonly binaries: string;
  stop(): Promise<void>;
}

/**
 * Returns the server that the environment names, if it names one. Whoever started it runs the tests of one
 * file after the other on it, and stops it.
 */
export async function givenTestServer(settings: Settings): Promise<TestServer | undefined> {
  const url = Deno.env.get(SERVER_VARIABLE);
  if (!url) return undefined;
  const binaries = settings.postgresBin ?? await installPostgres();
  return { url, binaries, stop: () => Promise.resolve() };
}

/** Starts a server that trades crash safety for speed. */
export async function startTestServer(settings: Settings): Promise<TestServer> {
  await makeLocalFolder(settings.localDir);
  const home = await postgresHome(settings.localDir);
  const runs = join(home, "test");
  await removeAbandonedRuns(runs);

  const folder = join(runs, randomBytes(4).toString("hex"));
  const lock = await lockFolder(folder);
  const binaries = settings.postgresBin ?? await installPostgres();
  const password = randomBytes(24).toString("hex");
  const server = await startPostgres({
    binaries,
    folder: join(folder, "postgres"),
    port: 0,
    password,
    durable: false,
  });
  return {
    binaries,
    url: `postgresql://${SUPERUSER}:${password}@127.0.0.1:${server.port}/postgres`,
    async stop() {
      await server.stop();
      await Deno.remove(folder, { recursive: true });
      lock.release();
    },
  };
}

/** A killed run leaves its folder behind; one that is still running holds a lock on it. */
async function removeAbandonedRuns(runs: string): Promise<void> {
  if (!await exists(runs)) return;
  for await (const { name } of Deno.readDir(runs)) {
    const folder = join(runs, name);
    const lock = await tryLockFolder(folder);
    if (!lock) continue;
    await stopLeftoverPostgres(join(folder, "postgres"));
    await Deno.remove(folder, { recursive: true });
    lock.release();
  }
}
