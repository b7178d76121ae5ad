/**
 * `deduct_credits` in the database, against the minimal work for the same job.
 *
 * The minimal work is one statement that takes the credit and writes the ledger entry, on the same
 * tables. It handles neither unknown users nor repeated references, and does not report what went
 * wrong.
 * @module
 */

import assert from "node:assert/strict";
import postgres from "postgres";
import { type Call, throughput } from "./load.ts";
import { findPgbench, type Pgbench } from "./pgbench.ts";
import { printComparisons, printHeading } from "./report.ts";
import { type Comparison, type Limit, type Measure, sideBySide } from "./statistics.ts";
import { anyPhoneNumber, FIRST_NATIONAL_NUMBER, USERS } from "./users.ts";

/** Connections that call at the same time. */
const CONNECTIONS = 8;

const ROUNDS = 60;
const PGBENCH_ROUNDS = 7;

/** Commits do not wait for the disk: both sides would, which would hide a difference. */
const SESSION_SETTINGS = { synchronous_commit: "off" };

/** SQL expressions for the arguments of a statement. */
interface Arguments {
  readonly phoneNumber: string;
  /** `null` for a call without a reference. */
  readonly reference: string;
}

/** Writes a statement with the given arguments. */
type Statement = (values: Arguments) => string;

/** One comparison of the two statements. */
interface Contest {
  readonly name: string;
  readonly users: number;
  readonly withReference: boolean;
  readonly limit?: Limit;
}

const CONTESTS: readonly Contest[] = [
  { name: "many users", users: USERS, withReference: false, limit: { atLeast: 0.8 } },
  {
    name: "many users, with a reference",
    users: USERS,
    withReference: true,
    limit: { atLeast: 0.7 },
  },
  { name: "one user", users: 1, withReference: false },
];

/** Measures and prints the results. */
export async function benchDeductions(databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: CONNECTIONS, connection: SESSION_SETTINGS });
  try {
    printHeading("deduct_credits against the minimal statement (calls per second)", [
      `${CONNECTIONS} connections, ${USERS} users, prepared statements, synchronous_commit = off.`,
      "Sent by postgres.js in this process, which takes processor time from both sides.",
    ]);
    printResults(await compareWithPostgresJs(sql));

    const pgbench = await findPgbench({
      databaseUrl,
      connections: CONNECTIONS,
      sessionSettings: SESSION_SETTINGS,
    });
    if (pgbench) {
      printHeading("The same, sent by pgbench", [
        `${pgbench.version}, which takes little processor time, so these figures are stricter.`,
      ]);
      printResults(await compareWithPgbench(pgbench));
    }
  } finally {
    await sql.end();
  }
}

/** The statement of the product. */
function productStatement({ phoneNumber, reference }: Arguments): string {
  return `select * from public.deduct_credits(${phoneNumber}, 1, ${reference})`;
}

/** The statement that does only what cannot be left out. */
function minimalStatement({ phoneNumber, reference }: Arguments): string {
  return `
    with charged as (
      update public.users u
      set credits = u.credits - 1, transaction_count = u.transaction_count + 1
      where u.phone_number = ${phoneNumber} and u.credits >= 1
      returning u.id, u.credits, u.transaction_count
    )
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after)
    select c.id, c.transaction_count, 'debit', 1, 'image_generation', ${reference}, c.credits
    from charged c
    returning user_id, balance_after`;
}

async function compareWithPostgresJs(sql: postgres.Sql): Promise<Comparison[]> {
  const sessions = await Promise.all(Array.from({ length: CONNECTIONS }, () => sql.reserve()));
  const comparisons: Comparison[] = [];
  for (const contest of CONTESTS) {
    const measure = (statement: Statement) => {
      const clients = sessions.map((session) => postgresJsCall(session, statement, contest));
      return () => throughput(clients);
    };
    comparisons.push(...await compare(contest, measure, ROUNDS));
  }
  for (const session of sessions) session.release();
  return comparisons;
}

function postgresJsCall(
  session: postgres.ReservedSql,
  statement: Statement,
  { users, withReference }: Contest,
): Call {
  const text = statement({ phoneNumber: "$1", reference: withReference ? "$2" : "null" });
  return async () => {
    const phoneNumber = anyPhoneNumber(users);
    const values = withReference ? [phoneNumber, crypto.randomUUID()] : [phoneNumber];
    const rows = await session.unsafe(text, values, { prepare: true });
    assert.equal(rows.length, 1);
  };
}

async function compareWithPgbench(pgbench: Pgbench): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const contest of CONTESTS) {
    const values = {
      phoneNumber: `'+91' || :number`,
      reference: contest.withReference ? `'reference ' || :reference` : "null",
    };
    const measure = (statement: Statement) => () =>
      pgbench.throughput([
        `\\set number ${FIRST_NATIONAL_NUMBER} + random(0, ${contest.users - 1})`,
        "\\set reference random(1, 9000000000000000)",
        `${statement(values).replaceAll(/\s+/g, " ")};`,
      ]);
    comparisons.push(...await compare(contest, measure, PGBENCH_ROUNDS));
  }
  return comparisons;
}

function compare(
  { name, limit }: Contest,
  measure: (statement: Statement) => Measure,
  rounds: number,
): Promise<Comparison[]> {
  const contestant = { name, measure: measure(productStatement), limit };
  return sideBySide(measure(minimalStatement), [contestant], rounds);
}

function printResults(comparisons: readonly Comparison[]): void {
  printComparisons({ baseline: "minimal", samples: "deduct_credits", digits: 0 }, comparisons);
}
