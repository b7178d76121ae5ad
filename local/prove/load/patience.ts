/**
 * How long the parts of a proof wait.
 * @module
 */

/** How long a backend may take to answer again. Starting the whole stack takes a tenth of it. */
export const RECOVERY_MS = 120_000;

/** How long a caller waits for one answer. What customers and bots call waits for Razorpay for less. */
export const ATTEMPT_MS = 30_000;

/** How long a caller repeats its call: longer than a recovery, so that it hears how its call ended. */
export const PATIENCE_MS = RECOVERY_MS + ATTEMPT_MS;
