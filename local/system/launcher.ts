/**
 * The processes that started this one: `npx`, its shell and `deno task`.
 *
 * A signal to one of them does not always arrive here, and one that is killed cannot pass anything on.
 * So this process watches them, and ends when one of them has ended.
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { findProcess, type Process } from "./processes.ts";

const LOOK_EVERY_MS = 500;

/** Resolves when one of the processes that launched this one has ended, or never if there are none. */
export async function launcherEnded(): Promise<void> {
  const launchers = await findLaunchers();
  if (launchers.length === 0) return new Promise(() => {});
  do await delay(LOOK_EVERY_MS, undefined, { ref: false }); while (await areAllThere(launchers));
}

/** Walks up from this process as long as the command is one of a launcher. */
async function findLaunchers(): Promise<Process[]> {
  const launchers: Process[] = [];
  let candidate = await findProcess(Deno.ppid);
  while (candidate && /\b(deno|npm|npx)\b/.test(candidate.command)) {
    launchers.push(candidate);
    candidate = await findProcess(candidate.parentPid);
  }
  return launchers;
}

/** Each one's parent is the next one in the list; the parent of the last does not matter. */
async function areAllThere(launchers: Process[]): Promise<boolean> {
  if (Deno.ppid !== launchers[0].pid) return false;
  for (const [index, { pid }] of launchers.entries()) {
    const now = await findProcess(pid);
    if (!now || now.zombie) return false;
    const parent = launchers.at(index + 1);
    if (parent && now.parentPid !== parent.pid) return false;
  }
  return true;
}
