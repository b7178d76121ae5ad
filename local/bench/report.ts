/**
 * What the benchmarks print.
 * @module
 */

import { ratioTo, type Samples, spreadOf } from "./statistics.ts";

/** One thing measured beside its baseline. */
export interface Comparison {
  readonly name: string;
  readonly baseline: Samples;
  readonly samples: Samples;
  /** What the median ratio should keep to, if there is a limit. */
  readonly limit?: Limit;
}

/** A throughput should not fall below its limit, and a time should not exceed it. */
export type Limit = { readonly atLeast: number } | { readonly atMost: number };

/** How the columns of figures are called, and how a figure is written. */
export interface Columns {
  readonly baseline: string;
  readonly samples: string;
  readonly digits: number;
}

const NAME_WIDTH = 34;
const FIGURE_WIDTH = 16;

/** Prints a heading and what has to be known about the figures below it. */
export function printHeading(heading: string, notes: readonly string[]): void {
  console.log(`\n${heading}`);
  for (const note of notes) console.log(`  ${note}`);
  console.log();
}

/** Prints a line for each comparison: medians, the median ratio with its spread, and the verdict. */
export function printComparisons(columns: Columns, comparisons: readonly Comparison[]): void {
  console.log(line("", columns.baseline, columns.samples, "ratio", "min-max", "rounds", ""));
  for (const { name, baseline, samples, limit } of comparisons) {
    const ratio = ratioTo(baseline, samples);
    console.log(line(
      name,
      spreadOf(baseline).median.toFixed(columns.digits),
      spreadOf(samples).median.toFixed(columns.digits),
      ratio.median.toFixed(2),
      `${ratio.least.toFixed(2)}-${ratio.most.toFixed(2)}`,
      String(ratio.rounds),
      limit ? verdict(ratio.median, limit) : "no limit",
    ));
  }
}

/** Prints a statement that is either so or not so. */
export function printFinding(name: string, holds: boolean, detail: string): void {
  console.log(`  ${name.padEnd(NAME_WIDTH)}${holds ? "yes" : "NO"}, ${detail}`);
}

/** Whether a ratio keeps to its limit. It is judged as it is printed, with two digits. */
function verdict(exactRatio: number, limit: Limit): string {
  const ratio = Math.round(exactRatio * 100) / 100;
  const [bound, excess] = "atLeast" in limit
    ? [limit.atLeast, limit.atLeast - ratio]
    : [limit.atMost, ratio - limit.atMost];
  return excess <= 0
    ? `meets ${bound.toFixed(2)}`
    : `misses ${bound.toFixed(2)} by ${excess.toFixed(2)}`;
}

function line(name: string, ...[baseline, samples, ratio, range, rounds, verdict]: string[]) {
  return [
    "  ",
    name.padEnd(NAME_WIDTH),
    baseline.padStart(FIGURE_WIDTH),
    samples.padStart(FIGURE_WIDTH),
    ratio.padStart(8),
    range.padStart(12),
    rounds.padStart(8),
    "   ",
    verdict,
  ].join("").trimEnd();
}
