/**
 * TCP ports of 127.0.0.1, the only address that anything here listens on.
 * @module
 */

import { TaskError } from "./task.ts";

/** The message for a port that another program holds. `setting` is the variable that moves it. */
export function portTaken(port: number, setting: string): TaskError {
  return new TaskError(
    `Port ${port} is taken by another program. End that one, or set ${setting} to another port ` +
      "(0 takes any free one).",
  );
}

/**
 * Returns the port if it is free, or any free one for 0. Throws an {@linkcode TaskError} that names
 * `setting` if it is taken.
 */
export function claimPort(port: number, setting: string): number {
  try {
    const listener = Deno.listen({ hostname: "127.0.0.1", port });
    listener.close();
    return listener.addr.port;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw portTaken(port, setting);
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new TaskError(
        `Port ${port} may not be used by this account. Set ${setting} to a port above 1023.`,
      );
    }
    throw error;
  }
}
