/**
 * The memory that this process needs, measured after everything that it does not need has been
 * collected: without that, the figure says mostly when the engine last thought of it.
 * @module
 */

import v8 from "node:v8";
import vm from "node:vm";
import { median } from "../../system/median.ts";

/** What a process needs at one moment. */
export interface Usage {
  /** What JavaScript still refers to, with the buffers that it holds. A leak of the functions is in it. */
  readonly heapMegabytes: number;
  /** The whole process, with what the engine keeps although nobody needs it. */
  readonly residentMegabytes: number;
}

/** What a process needs after a warm-up and at the end. */
export interface Memory {
  readonly before: Usage;
  readonly after: Usage;
  /** How many requests there were between the two. */
  readonly requests: number;
}

v8.setFlagsFromString("--expose-gc");
const collect: () => void = vm.runInNewContext("gc");

const MEGABYTE = 2 ** 20;

/** The memory that is needed now. */
export function neededMemory(): Usage {
  collect();
  const { heapUsed, external, rss } = Deno.memoryUsage();
  return { heapMegabytes: (heapUsed + external) / MEGABYTE, residentMegabytes: rss / MEGABYTE };
}

/** The share of a run after which everything has been loaded and compiled. */
const WARM_UP = 0.25;

/**
 * Compares the middle sizes of the beginning and the end, because a single one is chance. The samples are
 * `requestsApart` from each other.
 */
export function memoryOf(samples: readonly Usage[], requestsApart: number): Memory {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP));
  const size = Math.max(1, Math.floor(warm.length / 5));
  return {
    before: middleOf(warm.slice(0, size)),
    after: middleOf(warm.slice(-size)),
    requests: (warm.length - size) * requestsApart,
  };
}

function middleOf(samples: readonly Usage[]): Usage {
  return {
    heapMegabytes: median(samples.map(({ heapMegabytes }) => heapMegabytes)),
    residentMegabytes: median(samples.map(({ residentMegabytes }) => residentMegabytes)),
  };
}

/** By how many bytes a size has grown for each request. */
export function bytesPerRequest(size: keyof Usage, { before, after, requests }: Memory): number {
  return (after[size] - before[size]) * MEGABYTE / Math.max(1, requests);
}
