/**
 * Programs of this repository that a part runs in processes of their own.
 * @module
 */

import { REPOSITORY } from "../system/settings.ts";
import { failWhenInterrupted } from "../system/task.ts";

/**
 * Runs a module with arguments, hands over each line that it prints, and returns whether it succeeded.
 * The module has to stop by itself when the process that launched it ends.
 *
 * @throws {TaskError} if this process is asked to stop meanwhile.
 */
export async function runChild(
  [module, ...args]: readonly [module: string, ...args: string[]],
  printed: (line: string) => void,
): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", module, ...args],
    cwd: REPOSITORY,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reading = (async () => {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      lines.forEach(printed);
    }
  })();
  await Promise.race([reading, failWhenInterrupted()]);
  return (await child.status).success;
}
