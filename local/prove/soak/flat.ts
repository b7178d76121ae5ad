/**
 * What it means that a figure stays flat.
 * @module
 */

import { median } from "../../system/median.ts";
import type { Row } from "../part.ts";

/** How much a figure may have grown by the end. */
interface Growth {
  /** In parts of the figure at the beginning: 0.1 is a tenth. */
  readonly share: number;
  /** In the figure's own unit, on top. */
  readonly slack: number;
}

/** How high a figure may be, at whatever time. */
interface Limit {
  /** Within which the figure may move as it likes, such as the size of a pool. */
  readonly limit: number;
}

/** What a figure may do. */
export type Tolerance = Growth | Limit;

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

/** The share of the samples that has to keep within a limit. The others may be of a fault's own time. */
const WITHIN_LIMIT_SHARE = 0.9;

/** Judges the samples after the warm-up: their growth, or how high nearly all of them are. */
export function flatness({ what, unit, tolerance, samples }: Series): Row {
  if (samples.length < MIN_SAMPLES) {
    return { what, figure: `${samples.length} samples, which are too few`, holds: false };
  }
  const warm = samples.slice(Math.floor(samples.length * WARM_UP_SHARE));
  const judged = "limit" in tolerance
    ? height(warm, withSpace(unit), tolerance)
    : growth(warm, withSpace(unit), tolerance);
  return { what, ...judged };
}

/**
 * Compares the median of the last third with that of the first third. The median, because faults make
 * peaks, which are no growth.
 */
function growth(warm: readonly number[], unit: string, tolerance: Growth): Omit<Row, "what"> {
  const third = Math.floor(warm.length / 3);
  const first = median(warm.slice(0, third));
  const last = median(warm.slice(-third));
  return {
    figure: `${round(first)}${unit} after the warm-up, ${round(last)} at the end ` +
      `(${moreOf(tolerance)})`,
    holds: last <= first * (1 + tolerance.share) + tolerance.slack,
  };
}

/** Looks at all samples: what was too high for minutes, and is not at the end, was too high. */
function height(warm: readonly number[], unit: string, { limit }: Limit): Omit<Row, "what"> {
  const sorted = warm.toSorted((one, other) => one - other);
  const most = sorted[Math.ceil(WITHIN_LIMIT_SHARE * sorted.length) - 1] ?? 0;
  return {
    figure: `up to ${round(most)}${unit} in ${WITHIN_LIMIT_SHARE * 100}% of the samples, and ` +
      `${round(sorted.at(-1) ?? 0)} at most (up to ${limit} in ${
        WITHIN_LIMIT_SHARE * 100
      }% would do)`,
    holds: most <= limit,
  };
}

function moreOf({ share, slack }: Growth): string {
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
