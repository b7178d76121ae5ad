/**
 * `deno task reset`: removes everything that the embedded stack has stored on this machine.
 * @module
 */

import { basename, join } from "node:path";
import { postgresHome, stopLeftoverPostgres } from "../postgres/server.ts";
import { exists, readIfPresent, removeIfPresent } from "../system/files.ts";
import { lockFolder } from "../system/folder-lock.ts";
import { IGNORE_EVERYTHING } from "../system/local-folder.ts";
import { readSettings } from "../system/settings.ts";
import { runTask } from "../system/task.ts";

/** What a stack and the tests create. LOCAL_DIR may be any folder, so nothing else is removed. */
const OWN_ENTRIES =
  /^(postgres|postgres-binaries-.*|test|razorpay\.json|secrets\.json|stack\.env|stack\.lock)$/;

await runTask(async () => {
  const { localDir } = readSettings();
  const lock = await lockFolder(localDir);
  const home = await postgresHome(localDir);
  await stopLeftoverPostgres(join(home, "postgres"));
  for (const folder of new Set([home, localDir])) {
    if (await exists(folder)) await clear(folder);
  }
  lock.release();
  console.log(`Cleared ${localDir}.`);
});

async function clear(folder: string): Promise<void> {
  let isEmpty = true;
  for await (const { name } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (OWN_ENTRIES.test(name) || await isOwnIgnoreFile(path)) await removeIfPresent(path);
    else isEmpty = false;
  }
  if (isEmpty) await removeIfPresent(folder);
}

async function isOwnIgnoreFile(path: string): Promise<boolean> {
  return basename(path) === ".gitignore" && await readIfPresent(path) === IGNORE_EVERYTHING;
}
