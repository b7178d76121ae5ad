/**
 * Load on something that answers calls.
 * @module
 */

/** How long one measurement takes: many short ones find the quiet moments of a busy machine. */
const ROUND_MS = 100;

/** Who sends a call and resolves once it has been answered. */
export type Caller = () => Promise<void>;

/** Calls per second while every caller sends its next call as soon as the last one is answered. */
export async function throughput(callers: readonly Caller[]): Promise<number> {
  const startedAt = performance.now();
  let calls = 0;
  await Promise.all(callers.map(async (call) => {
    do {
      await call();
      calls += 1;
    } while (performance.now() < startedAt + ROUND_MS);
  }));
  return calls / (performance.now() - startedAt) * 1000;
}
