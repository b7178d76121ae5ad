/**
 * The check of the books, a part at a time.
 * @module
 */

import { runBookCheck } from "shared/database/books.ts";

/** How much of the books one call checks. A smaller part may succeed where a larger one takes too long. */
const MAX_CHANGES = 20_000;

/** A part this small that still fails is not divided again. */
const MIN_CHANGES = 200;

/**
 * Checks what was written since the last run, for which the first call is enough unless there was a
 * pause. What it finds is in `list_attention`.
 */
export async function catchUpBookCheck(deadline: number): Promise<void> {
  for (let max_changes = MAX_CHANGES;;) {
    try {
      const { outcome } = await runBookCheck({ max_changes });
      if (outcome !== "behind" || performance.now() >= deadline) return;
    } catch (error) {
      max_changes /= 10;
      if (max_changes < MIN_CHANGES || performance.now() >= deadline) throw error;
    }
  }
}
