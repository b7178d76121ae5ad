/**
 * What every `deno task` of this project shares: its errors, its exit code and its interruption.
 * @module
 */

import { launcherExited } from "./launcher.ts";

/**
 * An error that the person who runs the task can fix. The message says what is wrong and what to
 * do, so it is printed without a stack trace.
 */
export class TaskError extends Error {
  override readonly name = "TaskError";
}

/** Called with a short description before each step that may take a moment. */
export type Progress = (step: string) => void;

/**
 * Runs a task's main function. A {@linkcode TaskError} is printed as a plain sentence; any other
 * error is a bug in this project and is printed with its stack trace. Either ends the process with
 * code 1.
 */
export async function runTask(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof TaskError ? `error: ${error.message}` : error);
    Deno.exit(1);
  }
}

/**
 * Resolves when this process is asked to stop, by a signal or because a process that launched it
 * has exited. From the first call on, the signals no longer end the process by themselves.
 */
export function interrupted(): Promise<void> {
  const signaled = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, resolve);
    }
  });
  return Promise.race([signaled, launcherExited()]);
}

/** Rejects when this process is asked to stop, even if nothing awaits it yet. */
export function failWhenInterrupted(): Promise<never> {
  const interruption = interrupted().then(() => {
    throw new TaskError("Interrupted.");
  });
  interruption.catch(() => {});
  return interruption;
}

/** A signal that is aborted, with a {@linkcode TaskError}, when this process is asked to stop. */
export function abortedWhenInterrupted(): AbortSignal {
  const interruption = new AbortController();
  failWhenInterrupted().catch((error) => interruption.abort(error));
  return interruption.signal;
}
