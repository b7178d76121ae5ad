/**
 * `deno task bench scale`: whether charging a user, and what an entry takes on the disk, stay as they are
 * when the ledger has ten million entries, in one table and in hash partitions by user.
 * @module
 */

import assert from "node:assert/strict";
import postgres from "postgres";
import { openPlanReader, type PlanNode } from "../postgres/executed-plans.ts";
import { PGBENCH_MISSING } from "../postgres/pgbench.ts";
import { applySchemaFiles, readSchemaFiles, type SchemaFile } from "../postgres/schemas.ts";
import { type TemporaryServer, withTemporaryServer } from "../postgres/temporary.ts";
import type { Settings } from "../system/settings.ts";
import { type ChargedSize, fillChargedBooks, type ScaleDatabase } from "./charged-books.ts";
import { GOALS } from "./goals.ts";
import { ledgerSize } from "./ledger-size.ts";
import { CONNECTIONS, SESSION_SETTINGS } from "./load.ts";
import { partitionLedger } from "./partitioned-schema.ts";
import { findPgbench, type Pgbench, pgbenchScript } from "./pgbench.ts";
import { printComparisons, printFigure, printHeading, printLines } from "./report.ts";
import { deduct, minimalDeduction, type Script } from "./scripts.ts";
import { type Comparison, takeTurns } from "./statistics.ts";
import { FIRST_NATIONAL_NUMBER } from "./users.ts";

/** What is measured, so that a test can measure next to nothing. */
export interface ScaleSize {
  readonly small: ChargedSize;
  readonly large: ChargedSize;
  readonly partitions: number;
  /** The entries that are new to the check of what changed. */
  readonly changes: number;
  readonly rounds: number;
  /** How often each connection repeats a script in a round; undefined for as often as it can in a second. */
  readonly turns: number | undefined;
}

const FULL: ScaleSize = {
  small: { users: 1_000, entriesPerUser: 10 },
  large: { users: 1_000_000, entriesPerUser: 10 },
  partitions: 16,
  changes: 100_000,
  rounds: 7,
  turns: undefined,
};

/** Books that take seconds, to see that it works. The figures say little. */
export const SMALL: ScaleSize = {
  small: { users: 100, entriesPerUser: 10 },
  large: { users: 2_000, entriesPerUser: 10 },
  partitions: 4,
  changes: 1_000,
  rounds: 3,
  turns: 50,
};

/**
 * The large books fit into `shared_buffers`, as what is used of them does on a server that was chosen for
 * them. `max_wal_size` bounds what the log takes on the disk.
 */
const SERVER_SETTINGS = { shared_buffers: "4GB", max_wal_size: "2GB" };

/** The contests, as in `deno task bench`. */
const CONTESTS = [
  { name: "no reference", withReference: false, limit: GOALS.deduction },
  { name: "a reference", withReference: true, limit: GOALS.deductionWithReference },
];

/** A function's plans settle within so many calls: PostgreSQL plans the first five anew each time. */
const CALLS_UNTIL_PLANNED = 10;

/** The ledger in one way: the files that define it, and what the sessions of its database set. */
interface Layout {
  readonly name: string;
  readonly files: SchemaFile[];
  readonly settings: Readonly<Record<string, string>>;
}

/** Books that have been filled. */
interface Books extends ScaleDatabase {
  readonly size: ChargedSize;
}

/** Measures and prints the results. */
export async function benchScale(settings: Settings, size: ScaleSize = FULL): Promise<void> {
  const files = await readSchemaFiles();
  const oneTable: Layout = { name: "one table", files, settings: {} };
  const partitioned: Layout = {
    name: `${size.partitions} hash partitions by user`,
    files: partitionLedger(files, size.partitions),
    // A plan that serves all users names every partition, so its estimate is too high. PostgreSQL would
    // rather plan each call anew, which takes longer than the call.
    settings: { plan_cache_mode: "force_generic_plan" },
  };
  await withTemporaryServer(settings, async (server) => {
    for (const layout of [oneTable, partitioned]) {
      printHeading(`The ledger in ${layout.name}: ${count(entriesOf(size.large))} entries`, [
        `${count(size.large.users)} users, charged in a mixed order; references of 60 characters.`,
        Object.entries({ ...SERVER_SETTINGS, fsync: "off", ...layout.settings })
          .map(([name, value]) => `${name} = ${value}`).join(", "),
      ]);
      const large = await openBooks(server, "large", layout, size.large, (entries) => {
        console.log(`  ${count(entries)} entries written`);
      });
      // The same small books for both, so that the partitions are compared with one table.
      const small = await openBooks(server, "small", oneTable, size.small);
      await printSizes(large);
      await printPlans(large);
      await benchRates(small, large, size);
      await benchChecks(large, size.changes);
      await server.dropDatabase("small");
      await server.dropDatabase("large");
    }
  }, SERVER_SETTINGS);
}

async function openBooks(
  server: TemporaryServer,
  name: string,
  { files, settings }: Layout,
  size: ChargedSize,
  progress: (entries: number) => void = () => {},
): Promise<Books> {
  const url = await server.createDatabase(name);
  await applySchemaFiles(url, files);
  await using session = connect(url);
  for (const [setting, value] of Object.entries(settings)) {
    await session.sql.unsafe(`alter database "${name}" set ${setting} = '${value}'`);
  }
  const books = { url, superuserUrl: server.superuserUrl(name), size };
  await fillChargedBooks(books, size, progress);
  return books;
}

async function printSizes({ superuserUrl, size: { entriesPerUser } }: Books): Promise<void> {
  await using session = connect(superuserUrl);
  const { rows, indexes } = await ledgerSize(session.sql);
  printHeading("Bytes per entry", [
    `Every ${entriesPerUser}th entry is a welcome, which is shorter than a charge with a reference.`,
  ]);
  printFigure("rows", rows, 0);
  for (const { name, bytes } of indexes) printFigure(name, bytes, 0);
  const total = indexes.reduce((sum, { bytes }) => sum + bytes, rows);
  printFigure("together", total, 0, GOALS.bytesPerEntry);
  const [disk] = await session.sql<[{ gigabytes: number }]>`
    select (pg_database_size(current_database())
      + (select sum(size) from pg_ls_waldir()))::float / 1e9 as gigabytes`;
  printHeading("On the disk (GB)", []);
  printFigure("the database and its log", disk.gigabytes, 1, GOALS.gigabytesOnDisk);
}

/** Prints how the statements that matter reach the ledger, once their plans are those of every call. */
async function printPlans({ superuserUrl, size }: Books): Promise<void> {
  const reader = await openPlanReader(superuserUrl);
  try {
    printHeading("How the ledger is reached", ["Per node of a plan: what it is, and its rows."]);
    const number = `'+91${FIRST_NATIONAL_NUMBER + Math.floor(size.users / 2)}'`;
    const history = `select * from public.list_credit_transactions(
      (select user_id from public.identities where kind = 'phone' and value = ${number}), 20)`;
    const charge = (reference: string) => deduct({ phoneNumber: number, reference }).join(";\n");
    const statements = {
      "a page of history": history,
      "a charge with a new reference": charge("gen_random_uuid()::text"),
      "a charge that is repeated": charge("'again'"),
    };
    for (const [name, statement] of Object.entries(statements)) {
      const { nodes } = await reader.execute(statement, CALLS_UNTIL_PLANNED);
      printLines(name, nodes.flatMap(describe));
    }
  } finally {
    await reader.end();
  }
}

/** A line for a node that reads the ledger or writes to it; none for others. */
function describe(node: PlanNode): string[] {
  const table = node["Relation Name"] ?? "";
  if (!/^credit_transactions(_\d+)?$/.test(table) || node["Actual Loops"] === 0) return [];
  const arbiters = node["Conflict Arbiter Indexes"];
  return [
    [
      node["Node Type"] === "ModifyTable" ? node.Operation : node["Node Type"],
      node["Index Name"] ? `by ${node["Index Name"]}` : "",
      `on ${table}`,
      arbiters ? `unless in ${arbiters.join(", ")}` : "",
      `(${node["Actual Rows"]})`,
    ].filter(Boolean).join(" "),
  ];
}

/** The rate of the product and of the minimal statement, on both books, in the same rounds. */
async function benchRates(small: Books, large: Books, size: ScaleSize): Promise<void> {
  const pgbenchOf = ({ url }: Books) =>
    findPgbench({
      databaseUrl: url,
      connections: CONNECTIONS,
      sessionSettings: SESSION_SETTINGS,
      turns: size.turns,
    });
  const [onSmall, onLarge] = await Promise.all([pgbenchOf(small), pgbenchOf(large)]);
  printHeading("Charging a user, sent by pgbench (per second)", [
    onLarge
      ? `${onLarge.version}; ${CONNECTIONS} connections, prepared statements, synchronous_commit = off.`
      : `Skipped: ${PGBENCH_MISSING}`,
  ]);
  if (!onSmall || !onLarge) return;

  const toMinimal: Comparison[] = [];
  const toSmall: Comparison[] = [];
  for (const { name, withReference, limit } of CONTESTS) {
    const measure = (pgbench: Pgbench, { size: { users } }: Books, script: Script) => () =>
      pgbench.throughput(pgbenchScript(script, { users, withReference }));
    const [smallMinimal = [], smallProduct = [], largeMinimal = [], largeProduct = []] =
      await takeTurns([
        measure(onSmall, small, minimalDeduction),
        measure(onSmall, small, deduct),
        measure(onLarge, large, minimalDeduction),
        measure(onLarge, large, deduct),
      ], size.rounds);
    toMinimal.push(
      { name: `${name}, small`, baseline: smallMinimal, samples: smallProduct, limit },
      { name: `${name}, large`, baseline: largeMinimal, samples: largeProduct, limit },
    );
    toSmall.push(
      {
        name: `deduct, ${name}`,
        baseline: smallProduct,
        samples: largeProduct,
        limit: GOALS.deductionAtScale,
      },
      { name: `minimal, ${name}`, baseline: smallMinimal, samples: largeMinimal, limit: undefined },
    );
  }
  printComparisons({ baseline: "minimal", samples: "deduct", digits: 0 }, toMinimal);
  console.log();
  printComparisons({ baseline: "small", samples: "large", digits: 0 }, toSmall);
  await using session = connect(small.url);
  const [grown] = await session.sql<[{ entries: number }]>`
    select count(*)::integer as entries from public.credit_transactions`;
  console.log(
    `  The small ledger had ${count(entriesOf(small.size))} entries before the first round and ` +
      `${count(grown.entries)} after the last.`,
  );
}

/** The check of what changed, and the check of everything. */
async function benchChecks({ superuserUrl, size }: Books, changes: number): Promise<void> {
  await using session = connect(superuserUrl);
  const { sql } = session;
  printHeading("Checking the books (seconds)", []);
  let violations: unknown[] = [];
  const [start] = await sql<[{ since: string }]>`select clock_timestamp()::text as since`;
  await sql`
    select count(d.outcome) from generate_series(1, ${changes}::integer) n
    cross join lateral public.deduct_credits(
      '+91' || ${FIRST_NATIONAL_NUMBER}::bigint + floor(random() * ${size.users})::bigint,
      1, 'change ' || n
    ) d`;
  printFigure(
    `what changed, ${count(changes)} entries`,
    await secondsOf(async () => {
      violations = [
        ...await sql`
        select * from public.check_invariants(since => ${start.since}::timestamptz)`,
      ];
    }),
    1,
    GOALS.checkOfChangesSeconds,
  );
  assert.deepEqual(violations, []);
  const seconds = await secondsOf(async () => {
    violations = [...await sql`select * from public.check_invariants()`];
  });
  assert.deepEqual(violations, []);
  printFigure("everything", seconds, 1);
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

function connect(url: string): AsyncDisposable & { readonly sql: postgres.Sql } {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  return { sql, [Symbol.asyncDispose]: () => sql.end() };
}

function entriesOf({ users, entriesPerUser }: ChargedSize): number {
  return users * entriesPerUser;
}

function count(figure: number): string {
  return figure.toLocaleString("en");
}
