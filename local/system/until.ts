/**
 * Waiting for a condition.
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";

const TIMEOUT_MS = 60_000;

/** Waits until the condition holds, and fails with its name if it takes too long. */
export async function until(name: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`Timed out waiting until ${name}`);
    await delay(10);
  }
}
