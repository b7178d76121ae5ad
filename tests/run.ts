/**
 * `deno task test [files and options of deno test]`: runs all tests, or the ones named, on PostgreSQL
 * servers that are started for them and removed afterwards.
 *
 * Several files are tested at once, each in a process of its own, because the functions under test
 * read the environment of their process.
 * @module
 */

import { join, normalize } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { exists } from "../local/system/files.ts";
import { interrupted, runTask, TaskError } from "../local/system/task.ts";
import { readSettings, REPOSITORY } from "../local/system/settings.ts";
import { createTemplate, TEMPLATE_VARIABLE } from "./support/database.ts";
import { LOG_FILE_VARIABLE } from "./support/private-values.ts";
import { givenTestServer, startTestServer } from "./support/server.ts";

/** How many lines of a file's log are printed if one of its tests fails. */
const MAX_LOG_LINES = 200;

/** Variables that point to a stack. Tests start their own, and must not touch the developer's. */
const STACK_VARIABLES =
  /^(API_PORT|DB_PORT|RAZORPAY_|SUPABASE_|DATABASE_URL$|BOT_SECRET|FRONTEND_|ALLOWED_ORIGINS$|CONSOLE_|EVENTS_|DEFAULT_COUNTRY$|LOG_FORMAT$)/;

/**
 * So many more files are tested at once than there are processors, because tests also wait: for a browser,
 * for processes that start, for time limits.
 */
const SPARE_LANES = 1;

/** At most so many, however many processors there are. */
const MAX_LANES = 4;

/** The files that take longest. They come first, so that none of them is left alone in the end. */
const LONG_FILES = [
  "tests/prove/fuzz.test.ts",
  "tests/prove/soak.test.ts",
  "tests/pages/account.test.ts",
  "tests/pages/console.test.ts",
  "tests/prove/load.test.ts",
  "tests/payments/model.test.ts",
  "tests/payments/credit-model.test.ts",
  "tests/local/stack.test.ts",
  "tests/payments/faults.test.ts",
];

/** How many lines of each error are repeated at the end. */
const MAX_ERROR_LINES = 12;

/** The result of one run of `deno test`. */
interface Result {
  readonly code: number;
  /** What deno printed about each failed test. */
  readonly errors: readonly string[];
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

await runTask(async () => {
  const interruption = interrupted();
  const { files, options } = await selection();
  const settings = readSettings();
  const given = await givenTestServer(settings);
  const maxLanes = given === undefined ? MAX_LANES : 1;
  const count = Math.max(
    1,
    Math.min(navigator.hardwareConcurrency + SPARE_LANES, maxLanes, files.length),
  );
  const queue = files.values();
  const results: Result[] = [];
  await using cleanUp = new AsyncDisposableStack();

  // A server of its own for each lane: roles belong to a whole server, and some tests change them.
  const first = given ?? await startTestServer(settings);
  cleanUp.defer(() => first.stop());
  const { binaries } = first;
  const servers = [first];
  for (let lane = 1; lane < count; lane++) {
    const server = await startTestServer({ ...settings, postgresBin: binaries });
    cleanUp.defer(() => server.stop());
    servers.push(server);
  }

  await Promise.all(servers.map(async ({ url }) => {
    const variables = { [TEMPLATE_VARIABLE]: await createTemplate(url), POSTGRES_BIN: binaries };
    for (const file of queue) {
      results.push(
        await runTests([...options, file], { variables, interruption, isAlone: count === 1 }),
      );
    }
  }));
  const errors = results.flatMap((result) => result.errors);
  // Repeated here, because the end of a long log is what everybody sees first.
  if (errors.length > 0) console.log(`\nWhat failed:\n\n${errors.join("\n\n")}\n`);
  const total = (part: "passed" | "failed" | "ignored") =>
    results.reduce((sum, result) => sum + result[part], 0);
  const ignored = total("ignored");
  console.log(
    `${total("passed")} passed, ${total("failed")} failed${ignored ? `, ${ignored} skipped` : ""}`,
  );
  if (results.some(({ code }) => code !== 0)) Deno.exitCode = 1;
});

/**
 * Runs `deno test`. Unless it runs alone, its output is printed when it is complete. If a test fails,
 * what the functions logged follows.
 */
async function runTests(
  args: string[],
  { variables, interruption, isAlone }: {
    variables: Record<string, string>;
    interruption: Promise<void>;
    isAlone: boolean;
  },
): Promise<Result> {
  const logFile = await Deno.makeTempFile();
  const tests = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--no-check", ...args],
    cwd: REPOSITORY,
    clearEnv: true,
    env: { ...inheritedEnvironment(), ...variables, [LOG_FILE_VARIABLE]: logFile },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let hasEnded = false;
  interruption.then(() => hasEnded || tests.kill("SIGTERM"));
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of tests.stdout) {
    chunks.push(chunk);
    if (isAlone) await print(chunk);
  }
  const { code } = await tests.status;
  hasEnded = true;
  const output = new Uint8Array(await new Blob(chunks).arrayBuffer());
  if (!isAlone) await print(output);
  const log = await Deno.readTextFile(logFile);
  await Deno.remove(logFile);
  if (code !== 0 && log) console.log(loggedErrors(log));
  const text = stripVTControlCharacters(new TextDecoder().decode(output));
  return { code, errors: errorsIn(text), ...summary(text) };
}

/** The last lines of the log, among them those of faults that tests provoke. */
function loggedErrors(log: string): string {
  const lines = log.trimEnd().split("\n");
  const last = lines.slice(-MAX_LOG_LINES);
  return `\nLogged by these tests, expected errors included (${last.length} of ${lines.length} ` +
    `lines):\n${last.join("\n")}\n`;
}

async function print(bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await Deno.stdout.write(bytes.subarray(written));
  }
}

/** The files to test, which are all unless some are named, and the options for `deno test`. */
async function selection(): Promise<{ files: string[]; options: string[] }> {
  const isPath = await Promise.all(Deno.args.map((argument) => exists(argument)));
  const paths = Deno.args.filter((_, index) => isPath[index]);
  const options = Deno.args.filter((_, index) => !isPath[index]);
  const found = await Promise.all((paths.length > 0 ? paths : ["tests"]).map(testFiles));
  const files = [...new Set(found.flat())].sort();
  const rank = (file: string) => LONG_FILES.includes(file) ? 0 : 1;
  return { files: files.sort((one, other) => rank(one) - rank(other)), options };
}

/** The test files in a folder; a file stands for itself. */
async function testFiles(path: string): Promise<string[]> {
  if ((await Deno.stat(path)).isFile) return [normalize(path)];
  const files: string[] = [];
  for await (const { name } of Deno.readDir(path)) {
    const inside = join(path, name);
    const { isDirectory } = await Deno.stat(inside);
    if (isDirectory) files.push(...await testFiles(inside));
    else if (name.endsWith(".test.ts")) files.push(inside);
  }
  return files;
}

function inheritedEnvironment(): Record<string, string> {
  const variables = Object.entries(Deno.env.toObject());
  return Object.fromEntries(variables.filter(([name]) => !STACK_VARIABLES.test(name)));
}

/** The beginning of each error in the section that deno prints where a test failed. */
function errorsIn(output: string): string[] {
  const [, section = ""] = output.match(/\n ERRORS \n([^]*)\n FAILURES \n/) ?? [];
  return section.split(/\n\n(?=.* => \S+:\d+:\d+\n)/).map((error) =>
    error.trim().split("\n").slice(0, MAX_ERROR_LINES).join("\n")
  ).filter((error) => error !== "");
}

/** The counts of deno's last line, such as "ok | 9 passed | 0 failed | 1 ignored (2s)". */
function summary(output: string): Omit<Result, "code" | "errors"> {
  const pattern = /\| (\d+) passed[^|]*\| (\d+) failed[^|\n]*(?:\| (\d+) ignored)?/g;
  const counts = [...output.matchAll(pattern)].at(-1);
  if (!counts) throw new TaskError("The tests ended before they finished.");
  const [, passed, failed, ignored] = counts.map(Number);
  return { passed: passed ?? 0, failed: failed ?? 0, ignored: ignored || 0 };
}
