/**
 * Shows that `bot-credits` only reads if the user is known.
 * @module
 */

import assert from "node:assert/strict";
import postgres from "postgres";
import type { StackEnvironment } from "../stack/environment.ts";
import { printFinding, printHeading } from "./report.ts";

const CALLS = 200;

/** The stack's scheduler writes now and then, so this looks for a period in which it does not. */
const ATTEMPTS = 5;

/** What a database has written up to some moment. */
interface WritePosition {
  /** Every transaction that writes or locks a row takes the next number. */
  readonly transactions: number;
  readonly walBytes: number;
}

/** Measures and prints the results. */
export async function benchKnownUser(stack: StackEnvironment, phoneNumber: string): Promise<void> {
  printHeading("bot-credits on a known user is a read", [
    "A transaction that writes or locks a row takes a number, and a write adds bytes to the WAL.",
  ]);
  const sql = postgres(stack.DATABASE_URL, { max: 1 });
  try {
    const read = () => botCredits(stack, phoneNumber);
    // The first call may clean up after earlier deductions.
    await read();
    const reads = await minWritten(sql, read);
    printFinding(
      "writes nothing and locks no row",
      reads.transactions === 0 && reads.walBytes === 0,
      `${CALLS} calls: ${reads.transactions} numbers, ${reads.walBytes} bytes of WAL`,
    );
    const writes = await written(sql, () => botDeduct(stack, phoneNumber));
    printFinding(
      "bot-deduct does, for comparison",
      writes.transactions >= CALLS,
      `${CALLS} calls: ${writes.transactions} numbers, ${writes.walBytes} bytes of WAL`,
    );
    printFinding(
      "waits for no lock",
      await sql.begin(async (transaction) => {
        await transaction`select from public.users where phone_number = ${phoneNumber} for update`;
        return await read().then(() => true, () => false);
      }),
      "called while another transaction holds the user's row",
    );
  } finally {
    await sql.end();
  }
}

async function minWritten(sql: postgres.Sql, call: () => Promise<void>): Promise<WritePosition> {
  let min = await written(sql, call);
  for (let attempt = 1; attempt < ATTEMPTS && min.walBytes > 0; attempt++) {
    const next = await written(sql, call);
    if (next.walBytes < min.walBytes) min = next;
  }
  return min;
}

async function written(sql: postgres.Sql, call: () => Promise<void>): Promise<WritePosition> {
  const before = await position(sql);
  for (let index = 0; index < CALLS; index++) await call();
  const after = await position(sql);
  return {
    transactions: after.transactions - before.transactions,
    walBytes: after.walBytes - before.walBytes,
  };
}

async function position(sql: postgres.Sql): Promise<WritePosition> {
  const [row] = await sql<[{ transactions: string; wal_bytes: string }]>`
    select
      pg_snapshot_xmax(pg_current_snapshot())::text as transactions,
      (pg_current_wal_insert_lsn() - '0/0')::text as wal_bytes`;
  return { transactions: Number(row.transactions), walBytes: Number(row.wal_bytes) };
}

async function botCredits(stack: StackEnvironment, phoneNumber: string): Promise<void> {
  await succeeds(fetch(`${stack.SUPABASE_URL}/functions/v1/bot-credits/${phoneNumber}`, {
    headers: { "x-bot-secret": stack.BOT_SECRET },
  }));
}

async function botDeduct(stack: StackEnvironment, phoneNumber: string): Promise<void> {
  await succeeds(fetch(`${stack.SUPABASE_URL}/functions/v1/bot-deduct`, {
    method: "POST",
    headers: { "x-bot-secret": stack.BOT_SECRET },
    body: JSON.stringify({ phone_number: phoneNumber }),
  }));
}

async function succeeds(responding: Promise<Response>): Promise<void> {
  const response = await responding;
  const text = await response.text();
  assert.equal(response.status, 200, text);
}
