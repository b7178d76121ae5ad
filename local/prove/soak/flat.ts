/**
 * What it means that a figure stays flat.
 * @module
 */

import type { Row } from "../part.ts";

/** How much a figure may have grown by the end. */
export interface Tolerance {
  /** In parts of the figure at the beginning: 0.1 is a tenth. */
  readonly share: number;
  /** In the figure's own unit, on top. */
  readonly slack: number;
  /** A limit within which the figure may move as it likes, such as the size of a pool. */
  readonly limit?: number;
}

/** A figure that was sampled at regular intervals, oldest first. */
export interface Series {
  readonly what: string;
  /** Empty for a count. */
  readonly unit: string;
  readonly tolerance: Tolerance;
  readonly samples: readonly number[];
}

/** The first part of the samples is not looked at: caches fill, and code is compiled. */
const WARM_UP_SHARE = 0.25;

/** Fewer samples than this say nothing. */
const LEAST_SAMPLES = 9;

/** How many figures of a series are printed. */
const PRINTED = 12;

/**
 * Compares the median of the last third of what follows the warm-up with that of the first third. The
 * median, because faults make peaks, which are no growth.
 */
export function flatness({ what, unit, tolerance, samples }: Series): Row {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP_SHARE));
  if (samples.length < LEAST_SAMPLES) {
    return { what, figure: `${samples.length} samples, which are too few`, holds: false };
  }
  const third = Math.floor(warm.length / 3);
  const first = median(warm.slice(0, third));
  const last = median(warm.slice(-third));
  const { share, slack, limit = 0 } = tolerance;
  const most = Math.max(limit, first * (1 + share) + slack);
  const percent = share > 0 ? `${Math.round(share * 100)}% and ` : "";
  const allowed = limit > 0 ? `up to ${limit} would do` : `${percent}${slack} more would do`;
  return {
    what,
    figure: `${round(first)}${withSpace(unit)} after the warm-up, ${round(last)} at the end ` +
      `(${allowed})`,
    holds: last <= most,
  };
}

/** The series as a line, so that a reader can judge it without the rule. */
export function seriesLine({ what, unit, samples }: Series): string {
  const step = Math.max(1, Math.ceil(samples.length / PRINTED));
  const shown = samples.filter((_, index) => index % step === 0).map(round);
  return `${what}${unit && ` in ${unit}`}: ${shown.join(" ")}`;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const [below = 0, above = 0] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 1 ? above : (below + above) / 2;
}

function withSpace(unit: string): string {
  return unit && ` ${unit}`;
}

function round(number: number): number {
  return Math.round(number);
}
