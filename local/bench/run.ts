/**
 * `deno task bench`: measures what the product costs beyond the minimal code for the same job.
 * `deno task bench books` measures, instead, how what operators call grows with the books, and
 * `deno task bench scale` what ten million entries cost; with `--small`, whether it works, in seconds.
 *
 * Everything is measured side by side in one run, so the ratios are meaningful on any machine, and
 * the absolute figures are not. A ratio that misses its limit is printed but fails nothing, because
 * a busy machine is not the code's fault.
 * @module
 */

import { withTemporaryStack } from "../stack/temporary.ts";
import { parseSettings, readSettings, type Settings } from "../system/settings.ts";
import { runTask, TaskError } from "../system/task.ts";
import { benchBooks } from "./books.ts";
import { benchBotDeduct } from "./bot-deduct.ts";
import { benchColdStarts } from "./cold-start.ts";
import { benchDeductions } from "./deductions.ts";
import { benchKnownUser } from "./known-user.ts";
import { benchScale, SMALL } from "./scale.ts";
import { anyPhoneNumber, assertBooksAreRight, insertUsers } from "./users.ts";

/** What is measured only when it is named. */
const PARTS: Readonly<Record<string, (settings: Settings) => Promise<void>>> = {
  "books": benchBooks,
  "scale": (settings) => benchScale(settings),
  "scale --small": (settings) => benchScale(settings, SMALL),
};

await runTask(async () => {
  const part = Deno.args.length > 0 ? Deno.args.join(" ") : undefined;
  if (part !== undefined && !(part in PARTS)) {
    throw new TaskError(
      "Measure with `deno task bench`, `deno task bench books` or `deno task bench scale`.",
    );
  }
  printMachine();
  if (part !== undefined) {
    await PARTS[part]?.(readSettings());
    Deno.exit(0);
  }
  await benchColdStarts();
  // Always an embedded database, because the load adds hundreds of thousands of entries.
  const { localDir, postgresBin } = readSettings();
  await withTemporaryStack({ ...parseSettings({}), localDir, postgresBin }, async (stack) => {
    // The functions run in this process and would log every request.
    console.info = () => {};
    const { DATABASE_URL } = stack.environment;
    await insertUsers(DATABASE_URL);
    await benchBotDeduct(stack.environment);
    await benchKnownUser(stack.environment, anyPhoneNumber());
    await benchDeductions(DATABASE_URL);
    await assertBooksAreRight(DATABASE_URL);
  });
  Deno.exit(0);
});

/** Other programs widen the spread, so anyone who reads the figures should know about them. */
function printMachine(): void {
  const [load = 0] = Deno.loadavg();
  const processors = navigator.hardwareConcurrency;
  console.log(`${processors} processors, load ${load.toFixed(1)} before the first measurement.`);
  if (load > processors / 2) {
    console.log("The machine is busy with something else, so mind the spread of the ratios.");
  }
}
