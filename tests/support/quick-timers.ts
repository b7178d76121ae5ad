/**
 * Time limits that come early, so that a test of one does not have to wait for it.
 * @module
 */

/** How many times earlier they come. */
const SPEED = 20;

const { setTimeout } = globalThis;
const { timeout } = AbortSignal;

/**
 * What a time limit may be made with. A test names the one that it is about, because the others must
 * not get in its way.
 */
const QUICK = {
  "setTimeout": (isMeant: (delayMs: number) => boolean) =>
    Object.assign(globalThis, {
      setTimeout: (act: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]) =>
        setTimeout(() => act(...args), isMeant(delayMs) ? delayMs / SPEED : delayMs),
    }),
  "AbortSignal.timeout": (isMeant: (delayMs: number) => boolean) =>
    Object.assign(AbortSignal, {
      timeout: (delayMs: number) => timeout(isMeant(delayMs) ? delayMs / SPEED : delayMs),
    }),
};

/**
 * Runs `act` while what is timed in this way, anywhere in the process, ends early: all of it, or only
 * what has the length `onlyMs`.
 */
export async function withQuickTimers<Result>(
  kind: keyof typeof QUICK,
  act: () => Promise<Result>,
  { onlyMs }: { onlyMs?: number } = {},
): Promise<Result> {
  QUICK[kind]((delayMs) => onlyMs === undefined || delayMs === onlyMs);
  try {
    return await act();
  } finally {
    Object.assign(globalThis, { setTimeout });
    Object.assign(AbortSignal, { timeout });
  }
}
