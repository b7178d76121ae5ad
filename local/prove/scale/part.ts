/**
 * `deno task prove scale`: the figures of `deno task bench scale`, each with its goal, as rows of the
 * table.
 * @module
 */

import { PGBENCH_MISSING, pgbenchVersion } from "../../postgres/pgbench.ts";
import { runChild } from "../child.ts";
import { type Part, type PartResult, resultOf, type Row } from "../part.ts";

/** A line with a goal: a name, one figure or several, and the verdict. */
const VERDICT = /^ {2}(\S.*?) {2,}(\S.*?) {2,}(meets|misses) (.+)$/;

/** The heading of a group of lines, that of one of the ledgers, and that of the columns of a comparison. */
const HEADING = /^(?! )(\S.*)$/;
const LEDGER = /^The ledger in (.+): ([\d,]+) entries$/;
const COLUMNS = /^ {2,}(\S+) +(\S+) +ratio +min-max +rounds$/;

/** One table, and partitions. */
const LEDGERS = 2;

/** What is measured of each ledger against a goal: how the names begin that the benchmark prints. */
const FIGURES = [
  "together",
  "the database and its log",
  "no reference, small",
  "no reference, large",
  "a reference, small",
  "a reference, large",
  "deduct, no reference",
  "deduct, a reference",
  "what changed",
];

/** Compares the figures of `deno task bench scale` with their goals. */
export const scale: Part = {
  name: "scale",
  claim:
    "What charging a user and what an entry takes, on ten million entries (large, against ten thousand " +
    "in one table: small), in one table and in partitions, each against its goal. minimal is the least " +
    "statement that charges a user. The server does not wait for its disk (fsync, synchronous_commit " +
    "and full_page_writes are off), so the ratios say something about a server that does, and the " +
    "rates little.",
  async missing() {
    return await pgbenchVersion() === undefined ? PGBENCH_MISSING : undefined;
  },
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
 * Reads the lines that the benchmark printed. A figure that it did not print is missed. With
 * `isGoalOfSize`, one that misses its goal does not hold; the goals say nothing about small books.
 */
export function readFigures(
  lines: readonly string[],
  { isGoalOfSize }: { isGoalOfSize: boolean },
): PartResult {
  const rows: Row[] = [];
  const names = new Map<string, string[]>();
  let ledger = "";
  let heading = "";
  let columns: readonly string[] = [];
  for (const line of lines) {
    ledger = LEDGER.exec(line)?.[1] ?? ledger;
    if (HEADING.test(line)) {
      heading = line;
      columns = [];
    }
    columns = COLUMNS.exec(line)?.slice(1) ?? columns;
    const [, name, figures, verdict, goal] = VERDICT.exec(line) ?? [];
    if (name === undefined) continue;
    names.set(ledger, [...names.get(ledger) ?? [], name]);
    rows.push({
      what: `${ledger}: ${heading}: ${name}`,
      figure: figureOf(figures ?? "", columns) + (isGoalOfSize ? `, ${verdict} ${goal}` : ""),
      holds: verdict === "meets" || !isGoalOfSize,
    });
  }
  const misses = [
    ...names.size === LEDGERS ? [] : [`There are figures of ${names.size} of ${LEDGERS} ledgers.`],
    ...names.entries().flatMap(([ledger, printed]) =>
      FIGURES.filter((figure) => !printed.some((name) => name.startsWith(figure)))
        .map((figure) => `${ledger}: there is no figure "${figure}".`)
    ),
  ];
  return resultOf(rows, misses);
}

/** One figure, or a comparison: the baseline, what is compared, the ratio, its range, the rounds. */
function figureOf(figures: string, [baselineName, comparedName]: readonly string[]): string {
  const [baseline = "", compared, ratio, range] = figures.split(/ +/);
  if (compared === undefined) return baseline;
  return `${comparedName} ${compared} against ${baselineName} ${baseline}, ` +
    `ratio ${ratio} (${range})`;
}
