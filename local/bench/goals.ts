/**
 * What the benchmarks should reach. A figure that misses its goal is printed and fails nothing.
 * @module
 */

import type { Limit } from "./statistics.ts";

/** Ratios to the minimal work for the same job, unless they say something else. */
export const GOALS = {
  coldStart: { atMost: 1.5 },
  botDeduct: { atLeast: 0.9 },
  deduction: { atLeast: 0.8 },
  deductionWithReference: { atLeast: 0.72 },
  /** A reservation and its capture, together, against one minimal deduction. */
  reserveAndCapture: { atLeast: 0.4 },
  /** The check of everything on four times as much, against a quarter of it. */
  checkOfFourTimesAsMuch: { atMost: 6 },
  /** What operators and the scheduler call on a million orders, against a few thousand. */
  lookUpInAMillionOrders: { atMost: 2 },
  /** The rate of deductions on ten million entries, against ten thousand. */
  deductionAtScale: { atLeast: 0.85 },
  /** Of an entry with a reference of 60 characters, indexes included. */
  bytesPerEntry: { atMost: 250 },
  /** What the benchmark of ten million entries takes itself. */
  gigabytesOnDisk: { atMost: 10 },
  /** The check of what changed, after 100,000 new entries. */
  checkOfChangesSeconds: { atMost: 3 },
} as const satisfies Record<string, Limit>;
