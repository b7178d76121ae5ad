/**
 * Kills that are known to have hit.
 * @module
 */

import { waitForExit } from "../system/processes.ts";

/** The system needs only a moment for SIGKILL; a server that is asked to shut down may take longer. */
const TIMEOUT_MS = 60_000;

/**
 * Sends a signal that ends a process, and resolves once the process is gone.
 *
 * @throws if there is no such process, or if it stays: a kill that hit nothing shows nothing.
 */
export async function kill(pid: number, signal: Deno.Signal = "SIGKILL"): Promise<void> {
  Deno.kill(pid, signal);
  if (!await waitForExit(pid, TIMEOUT_MS)) {
    throw new Error(`Process ${pid} is still running after ${signal}`);
  }
}
