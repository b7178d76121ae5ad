/**
 * The processes that launched this one: `npx`, its shell and `deno task`.
 *
 * They do not always pass a signal on, and cannot if they are killed. So this process watches them,
 * and stops when one of them has exited.
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { findProcess, type Process } from "./processes.ts";

const POLL_INTERVAL_MS = 500;

/** Resolves when a process that launched this one has exited. Without one, it never resolves. */
export async function launcherExited(): Promise<void> {
  const launchers = await findLaunchers();
  if (launchers.length === 0) return new Promise(() => {});
  do await delay(POLL_INTERVAL_MS, undefined, { ref: false }); while (await areRunning(launchers));
}

/** Walks up the parents of this process while they are launchers. */
async function findLaunchers(): Promise<Process[]> {
  const launchers: Process[] = [];
  let candidate = await findProcess(Deno.ppid);
  while (candidate && /\b(deno|npm|npx)\b/.test(candidate.command)) {
    launchers.push(candidate);
    candidate = await findProcess(candidate.parentPid);
  }
  return launchers;
}

/** Each launcher must still be the parent of the one before it; the first is this one's parent. */
async function areRunning(launchers: readonly Process[]): Promise<boolean> {
  let parentPid = Deno.ppid;
  for (const { pid } of launchers) {
    if (parentPid !== pid) return false;
    const found = await findProcess(pid);
    if (!found || found.zombie) return false;
    parentPid = found.parentPid;
  }
  return true;
}
