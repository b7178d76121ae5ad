/**
 * `deno task bench`: measures what the product costs beyond the minimal code for the same job.
 * `deno task bench books` measures, instead, how what operators call grows with the books.
 *
 * Everything is measured side by side in one run, so the ratios are meaningful on any machine, and
 * the absolute figures are not. A ratio that misses its limit is printed but fails nothing, because
 * a busy machine is not the code's fault.
 * @module
 */

import { withTemporaryStack } from "../stack/temporary.ts";
import { parseSettings, readSettings } from "../system/settings.ts";
import { runTask, TaskError } from "../system/task.ts";
import { benchBooks } from "./books.ts";
import { benchBotDeduct } from "./bot-deduct.ts";
import { benchColdStarts } from "./cold-start.ts";
import { benchDeductions } from "./deductions.ts";
import { benchKnownUser } from "./known-user.ts";
import { anyPhoneNumber, checkBooks, insertUsers } from "./users.ts";

await runTask(async () => {
  const [part, ...others] = Deno.args;
  if (others.length > 0 || part !== undefined && part !== "books") {
    throw new TaskError("Measure with `deno task bench` or `deno task bench books`.");
  }
  printMachine();
  if (part === "books") {
    await benchBooks(readSettings());
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
    await checkBooks(DATABASE_URL);
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
