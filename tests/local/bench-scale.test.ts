/**
 * `deno task bench scale`, whole, on books so small that it takes seconds.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { benchScale } from "../../local/bench/scale.ts";
import { pgbenchVersion } from "../../local/postgres/pgbench.ts";
import { readFigures } from "../../local/prove/scale/part.ts";
import { readSettings } from "../../local/system/settings.ts";

/** The lines that the benchmark prints. */
async function printed(): Promise<string[]> {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line = "") => lines.push(...String(line).split("\n"));
  try {
    await benchScale(readSettings(), {
      small: { users: 20, entriesPerUser: 5 },
      large: { users: 200, entriesPerUser: 5 },
      partitions: 4,
      changes: 20,
      rounds: 1,
      turns: 5,
    });
  } finally {
    console.log = log;
  }
  return lines;
}

Deno.test("the ledger is measured in one table and in partitions, each figure with its goal", async () => {
  const lines = await printed();
  const runs = lines.join("\n").split("The ledger in ").slice(1);
  strictEqual(runs.length, 2);
  // What the proof reads from them; rates are measured only where pgbench is installed.
  const { rows, misses } = readFigures(lines, { isGoalOfSize: false });
  if (await pgbenchVersion() !== undefined) deepStrictEqual(misses, []);
  deepStrictEqual(
    rows.map(({ what }) => what).filter((what) => !what.includes("pgbench")),
    ["one table", "4 hash partitions by user"].flatMap((ledger) => [
      `${ledger}: Bytes per entry: together`,
      `${ledger}: On the disk (GB): the database and its log`,
      `${ledger}: Checking the books (seconds): what changed, 20 entries`,
    ]),
  );
  for (const run of runs) {
    match(run, /^ {2}1,000 entries written$/m);
    match(run, /^ {2}together +\d+ {3}(meets|misses) 250/m);
    match(
      run,
      /^ {2}a charge that is repeated\n {4}Insert on .*\n {4}Index Scan by \S+ on credit_transactions/m,
    );
    match(run, /^ {2}everything +\d/m);
    ok(
      /^ {2}deduct, a reference +\d+ +\d+ .* (meets|misses) 0\.85/m.test(run) ||
        run.includes("pgbench is not installed"),
    );
  }
});
