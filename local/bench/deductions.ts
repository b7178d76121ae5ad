/**
 * `deduct_credits` in the database, against the least work that could do it.
 *
 * The least work is one statement that takes the credit and writes the ledger's entry, on the same
 * tables. It knows no unknown users and no repeated references, and does not say what was wrong.
 * @module
 */

import assert from "node:assert/strict";
import postgres from "postgres";
import { type Caller, throughput } from "./load.ts";
import { findPgbench, type Pgbench } from "./pgbench.ts";
import { type Comparison, type Limit, printComparisons, printHeading } from "./report.ts";
import { sideBySide } from "./statistics.ts";
import { anyPhoneNumber, FIRST_NATIONAL_NUMBER, USERS } from "./users.ts";

/** Connections that call at the same time. */
const CONNECTIONS = 8;

const ROUNDS = 60;
const PGBENCH_ROUNDS = 7;

/** Commits do not wait for the disk: that costs both sides the same and would hide a difference. */
const SESSION_SETTINGS = { synchronous_commit: "off" };

/** How one statement gets the phone number and the reference: as SQL expressions. */
interface Arguments {
  readonly phoneNumber: string;
  /** `null` for a call without a reference. */
  readonly reference: string;
}

/** What is compared with what, on how many users. */
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

/** Measures and prints. */
export async function benchDeductions(databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: CONNECTIONS, connection: SESSION_SETTINGS });
  try {
    printHeading("deduct_credits against one statement that does the least (calls per second)", [
      `${CONNECTIONS} connections, ${USERS} users, prepared statements, synchronous_commit = off.`,
      "Sent by postgres.js in this process, which takes a part of the processor from both sides.",
    ]);
    printResults(await compareWithPostgresJs(sql));

    const pgbench = await findPgbench({
      databaseUrl,
      connections: CONNECTIONS,
      sessionSettings: SESSION_SETTINGS,
    });
    if (pgbench) {
      printHeading("The same, sent by pgbench", [
        `${pgbench.version}, which takes little of the processor: the stricter figures.`,
      ]);
      printResults(await compareWithPgbench(pgbench));
    }
  } finally {
    await sql.end();
  }
}

/** What the product does. */
function productStatement({ phoneNumber, reference }: Arguments): string {
  return `select * from public.deduct_credits(${phoneNumber}, 1, ${reference})`;
}

/** What could not be left out by anybody. */
function leastStatement({ phoneNumber, reference }: Arguments): string {
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
    const [baseline, samples] = await sideBySide(
      [leastStatement, productStatement].map((statement) => {
        const callers = sessions.map((session) => postgresJsCaller(session, statement, contest));
        return () => throughput(callers);
      }),
      ROUNDS,
    );
    comparisons.push({ ...contest, baseline, samples });
  }
  for (const session of sessions) session.release();
  return comparisons;
}

function postgresJsCaller(
  session: postgres.ReservedSql,
  statement: (values: Arguments) => string,
  { users, withReference }: Contest,
): Caller {
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
    const [baseline, samples] = await sideBySide(
      [leastStatement, productStatement].map((statement) => () =>
        pgbench.throughput([
          `\\set number ${FIRST_NATIONAL_NUMBER} + random(0, ${contest.users - 1})`,
          "\\set reference random(1, 9000000000000000)",
          `${statement(values).replaceAll(/\s+/g, " ")};`,
        ])
      ),
      PGBENCH_ROUNDS,
    );
    comparisons.push({ ...contest, baseline, samples });
  }
  return comparisons;
}

function printResults(comparisons: readonly Comparison[]): void {
  printComparisons({ baseline: "least", samples: "deduct_credits", digits: 0 }, comparisons);
}
