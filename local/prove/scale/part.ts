/**
 * `deno task prove scale`: the figures of `deno task bench scale`, each with its goal, as rows of the
 * table.
 * @module
 */

import { runChild } from "../child.ts";
import { type Part, type PartResult, resultOf, type Row } from "../part.ts";

/** A line with a goal: a name, one figure or several, and the verdict. */
const VERDICT = /^ {2}(\S.*?) {2,}(\S.*?) {2,}(meets|misses) (.+)$/;

/** The heading of a group of lines, and that of one of the two ledgers. */
const HEADING = /^(?! )(\S.*)$/;
const LEDGER = /^The ledger in (.+): ([\d,]+) entries$/;

/** Compares the figures of `deno task bench scale` with their goals. */
export const scale: Part = {
  name: "scale",
  claim:
    "What charging a user and what an entry takes, on ten million entries, in one table and in " +
    "partitions, each against the goal that was set before. The small size only shows that it runs.",
  async run({ size, progress }) {
    const isSmall = size === "small";
    const lines: string[] = [];
    progress("scale: filling the books");
    const args = ["scale", ...isSmall ? ["--small"] : []];
    const hasSucceeded = await runChild(["local/bench/run.ts", ...args], (line) => {
      lines.push(line);
      const heading = HEADING.exec(line)?.[1];
      if (heading) progress(`scale: ${heading}`);
      else if (line.includes("entries written")) progress(`scale: ${line.trim()}`);
    });
    if (!hasSucceeded) throw new Error("The benchmark has failed; what it says is above.");
    return readFigures(lines, { isGoalOfSize: !isSmall });
  },
};

/**
 * Reads the lines that the benchmark printed. With `isGoalOfSize`, a figure that misses its goal does
 * not hold; the goals say nothing about small books.
 */
export function readFigures(
  lines: readonly string[],
  { isGoalOfSize }: { isGoalOfSize: boolean },
): PartResult {
  const rows: Row[] = [];
  let ledger = "";
  let heading = "";
  for (const line of lines) {
    ledger = LEDGER.exec(line)?.[1] ?? ledger;
    heading = HEADING.exec(line)?.[1] ?? heading;
    const [, name, figures, verdict, goal] = VERDICT.exec(line) ?? [];
    if (name === undefined) continue;
    const about = heading.replace(/ \(.*/, "");
    rows.push({
      what: `${ledger}: ${about}: ${name}`,
      figure: `${figureOf(figures ?? "")}${isGoalOfSize ? `, ${verdict} ${goal}` : ""}`,
      holds: verdict === "meets" || !isGoalOfSize,
    });
  }
  const misses = [
    ...rows.filter(({ holds }) => !holds).map(({ what, figure }) => `${what}: ${figure}`),
    ...(rows.length === 0 ? ["The benchmark printed no figure with a goal."] : []),
    // Without it the benchmark leaves out the rates, which are what scale is about.
    ...lines.filter((line) => isGoalOfSize && line.includes("pgbench is not installed"))
      .map((line) => line.trim()),
  ];
  return resultOf(rows, misses);
}

/** One figure, or a comparison: the baseline, what is compared, the ratio, its range, the rounds. */
function figureOf(figures: string): string {
  const [baseline = "", compared, ratio, range] = figures.split(/ +/);
  if (compared === undefined) return baseline;
  return `${compared} against ${baseline}, ratio ${ratio} (${range})`;
}
