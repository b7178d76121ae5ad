/**
 * `deno task bench`: how much the product costs beyond the least that could do its work.
 *
 * Everything is measured side by side in one run, so the ratios mean something on any machine and the
 * absolute figures little. A ratio that misses its limit is printed and fails nothing: a busy machine
 * is no fault of the code.
 * @module
 */

import { withTemporaryStack } from "../stack/temporary.ts";
import { parseSettings, readSettings } from "../system/settings.ts";
import { runTask } from "../system/task.ts";
import { benchBotDeduct } from "./bot-deduct.ts";
import { benchColdStarts } from "./cold-start.ts";
import { benchDeductions } from "./deductions.ts";
import { benchKnownUser } from "./known-user.ts";
import { anyPhoneNumber, checkBooks, makeUsers } from "./users.ts";

await runTask(async () => {
  printSurroundings();
  await benchColdStarts();
  // Only ever an embedded database: the load leaves hundreds of thousands of entries behind.
  const { localDir, postgresBin } = readSettings();
  await withTemporaryStack({ ...parseSettings({}), localDir, postgresBin }, async (stack) => {
    // The functions that run in this process log every request.
    console.info = () => {};
    const { DATABASE_URL } = stack.environment;
    await makeUsers(DATABASE_URL);
    await benchBotDeduct(stack.environment);
    await benchKnownUser(stack.environment, anyPhoneNumber());
    await benchDeductions(DATABASE_URL);
    await checkBooks(DATABASE_URL);
  });
  Deno.exit(0);
});

/** Other programs widen the spread, and whoever reads the figures should know of them. */
function printSurroundings(): void {
  const [load] = Deno.loadavg();
  const processors = navigator.hardwareConcurrency;
  console.log(`${processors} processors, load ${load.toFixed(1)} before the first measurement.`);
  if (load > processors / 2) {
    console.log("The machine is busy with something else: read the ratios with their spread.");
  }
}
