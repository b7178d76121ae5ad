/**
 * `deno task test [files and options of deno test]`: runs all tests, or the ones named, on a PostgreSQL
 * server that is started for them and removed afterwards.
 * @module
 */

import { stripVTControlCharacters } from "node:util";
import { exists } from "../local/system/files.ts";
import { interrupted, runTask, TaskError } from "../local/system/task.ts";
import { readSettings, REPOSITORY } from "../local/system/settings.ts";
import { createTemplate, TEMPLATE_VARIABLE } from "./support/database.ts";
import { LOG_FILE_VARIABLE } from "./support/private-values.ts";
import { startTestServer } from "./support/server.ts";

/** How many characters of the tests' output are kept, to find the last lines in. */
const ENDING_LENGTH = 2_000;

/** How many lines of the log are printed if a test fails. */
const MAX_LOG_LINES = 200;

/** Variables that point to a stack. Tests start their own, and must not touch the developer's. */
const STACK_VARIABLES =
  /^(API_PORT|DB_PORT|RAZORPAY_|SUPABASE_|DATABASE_URL$|BOT_SECRET|FRONTEND_|ALLOWED_ORIGINS$|DEFAULT_COUNTRY$|LOG_FORMAT$)/;

await runTask(async () => {
  const interruption = interrupted();
  const server = await startTestServer(readSettings());
  const logFile = await Deno.makeTempFile();
  let code = 1;
  try {
    const variables = {
      [TEMPLATE_VARIABLE]: await createTemplate(server.url),
      [LOG_FILE_VARIABLE]: logFile,
      POSTGRES_BIN: server.binaries,
    };
    code = await runTests(variables, interruption, logFile);
  } finally {
    await Deno.remove(logFile);
    await server.stop();
  }
  Deno.exit(code);
});

/**
 * Runs `deno test` and returns its exit code. Its output is followed by the line "N passed, N failed",
 * and before it, if a test failed, by the errors that were logged.
 */
async function runTests(
  variables: Record<string, string>,
  interruption: Promise<void>,
  logFile: string,
): Promise<number> {
  const tests = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--no-check", ...await selection()],
    cwd: REPOSITORY,
    clearEnv: true,
    env: { ...inheritedEnvironment(), ...variables },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  interruption.then(() => tests.kill("SIGTERM")).catch(() => {});
  const ending = await passOn(tests.stdout);
  const { code } = await tests.status;
  const log = await Deno.readTextFile(logFile);
  if (code !== 0 && log) console.log(loggedErrors(log));
  console.log(summary(ending));
  return code;
}

/** Prints what the tests print as they print it, and returns the end of it. */
async function passOn(output: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const decoder = new TextDecoder();
  let ending = "";
  for await (const chunk of output) {
    for (let written = 0; written < chunk.length;) {
      written += await Deno.stdout.write(chunk.subarray(written));
    }
    ending = (ending + decoder.decode(chunk, { stream: true })).slice(-ENDING_LENGTH);
  }
  return stripVTControlCharacters(ending);
}

/** The arguments, followed by the folder of all tests if no file or folder is among them. */
async function selection(): Promise<string[]> {
  const named = await Promise.all(Deno.args.map((argument) => exists(argument)));
  return named.includes(true) ? Deno.args : [...Deno.args, "tests/"];
}

/** The last lines of the log, among them those of faults that tests provoke. */
function loggedErrors(log: string): string {
  const lines = log.trimEnd().split("\n");
  const last = lines.slice(-MAX_LOG_LINES);
  return `\nLogged by all of these tests, expected errors included (${last.length} of ${lines.length} ` +
    `lines; name a file to see only its own):\n${last.join("\n")}\n`;
}

function inheritedEnvironment(): Record<string, string> {
  const variables = Object.entries(Deno.env.toObject());
  return Object.fromEntries(variables.filter(([name]) => !STACK_VARIABLES.test(name)));
}

/** A plain version of deno's last line, such as "ok | 9 passed | 0 failed (2s)". */
function summary(ending: string): string {
  const pattern = /\| (\d+) passed[^|]*\| (\d+) failed[^|\n]*(?:\| (\d+) ignored)?/g;
  const counts = [...ending.matchAll(pattern)].at(-1);
  if (!counts) throw new TaskError("The tests ended before they finished.");
  const [, passed, failed, ignored] = counts;
  return `${passed} passed, ${failed} failed${ignored ? `, ${ignored} skipped` : ""}`;
}
