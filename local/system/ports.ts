/**
 * TCP ports on 127.0.0.1, the only address that anything here listens on.
 * @module
 */

import { randomInt } from "node:crypto";
import { TaskError } from "./task.ts";

const LOOK_TIMEOUT_MS = 2_000;

/**
 * From here on Linux hands out ports, to whoever listens on port 0 and to every outgoing connection. A
 * port that is claimed for later could be gone by then, so free ones are looked for below.
 */
const FIRST_EPHEMERAL_PORT = 32_768;
const FIRST_DRAWN_PORT = 20_000;
const DRAWS = 20;

/** The error for a port that another program uses. `setting` is the variable that moves it. */
export function portTakenError(port: number, setting: string): TaskError {
  return new TaskError(
    `Port ${port} is taken by another program. Stop it, or set ${setting} to another port ` +
      "(0 takes any free one).",
  );
}

/**
 * Checks that the port is free and returns it, or returns any free port for 0. Nothing reserves the
 * port until the caller listens on it.
 *
 * @throws {TaskError} that names `setting` if the port cannot be used.
 */
export function claimPort(port: number, setting: string): number {
  try {
    return port === 0 ? anyFreePort() : listenOnce(port);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw portTakenError(port, setting);
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new TaskError(
        `This account may not use port ${port}. Set ${setting} to a port above 1023.`,
      );
    }
    throw error;
  }
}

function anyFreePort(): number {
  for (let draw = 0; draw < DRAWS; draw++) {
    try {
      return listenOnce(randomInt(FIRST_DRAWN_PORT, FIRST_EPHEMERAL_PORT));
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  return listenOnce(0);
}

function listenOnce(port: number): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  listener.close();
  return listener.addr.port;
}

/** Returns whether a server responds at this URL. */
export async function responds(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(LOOK_TIMEOUT_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
