/**
 * Processes of this machine: whether one is still running, its command, and its parent.
 *
 * On Linux this reads `/proc`, without starting a program; elsewhere it runs `ps`.
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";

/** A process. `zombie` means that it has exited and its parent has not collected its status yet. */
export interface Process {
  readonly pid: number;
  readonly parentPid: number;
  readonly zombie: boolean;
  /** Program and arguments, separated by spaces. */
  readonly command: string;
}

/** Returns the process, or undefined if no process has this id. */
export async function findProcess(pid: number): Promise<Process | undefined> {
  return Deno.build.os === "linux" ? await readProc(pid) : await runPs(pid);
}

/** Returns whether the process is running. A zombie is not. */
export async function isRunning(pid: number): Promise<boolean> {
  const found = await findProcess(pid);
  return found !== undefined && !found.zombie;
}

/** Waits until the process has exited and returns true, or returns false after `timeoutMs`. */
export async function waitForExit(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (await isRunning(pid)) {
    if (Date.now() > deadline) return false;
    await delay(20);
  }
  return true;
}

/** Sends a signal, unless the process has already exited. */
export function sendSignal(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function readProc(pid: number): Promise<Process | undefined> {
  try {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    const command = await Deno.readTextFile(`/proc/${pid}/cmdline`);
    // The name in parentheses may itself contain parentheses, so fields count from the last one.
    const [state, parentPid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      pid,
      parentPid: Number(parentPid),
      zombie: state === "Z" || state === "X",
      command: command.replaceAll("\0", " ").trim(),
    };
  } catch (error) {
    // ESRCH: the process exited between opening the file and reading it.
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Error && error.message.includes("os error 3")) return undefined;
    throw error;
  }
}

async function runPs(pid: number): Promise<Process | undefined> {
  const ps = new Deno.Command("ps", {
    args: ["-o", "ppid=,state=,command=", "-p", String(pid)],
    stderr: "null",
  });
  const { stdout } = await ps.output();
  const match = /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(new TextDecoder().decode(stdout).trimEnd());
  if (!match) return undefined;
  const [, parentPid, state = "", command = ""] = match;
  return { pid, parentPid: Number(parentPid), zombie: state.startsWith("Z"), command };
}
