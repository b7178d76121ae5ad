/**
 * Watches what a test file logs, which must not contain any number or secret that it used.
 *
 * Warnings and errors go to the file that `deno task test` names, which prints them if a test fails: in
 * a run without failures they are of faults that tests provoke.
 * @module
 */

import { deepStrictEqual } from "node:assert/strict";
import { inspect } from "node:util";

const values = new Set<string>();
const leaks: string[] = [];

/** From now on, this number or secret must not be logged. */
export function keepPrivate(value: string): void {
  values.add(value.replace(/^\+/, ""));
}

/** Fails with every line that held a private value. */
export function assertNothingLeaked(): void {
  deepStrictEqual(leaks, []);
}

/** The variable that names the file. */
export const LOG_FILE_VARIABLE = "TEST_LOG_FILE";

const logFile = Deno.env.get(LOG_FILE_VARIABLE);
const { warn, error } = console;
// A line for each of thousands of requests would bury the output of a failing test.
console.info = watched(() => {});
console.warn = watched(logFile ? writeToFile : warn);
console.error = watched(logFile ? writeToFile : error);

function watched(write: (text: string) => void): (...parts: unknown[]) => void {
  return (...parts) => {
    const text = parts.map((part) => typeof part === "string" ? part : inspect(part)).join(" ");
    if (values.values().some((value) => text.includes(value))) leaks.push(text);
    write(text);
  };
}

function writeToFile(text: string): void {
  if (logFile) Deno.writeTextFileSync(logFile, `${text}\n`, { append: true });
}
