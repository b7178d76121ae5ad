/**
 * What it means that a figure stays flat.
 * @module
 */

import { median } from "../../system/median.ts";
import type { Row } from "../part.ts";

/** How much a figure may have grown by the end, or how high it may be. */
export type Tolerance = {
  /** In parts of the figure at the beginning: 0.1 is a tenth. */
  readonly share: number;
  /** In the figure's own unit, on top. */
  readonly slack: number;
} | {
  /** Within which the figure may move as it likes, such as the size of a pool. */
  readonly limit: number;
};

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
const MIN_SAMPLES = 9;

/** How many figures of a series are printed. */
const PRINTED = 12;

/**
 * Compares the median of the last third of what follows the warm-up with that of the first third. The
 * median, because faults make peaks, which are no growth.
 */
export function flatness({ what, unit, tolerance, samples }: Series): Row {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP_SHARE));
  if (samples.length < MIN_SAMPLES) {
    return { what, figure: `${samples.length} samples, which are too few`, holds: false };
  }
  const third = Math.floor(warm.length / 3);
  const first = median(warm.slice(0, third));
  const last = median(warm.slice(-third));
  const max = "limit" in tolerance
    ? tolerance.limit
    : first * (1 + tolerance.share) + tolerance.slack;
  const allowed = "limit" in tolerance ? `up to ${max} would do` : moreOf(tolerance);
  return {
    what,
    figure: `${round(first)}${withSpace(unit)} after the warm-up, ${round(last)} at the end ` +
      `(${allowed})`,
    holds: last <= max,
  };
}

function moreOf({ share, slack }: { share: number; slack: number }): string {
  return `${share > 0 ? `${Math.round(share * 100)}% and ` : ""}${slack} more would do`;
}

/** The series as a line, so that a reader can judge it without the rule. */
export function seriesLine({ what, unit, samples }: Series): string {
  const step = Math.max(1, Math.ceil(samples.length / PRINTED));
  const shown = samples.filter((_, index) => index % step === 0).map(round);
  return `${what}${unit && ` in ${unit}`}: ${shown.join(" ")}`;
}

function withSpace(unit: string): string {
  return unit && ` ${unit}`;
}

function round(number: number): number {
  return Math.round(number);
}
