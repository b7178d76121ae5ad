/**
 * A stack that lasts as long as one task: on free ports, in a folder of its own, leaving nothing
 * behind.
 * @module
 */

import { postgresHome } from "../postgres/server.ts";
import { removeIfPresent } from "../system/files.ts";
import type { Settings } from "../system/settings.ts";
import { failWhenInterrupted } from "../system/task.ts";
import { type Stack, startStack } from "./stack.ts";

/**
 * Starts the stack of `settings`, except for its ports and its folder, calls `use`, and stops the
 * stack again, even if the task is interrupted.
 *
 * @throws {TaskError} if the stack does not start or the task is interrupted, unless `interruption` says
 *   that this is no error.
 */
export async function withTemporaryStack(
  settings: Settings,
  use: (stack: Stack) => Promise<void>,
  interruption: Promise<void> = failWhenInterrupted(),
): Promise<void> {
  await using cleanUp = new AsyncDisposableStack();
  const localDir = await Deno.makeTempDir({ prefix: "whatsapp-credits-" });
  cleanUp.defer(() => removeIfPresent(localDir));
  // If this process is root, the data may be in another folder.
  cleanUp.defer(async () => await removeIfPresent(await postgresHome(localDir)));
  const stack = await startStack({
    ...settings,
    apiPort: 0,
    dbPort: 0,
    razorpayPort: 0,
    accountPort: 0,
    consolePort: 0,
    localDir,
  }, { isTemporary: true });
  cleanUp.defer(() => stack.stop());
  await Promise.race([use(stack), stack.failure, interruption]);
}
