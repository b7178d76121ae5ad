/**
 * How long the parts of a proof wait.
 * @module
 */

/**
 * How long a backend is waited for until it answers again, before it is given up. What holds is less,
 * {@linkcode LONGEST_SILENCE_MS}.
 */
export const RECOVERY_MS = 120_000;

/** How long a caller waits for one answer. What customers and bots call waits for Razorpay for less. */
export const ATTEMPT_MS = 30_000;

/** For how long nobody may have an answer: no longer than a caller waits for one. */
export const LONGEST_SILENCE_MS = ATTEMPT_MS;

/** How long a caller repeats its call: longer than a recovery, so that it hears how its call ended. */
export const PATIENCE_MS = RECOVERY_MS + ATTEMPT_MS;
