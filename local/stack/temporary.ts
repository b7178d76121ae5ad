/**
 * A stack for the length of one task: on free ports, in a folder of its own, with nothing left behind.
 * @module
 */

import { installPostgres } from "../postgres/binaries.ts";
import { postgresHome } from "../postgres/server.ts";
import { removeIfPresent } from "../system/files.ts";
import type { Settings } from "../system/settings.ts";
import { TaskError } from "../system/task.ts";
import { type Stack, startStack } from "./stack.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Starts the stack of `settings`, but for its ports and its folder, calls `use`, and stops it again,
 * also when the task is told to end meanwhile.
 */
export async function withTemporaryStack(
  settings: Settings,
  use: (stack: Stack) => Promise<void>,
): Promise<void> {
  await using cleanUp = new AsyncDisposableStack();
  const ended = toldToEnd(cleanUp);
  const localDir = await Deno.makeTempDir({ prefix: "whatsapp-credits-" });
  cleanUp.defer(() => removeIfPresent(localDir));
  // For root, the data may have to lie elsewhere.
  cleanUp.defer(async () => await removeIfPresent(await postgresHome(localDir)));
  const stack = await startStack({
    ...settings,
    apiPort: 0,
    dbPort: 0,
    razorpayPort: 0,
    localDir,
    postgresBin: await postgresPrograms(settings),
  });
  cleanUp.defer(() => stack.stop());
  await Promise.race([use(stack), stack.failure, ended]);
}

/** The programs of `deno task start`, so that they are installed once. */
async function postgresPrograms(settings: Settings): Promise<string | undefined> {
  if (settings.postgresBin || settings.databaseUrl || settings.supabase) {
    return settings.postgresBin;
  }
  return await installPostgres(await postgresHome(settings.localDir));
}

/** Rejects at the first signal that asks this process to end. */
function toldToEnd(cleanUp: AsyncDisposableStack): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  const end = () => reject(new TaskError("It was broken off."));
  for (const signal of SIGNALS) {
    Deno.addSignalListener(signal, end);
    cleanUp.defer(() => Deno.removeSignalListener(signal, end));
  }
  return promise;
}
