/**
 * `deno task prove scale` reads the figures of the benchmark, and says which of them miss their goals.
 * @module
 */

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { readFigures } from "../../local/prove/scale/part.ts";

const LINES = `
The ledger in one table: 10,000,000 entries
  1,000,000 users, charged in a mixed order; references of 60 characters.

Bytes per entry
  rows                                           120
  together                                       268   misses 250 by 18

Charging a user, sent by pgbench (per second)
                                             minimal          deduct           ratio
  a reference, large                            3449            2698            0.78       0.66-0.92               7   meets 0.72
`.split("\n");

Deno.test("a figure that misses its goal does not hold, and is told of", () => {
  deepStrictEqual(readFigures(LINES, { isGoalOfSize: true }), {
    holds: false,
    rows: [
      {
        what: "one table: Bytes per entry: together",
        figure: "268, misses 250 by 18",
        holds: false,
      },
      {
        what: "one table: Charging a user, sent by pgbench: a reference, large",
        figure: "2698 against 3449, ratio 0.78 (0.66-0.92), meets 0.72",
        holds: true,
      },
    ],
    misses: ["one table: Bytes per entry: together: 268, misses 250 by 18"],
  });
});

Deno.test("the goals of ten million entries say nothing about small books", () => {
  strictEqual(readFigures(LINES, { isGoalOfSize: false }).holds, true);
});

Deno.test("a benchmark that printed no figures, or no rates, has shown nothing", () => {
  match(String(readFigures([], { isGoalOfSize: false }).misses), /no figure/);
  const without = [...LINES, "  pgbench is not installed"];
  match(String(readFigures(without, { isGoalOfSize: true }).misses), /pgbench is not installed/);
});
