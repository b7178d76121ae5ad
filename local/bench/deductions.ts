/**
 * The SQL functions that charge a user, against the minimal work for the same job: one statement that
 * takes the credit and writes the ledger entry.
 * @module
 */

import assert from "node:assert/strict";
import postgres from "postgres";
import { PGBENCH_MISSING } from "../postgres/pgbench.ts";
import { GOALS } from "./goals.ts";
import { type Call, CONNECTIONS, SESSION_SETTINGS, throughput } from "./load.ts";
import { findPgbench, type Pgbench, pgbenchScript } from "./pgbench.ts";
import { printComparisons, printHeading } from "./report.ts";
import { deduct, minimalDeduction, reserveAndCapture, type Script } from "./scripts.ts";
import { type Comparison, type Limit, type Measure, sideBySide } from "./statistics.ts";
import { anyPhoneNumber, USERS } from "./users.ts";

const ROUNDS = 60;
const PGBENCH_ROUNDS = 7;

/** One comparison of the product with the minimal statement. */
interface Contest {
  readonly name: string;
  readonly product: Script;
  readonly users: number;
  readonly withReference: boolean;
  readonly limit?: Limit;
}

const CONTESTS: readonly Contest[] = [
  {
    name: "deduct, many users",
    product: deduct,
    users: USERS,
    withReference: false,
    limit: GOALS.deduction,
  },
  {
    name: "the same, with a reference",
    product: deduct,
    users: USERS,
    withReference: true,
    limit: GOALS.deductionWithReference,
  },
  {
    name: "reserve and capture",
    product: reserveAndCapture,
    users: USERS,
    withReference: true,
    limit: GOALS.reserveAndCapture,
  },
  { name: "deduct, one user", product: deduct, users: 1, withReference: false },
];

/** Measures and prints the results. */
export async function benchDeductions(databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: CONNECTIONS, connection: SESSION_SETTINGS });
  try {
    printHeading("Charging a user, against the minimal statement (per second)", [
      `${CONNECTIONS} connections, ${USERS} users, prepared statements, synchronous_commit = off.`,
      "Sent by postgres.js in this process, which takes processor time from both sides.",
    ]);
    printResults(await compareWithPostgresJs(sql));

    const pgbench = await findPgbench({
      databaseUrl,
      connections: CONNECTIONS,
      sessionSettings: SESSION_SETTINGS,
    });
    printHeading("The same, sent by pgbench", [
      pgbench
        ? `${pgbench.version}, which takes little processor time, so these figures are stricter.`
        : `Skipped: ${PGBENCH_MISSING}`,
    ]);
    if (pgbench) printResults(await compareWithPgbench(pgbench));
  } finally {
    await sql.end();
  }
}

async function compareWithPostgresJs(sql: postgres.Sql): Promise<Comparison[]> {
  const sessions = await Promise.all(Array.from({ length: CONNECTIONS }, () => sql.reserve()));
  const comparisons: Comparison[] = [];
  for (const contest of CONTESTS) {
    const measure = (script: Script) => {
      const clients = sessions.map((session) => postgresJsCall(session, script, contest));
      return () => throughput(clients);
    };
    comparisons.push(...await compare(contest, measure, ROUNDS));
  }
  for (const session of sessions) session.release();
  return comparisons;
}

function postgresJsCall(
  session: postgres.ReservedSql,
  script: Script,
  { users, withReference }: Contest,
): Call {
  const texts = script({ phoneNumber: "$1", reference: withReference ? "$2" : "null" });
  return async () => {
    const phoneNumber = anyPhoneNumber(users);
    const values = withReference ? [phoneNumber, crypto.randomUUID()] : [phoneNumber];
    for (const text of texts) {
      const rows = await session.unsafe(text, values, { prepare: true });
      assert.equal(rows.length, 1);
    }
  };
}

async function compareWithPgbench(pgbench: Pgbench): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const contest of CONTESTS) {
    const measure = (script: Script) => () => pgbench.throughput(pgbenchScript(script, contest));
    comparisons.push(...await compare(contest, measure, PGBENCH_ROUNDS));
  }
  return comparisons;
}

function compare(
  { name, product, limit }: Contest,
  measure: (script: Script) => Measure,
  rounds: number,
): Promise<Comparison[]> {
  return sideBySide(
    measure(minimalDeduction),
    [{ name, measure: measure(product), limit }],
    rounds,
  );
}

function printResults(comparisons: readonly Comparison[]): void {
  printComparisons({ baseline: "minimal", samples: "product", digits: 0 }, comparisons);
}
