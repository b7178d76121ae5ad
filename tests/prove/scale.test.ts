/**
 * `deno task prove scale` reads the figures of the benchmark, and says which of them miss their goals, and
 * which are not there.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { readFigures } from "../../local/prove/scale/part.ts";
import { REPOSITORY } from "../../local/system/settings.ts";

/** What the benchmark printed of small books, but for most of the lines that count entries. */
const OUTPUT = `
The ledger in one table: 20,000 entries
  2,000 users, charged in a mixed order; references of 60 characters.
  shared_buffers = 4GB, max_wal_size = 2GB, fsync = off

  20,000 entries written

Bytes per entry
  Every 10th entry is a welcome, which is shorter than a charge with a reference.

  rows                                           186
  credit_transactions_pkey                        60
  one_charge_per_reference                        55
  one_entry_per_grant_or_merge                     8
  entries_by_time                                  1
  entries_of_merges                                0
  entries_of_reversals                             0
  entries_of_payments                              0
  entries_of_adjustments                           0
  together                                       312   misses 250 by 62

On the disk (GB)

  the database and its log                       0.1   meets 10.0

How the ledger is reached
  Per node of a plan: what it is, and its rows.

  a page of history
    Index Scan by credit_transactions_pkey on credit_transactions (10)
  a charge with a new reference
    Insert on credit_transactions unless in one_charge_per_reference (1)
  a charge that is repeated
    Insert on credit_transactions unless in one_charge_per_reference (0)
    Index Scan by one_charge_per_reference on credit_transactions (1)

Charging a user, sent by pgbench (per second)
  pgbench (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1); 8 connections, prepared statements, synchronous_commit = off.

                                             minimal          deduct   ratio     min-max  rounds
  no reference, small                           3759            2728    0.80   0.59-0.84       3   meets 0.80
  no reference, large                           4340            2678    0.64   0.50-0.90       3   misses 0.80 by 0.16
  a reference, small                            3821            2395    0.63   0.49-0.81       3   misses 0.72 by 0.09
  a reference, large                            3761            2768    0.70   0.65-0.79       3   misses 0.72 by 0.02

                                               small           large   ratio     min-max  rounds
  deduct, no reference                          2728            2678    0.98   0.85-1.02       3   meets 0.85
  minimal, no reference                         3759            4340    1.05   0.67-1.63       3   no limit
  deduct, a reference                           2395            2768    1.16   1.00-1.47       3   meets 0.85
  minimal, a reference                          3821            3761    1.02   0.92-1.24       3   no limit
  The small ledger had 1,000 entries before the first round and 7,400 after the last.

Checking the books (seconds)

  what changed, 1,000 entries                    0.2   meets 3.0
  everything                                     0.5

The ledger in 4 hash partitions by user: 20,000 entries
  2,000 users, charged in a mixed order; references of 60 characters.
  shared_buffers = 4GB, max_wal_size = 2GB, fsync = off, plan_cache_mode = force_generic_plan

  20,000 entries written

Bytes per entry
  Every 10th entry is a welcome, which is shorter than a charge with a reference.

  rows                                           192
  credit_transactions_pkey                        63
  one_charge_per_reference                        59
  one_entry_per_grant_or_merge                    11
  entries_by_time                                  5
  entries_of_merges                                2
  entries_of_reversals                             2
  entries_of_payments                              2
  entries_of_adjustments                           2
  together                                       336   misses 250 by 86

On the disk (GB)

  the database and its log                       0.1   meets 10.0

How the ledger is reached
  Per node of a plan: what it is, and its rows.

  a page of history
    Index Scan by credit_transactions_1_pkey on credit_transactions_1 (10)
  a charge with a new reference
    Insert on credit_transactions unless in one_charge_per_reference (1)
  a charge that is repeated
    Insert on credit_transactions unless in one_charge_per_reference (0)
    Index Scan by credit_transactions_1_user_id_hashtextextended_idx on credit_transactions_1 (1)

Charging a user, sent by pgbench (per second)
  pgbench (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1); 8 connections, prepared statements, synchronous_commit = off.

                                             minimal          deduct   ratio     min-max  rounds
  no reference, small                           4133            2682    0.65   0.42-0.76       3   misses 0.80 by 0.15
  no reference, large                           4180            2328    0.54   0.48-0.63       3   misses 0.80 by 0.26
  a reference, small                            3914            2243    0.62   0.57-0.71       3   misses 0.72 by 0.10
  a reference, large                            3665            2391    0.58   0.54-0.70       3   misses 0.72 by 0.14

                                               small           large   ratio     min-max  rounds
  deduct, no reference                          2682            2328    0.80   0.75-1.44       3   misses 0.85 by 0.05
  minimal, no reference                         4133            4180    1.01   0.95-1.11       3   no limit
  deduct, a reference                           2243            2391    0.99   0.94-1.15       3   meets 0.85
  minimal, a reference                          3914            3665    1.12   0.94-1.17       3   no limit
  The small ledger had 1,000 entries before the first round and 7,400 after the last.

Checking the books (seconds)

  what changed, 1,000 entries                    0.2   meets 3.0
  everything                                     0.4
`;

const LINES = OUTPUT.split("\n");

Deno.test("each figure with a goal is a row that says of what it is, and in which unit", () => {
  const { rows } = readFigures(LINES, { isGoalOfSize: true });
  strictEqual(rows.length, 18);
  const ofOneTable = rows.filter(({ what }) => what.startsWith("one table: "));
  deepStrictEqual(ofOneTable.map(({ what, figure }) => `${what}: ${figure}`), [
    "one table: Bytes per entry: together: 312, misses 250 by 62",
    "one table: On the disk (GB): the database and its log: 0.1, meets 10.0",
    ...[
      "no reference, small: deduct 2728 against minimal 3759, ratio 0.80 (0.59-0.84), meets 0.80",
      "no reference, large: deduct 2678 against minimal 4340, ratio 0.64 (0.50-0.90), misses 0.80 by 0.16",
      "a reference, small: deduct 2395 against minimal 3821, ratio 0.63 (0.49-0.81), misses 0.72 by 0.09",
      "a reference, large: deduct 2768 against minimal 3761, ratio 0.70 (0.65-0.79), misses 0.72 by 0.02",
      "deduct, no reference: large 2678 against small 2728, ratio 0.98 (0.85-1.02), meets 0.85",
      "deduct, a reference: large 2768 against small 2395, ratio 1.16 (1.00-1.47), meets 0.85",
    ].map((row) => `one table: Charging a user, sent by pgbench (per second): ${row}`),
    "one table: Checking the books (seconds): what changed, 1,000 entries: 0.2, meets 3.0",
  ]);
});

Deno.test("a figure that misses its goal does not hold", () => {
  const { holds, rows, misses } = readFigures(LINES, { isGoalOfSize: true });
  strictEqual(holds, false);
  const missed = rows.filter(({ holds }) => !holds);
  strictEqual(missed.length, 10);
  ok(missed.every(({ figure }) => figure.includes("misses")));
  deepStrictEqual(misses, []);
});

Deno.test("the goals of ten million entries say nothing about small books", () => {
  const { holds, misses } = readFigures(LINES, { isGoalOfSize: false });
  deepStrictEqual({ holds, misses }, { holds: true, misses: [] });
});

Deno.test("a benchmark that printed no figures, or not all of them, has not shown them", () => {
  const missesOf = (lines: readonly string[]) => readFigures(lines, { isGoalOfSize: false }).misses;
  deepStrictEqual(missesOf([]), ["There are figures of 0 of 2 ledgers."]);
  const second = LINES.findLastIndex((line) => line.startsWith("The ledger in "));
  deepStrictEqual(missesOf(LINES.slice(0, second)), ["There are figures of 1 of 2 ledgers."]);
  const lastCheck = LINES.findLastIndex((line) => line.startsWith("  what changed"));
  deepStrictEqual(missesOf(LINES.toSpliced(lastCheck, 1)), [
    '4 hash partitions by user: there is no figure "what changed".',
  ]);
  const withoutRates = LINES.filter((line) => !/ratio|\d\.\d\d-\d\.\d\d/.test(line));
  strictEqual(missesOf(withoutRates).length, 12);
});

Deno.test("without pgbench nothing is begun, and what to install is said", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", "local/prove/run.ts"],
    cwd: REPOSITORY,
    env: { PATH: "" },
  }).output();
  const said = new TextDecoder().decode(stderr);
  deepStrictEqual([code, stdout.length], [1, 0], said);
  match(said, /scale cannot run here\. pgbench is not installed\. .*package postgresql/);
  match(said, /deno task prove (kills )?mutants fuzz( soak)?$/m);
});
