/**
 * The memory that this process needs, measured after everything that it does not need has been
 * collected: without that, the figure says mostly when the engine last thought of it.
 * @module
 */

import v8 from "node:v8";
import vm from "node:vm";
import { median } from "../../system/median.ts";

/** The resident memory of the process, after a warm-up and at the end. */
export interface Memory {
  readonly beforeMegabytes: number;
  readonly afterMegabytes: number;
}

v8.setFlagsFromString("--expose-gc");
const collect: () => void = vm.runInNewContext("gc");

/** The memory that is needed now, in megabytes. */
export function neededMemory(): number {
  collect();
  return Deno.memoryUsage().rss / 2 ** 20;
}

/** The share of a run after which everything has been loaded and compiled. */
const WARM_UP = 0.25;

/** Compares the middle sizes of the beginning and the end, because a single one is chance. */
export function memoryOf(samples: readonly number[]): Memory {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP));
  const size = Math.max(1, Math.floor(warm.length / 5));
  return {
    beforeMegabytes: median(warm.slice(0, size)),
    afterMegabytes: median(warm.slice(-size)),
  };
}
