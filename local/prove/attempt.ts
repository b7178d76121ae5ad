/**
 * Runs one part after another: none may hide what the others find, and nothing goes on once the task was
 * interrupted.
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { TaskError } from "../system/task.ts";
import { type PartResult, resultOf } from "./part.ts";

/**
 * What interrupts this process may end those that a part runs first, which looks like a failure until this
 * process notices as well, within this time.
 */
const NOTICED_WITHIN_MS = 1_000;

/**
 * Runs a part, and returns what it found. A part that rejects has not shown what it claims, so that is a
 * miss of that part.
 *
 * @throws the reason of `interruption`, if it is aborted before the part has ended.
 */
export async function attempt(
  run: () => Promise<PartResult>,
  interruption: AbortSignal,
): Promise<PartResult> {
  interruption.throwIfAborted();
  const result = await resultOfRun(run);
  if (!result.holds) {
    await delay(NOTICED_WITHIN_MS, undefined, { signal: interruption }).catch(() => {});
  }
  interruption.throwIfAborted();
  return result;
}

async function resultOfRun(run: () => Promise<PartResult>): Promise<PartResult> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof TaskError) return resultOf([], [error.message]);
    return resultOf([], [`The part has failed: ${error instanceof Error ? error.stack : error}`]);
  }
}
