/**
 * Watches what a test file logs, which must not contain any number or secret that it used.
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

const { warn, error } = console;
// A line for each of thousands of requests would bury the output of a failing test.
console.info = watched(() => {});
console.warn = watched(warn);
console.error = watched(error);

function watched(write: (...parts: unknown[]) => void): (...parts: unknown[]) => void {
  return (...parts) => {
    const text = parts.map((part) => typeof part === "string" ? part : inspect(part)).join(" ");
    if (values.values().some((value) => text.includes(value))) leaks.push(text);
    write(...parts);
  };
}
