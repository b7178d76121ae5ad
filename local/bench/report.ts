/**
 * Prints the results of the benchmarks.
 * @module
 */

import { type Comparison, type Limit, ratioOf, spreadOf } from "./statistics.ts";

/** The titles of the columns of figures, and how many decimal digits they have. */
interface Columns {
  readonly baseline: string;
  readonly samples: string;
  readonly digits: number;
}

const NAME_WIDTH = 34;
const FIGURE_WIDTH = 16;

/** Prints a heading and notes on the figures below it. */
export function printHeading(heading: string, notes: readonly string[]): void {
  console.log(`\n${heading}`);
  for (const note of notes) console.log(`  ${note}`);
  console.log();
}

/** Prints a line per comparison: medians, the median ratio with its range, and the verdict. */
export function printComparisons(columns: Columns, comparisons: readonly Comparison[]): void {
  console.log(line("", columns.baseline, columns.samples, "ratio", "min-max", "rounds", ""));
  for (const comparison of comparisons) {
    const { name, baseline, samples, limit } = comparison;
    const ratio = ratioOf(comparison);
    console.log(line(
      name,
      spreadOf(baseline).median.toFixed(columns.digits),
      spreadOf(samples).median.toFixed(columns.digits),
      ratio.median.toFixed(2),
      `${ratio.min.toFixed(2)}-${ratio.max.toFixed(2)}`,
      String(ratio.rounds),
      limit ? verdict(ratio.median, limit) : "no limit",
    ));
  }
}

/** Prints lines of text under a name. */
export function printLines(name: string, lines: readonly string[]): void {
  console.log(`  ${name}`);
  for (const text of lines) console.log(`    ${text}`);
}

/** Prints whether a statement holds. */
export function printFinding(name: string, holds: boolean, detail: string): void {
  console.log(`  ${name.padEnd(NAME_WIDTH)}${holds ? "yes" : "NO"}, ${detail}`);
}

/** Prints a figure that is compared with a limit of its own and not with another figure. */
export function printFigure(name: string, figure: number, digits: number, limit?: Limit): void {
  const text = figure.toFixed(digits).padStart(FIGURE_WIDTH);
  console.log(
    `  ${name.padEnd(NAME_WIDTH)}${text}   ${limit ? verdict(figure, limit, digits) : ""}`
      .trimEnd(),
  );
}

/** Compares a figure with its limit, after rounding it to the digits that are printed. */
function verdict(exactFigure: number, limit: Limit, digits = 2): string {
  const figure = Number(exactFigure.toFixed(digits));
  const [bound, excess] = "atLeast" in limit
    ? [limit.atLeast, limit.atLeast - figure]
    : [limit.atMost, figure - limit.atMost];
  return excess <= 0
    ? `meets ${bound.toFixed(digits)}`
    : `misses ${bound.toFixed(digits)} by ${excess.toFixed(digits)}`;
}

function line(
  name: string,
  baseline: string,
  samples: string,
  ratio: string,
  range: string,
  rounds: string,
  verdict: string,
): string {
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
