/**
 * The embedded stack as a developer starts it: in a process and a folder of its own.
 * @module
 */

import { strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { type StackEnvironment, stackEnvironment } from "./environment.ts";
import { readIfPresent, removeIfPresent } from "../system/files.ts";
import { postgresHome } from "../postgres/server.ts";
import { findProcess, type Process, sendSignal } from "../system/processes.ts";
import { REPOSITORY } from "../system/settings.ts";
import { until } from "../system/until.ts";

/** A folder for one stack after another. Disposing of it ends what still runs on it and removes it. */
export interface StackFolder extends AsyncDisposable {
  readonly path: string;
  /** Where the data is. Root keeps it elsewhere if the server's account cannot reach the folder. */
  readonly home: string;
  /** The processes that were started on the folder and have not ended. */
  readonly running: Set<TaskProcess>;
}

/** A process that runs a task of this project. */
export interface TaskProcess {
  readonly pid: number;
  readonly status: Promise<Deno.CommandStatus>;
  /** Everything that it has printed. */
  output(): Promise<string>;
}

/** Makes an empty folder. A private one cannot be reached by other accounts. */
export async function newStackFolder({ isPrivate = false } = {}): Promise<StackFolder> {
  const path = await Deno.makeTempDir({ prefix: "stack-" });
  if (!isPrivate) await Deno.chmod(path, 0o755);
  const home = await postgresHome(path);
  const folder: StackFolder = {
    path,
    home,
    running: new Set(),
    async [Symbol.asyncDispose]() {
      for (const { pid } of folder.running) sendSignal(pid, "SIGKILL");
      for (const { pid } of await processesOn(folder)) sendSignal(pid, "SIGKILL");
      await nothingRunsOn(folder);
      await removeIfPresent(path);
      await removeIfPresent(home);
    },
  };
  return folder;
}

/** Runs one of local/tasks on the folder, on free ports unless `variables` name others. */
export function runLocal(
  task: "start" | "reset",
  folder: StackFolder,
  variables: Record<string, string> = {},
): TaskProcess {
  return runProgram(["run", "--allow-all", `local/tasks/${task}.ts`], folder, variables);
}

/** As {@linkcode runLocal}, but through `deno task`, as on the command line. */
export function runDenoTask(task: string, folder: StackFolder): TaskProcess {
  return runProgram(["task", task], folder, {});
}

/** Waits until the process has started the stack, and returns what `stack.env` says. */
export async function ready(
  process: TaskProcess,
  folder: StackFolder,
): Promise<StackEnvironment> {
  let ended = false;
  process.status.then(() => ended = true);
  await until("the stack is ready", async () => {
    strictEqual(ended, false, ended ? await process.output() : undefined);
    return (await process.output()).includes("Press Ctrl-C");
  });
  return await readEnvironment(folder);
}

/** What `stack.env` says. */
export async function readEnvironment(folder: StackFolder): Promise<StackEnvironment> {
  const variables: unknown = parseEnv(await Deno.readTextFile(join(folder.path, "stack.env")));
  assertComplete(variables);
  return variables;
}

/** Parsing returns the variables in the schema's order; a test wants to see that of the file. */
function assertComplete(variables: unknown): asserts variables is StackEnvironment {
  stackEnvironment.parse(variables);
}

/** Sends a signal and waits until the process and everything that works on the folder have ended. */
export async function end(
  process: TaskProcess,
  signal: Deno.Signal,
  folder: StackFolder,
): Promise<void> {
  Deno.kill(process.pid, signal);
  await process.status;
  await nothingRunsOn(folder);
}

/** Waits until no process has the folder among its arguments. */
export async function nothingRunsOn(folder: StackFolder): Promise<void> {
  await until(`nothing runs on ${folder.path}`, async () => {
    return (await processesOn(folder)).length === 0;
  });
}

/** The processes that have the folder among their arguments, as the server and its shell do. */
export async function processesOn(folder: StackFolder): Promise<Process[]> {
  const found: Process[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    const process = /^\d+$/.test(name) ? await findProcess(Number(name)) : undefined;
    if (process?.command.includes(folder.home)) found.push(process);
  }
  return found;
}

/** Runs deno with these arguments, as {@linkcode runLocal} does with a task. */
export function runProgram(
  args: string[],
  folder: StackFolder,
  variables: Record<string, string>,
): TaskProcess {
  const log = join(folder.path, `output-${crypto.randomUUID()}.log`);
  // Unlike a pipe, a file is not held open by the processes that inherit it, and outlives a kill.
  const process = new Deno.Command("/bin/sh", {
    args: ["-c", 'log=$1; shift; exec "$@" >"$log" 2>&1', "sh", log, Deno.execPath(), ...args],
    cwd: REPOSITORY,
    env: {
      LOCAL_DIR: folder.path,
      API_PORT: "0",
      DB_PORT: "0",
      RAZORPAY_PORT: "0",
      ACCOUNT_PORT: "0",
      CONSOLE_PORT: "0",
      NO_COLOR: "1",
      ...variables,
    },
    stdin: "null",
  }).spawn();
  const task: TaskProcess = {
    pid: process.pid,
    status: process.status,
    output: async () => await readIfPresent(log) ?? "",
  };
  folder.running.add(task);
  task.status.then(() => folder.running.delete(task));
  return task;
}
