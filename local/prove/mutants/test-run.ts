/**
 * Runs tests in a copy of the repository and says what became of them.
 * @module
 */

import { stripVTControlCharacters } from "node:util";
import type { RepositoryCopy } from "./repository-copy.ts";

/** Where tests run, one file after the other. */
export interface Lane {
  readonly copy: RepositoryCopy;
  /** A PostgreSQL server for this lane alone, as a superuser, on which tests make databases of their own. */
  readonly serverUrl: string;
  /** The folder with PostgreSQL's programs. */
  readonly postgresBin: string;
}

/** The variable by which tests/run.ts takes a server that is running already. */
const SERVER_VARIABLE = "TEST_SERVER_URL";

/** The variable that tells the tests that a mutant may be made of what they test. */
export const MUTANT_VARIABLE = "TEST_MUTANT";

/** Longer than any of the test files takes; a test that never ends does not notice anything. */
const TIMEOUT_MS = 5 * 60_000;

/** How much of the output explains a run that ended without a word about any test. */
const LAST_CHARACTERS = 600;

/** What became of a run. */
export interface TestRun {
  /** The titles of the tests that passed, and of those that failed. */
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** Whether everything went well: also what is outside of a test, as the modules and the database. */
  readonly isSuccess: boolean;
  /** The end of the output. */
  readonly end: string;
}

/** What to run. */
export interface Selection {
  readonly test: string;
  /** As `deno test --filter` takes it; the whole file if left out. */
  readonly filter: string | undefined;
  readonly failFast?: boolean;
}

/** The line about a test that passed. */
const PASSED = /^ *(.+) \.\.\. ok \([0-9]/gm;

/** A line in the list of failures; that of a module that cannot be loaded has no place in a file. */
const FAILED = /^(.+) => \.\/\S+:\d+:\d+$/gm;

/** Runs a test file in a lane. `signal` ends the run early. */
export async function runTests(
  { copy: { folder, localDir }, serverUrl, postgresBin }: Lane,
  { test, filter, failFast = false }: Selection,
  signal: AbortSignal,
): Promise<TestRun> {
  const options = [
    ...(filter === undefined ? [] : [`--filter=${filter}`]),
    ...(failFast ? ["--fail-fast"] : []),
  ];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "tests/run.ts", test, ...options],
    cwd: folder,
    env: {
      NO_COLOR: "1",
      POSTGRES_BIN: postgresBin,
      LOCAL_DIR: localDir,
      [SERVER_VARIABLE]: serverUrl,
      [MUTANT_VARIABLE]: "1",
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // Not a signal of the command, which would not leave it the time to stop its servers.
  let hasEnded = false;
  const stop = () => hasEnded || child.kill("SIGTERM");
  const timeout = setTimeout(stop, TIMEOUT_MS);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const { success, stdout, stderr } = await child.output();
  hasEnded = true;
  clearTimeout(timeout);
  signal.removeEventListener("abort", stop);

  const decoder = new TextDecoder();
  const output = stripVTControlCharacters(decoder.decode(stdout) + decoder.decode(stderr));
  const [, failures = ""] = output.split("\n FAILURES \n");
  const titles = (text: string, line: RegExp) =>
    Array.from(text.matchAll(line), ([, title = ""]) => title);
  return {
    passed: titles(output, PASSED),
    failed: titles(failures, FAILED),
    isSuccess: success,
    end: output.trim().slice(-LAST_CHARACTERS),
  };
}
