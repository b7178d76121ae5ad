/**
 * Generates load.
 * @module
 */

/** The duration of one measurement. Many short ones find the quiet moments of a busy machine. */
const ROUND_MS = 100;

/** Connections that call the database at the same time. */
export const CONNECTIONS = 8;

/** Commits do not wait for the disk: both sides would, which would hide a difference. */
export const SESSION_SETTINGS = { synchronous_commit: "off" };

/** Sends one call and resolves once its response has arrived. */
export type Call = () => Promise<void>;

/**
 * Returns the calls per second of one client per given call. A client repeats its call as soon as
 * the response has arrived.
 */
export async function throughput(clients: readonly Call[]): Promise<number> {
  const startedAt = performance.now();
  let calls = 0;
  await Promise.all(clients.map(async (call) => {
    do {
      await call();
      calls += 1;
    } while (performance.now() < startedAt + ROUND_MS);
  }));
  return calls / (performance.now() - startedAt) * 1000;
}
