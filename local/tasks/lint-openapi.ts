/**
 * `deno task lint-openapi`: holds `openapi.json` against tools that other people import it with. Two
 * linters must report nothing, and the types that are generated from it must compile.
 *
 * The tools come from npm, through tasks of their own, so that no other task has to download them.
 * @module
 */

import { join } from "node:path";
import { REPOSITORY } from "../system/settings.ts";
import { runTask, TaskError } from "../system/task.ts";

/** Keeps the tools from calling home, which takes long without internet access. */
const QUIET = { REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };

/**
 * Runs Deno with these arguments.
 *
 * @throws {TaskError} with all that it printed if it fails.
 */
async function deno(...args: string[]): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd: REPOSITORY, env: QUIET });
  const { success, stdout, stderr } = await command.output();
  if (success) return;
  const decoder = new TextDecoder();
  throw new TaskError(
    `deno ${args.join(" ")}:\n${decoder.decode(stdout)}${decoder.decode(stderr)}`,
  );
}

/** payment-return answers with nothing but redirects. */
const SKIPPED_RULE = "operation-2xx-response";

await runTask(async () => {
  const options = ["--extends=recommended-strict", `--skip-rule=${SKIPPED_RULE}`];
  await deno("task", "redocly", "lint", ...options, "openapi.json");
  console.log("Redocly reports nothing.");
  await deno("task", "spectral", "lint", "--fail-severity=hint", "openapi.json");
  console.log("Spectral reports nothing.");

  const folder = await Deno.makeTempDir();
  try {
    const types = join(folder, "openapi.ts");
    await deno("task", "openapi-typescript", "openapi.json", "--output", types);
    await deno("check", types);
    console.log("The types that openapi-typescript makes of it compile.");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
