/**
 * `deno task reset`: removes everything that the embedded stack has stored on this machine.
 * @module
 */

import { join } from "node:path";
import { postgresHome, stopLeftoverPostgres } from "../postgres/server.ts";
import { exists, removeIfPresent } from "../system/files.ts";
import { lockFolder } from "../system/folder-lock.ts";
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
    if (OWN_ENTRIES.test(name)) await removeIfPresent(join(folder, name));
    else isEmpty = false;
  }
  if (isEmpty) await removeIfPresent(folder);
}
