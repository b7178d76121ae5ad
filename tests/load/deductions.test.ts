/**
 * Many deductions at once, counted to the last credit. A copy of the deduction that reads first and
 * writes later has to fail the same checks, which proves that they can fail.
 * @module
 */

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { AssertionError } from "node:assert";
import { z } from "zod";
import type postgres from "postgres";
import { assertBooksAreRight, startBackend } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { openConnections } from "../support/connections.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { userWithCredits } from "../support/sql-bot.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { at, one } from "../support/lists.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());

const CONNECTIONS = 20;

const row = z.object({ outcome: z.string(), remaining_credits: z.int() });
type Row = z.infer<typeof row>;

/** One deduction. */
interface Deduction {
  phone: string;
  credits?: number;
  reference?: string;
}

/**
 * Runs the deductions on many connections at once, each as fast as it can. The SQL function is a
 * parameter, so that the faulty copy can be called too.
 */
async function deductAll(
  { url }: TestDatabase,
  functionName: string,
  deductions: Deduction[],
): Promise<Row[]> {
  const waiting = [...deductions];
  await using connections = await openConnections(url, CONNECTIONS);
  const rows = await connections.all(async (sql) => {
    const answered: Row[] = [];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [answer] = await sql`
        select * from ${sql(functionName)}(${next.phone}, ${next.credits ?? 1}, ${
        next.reference ?? null
      })`;
      answered.push(row.parse(answer));
    }
    return answered;
  });
  return rows.flat();
}

/** What the ledger says about a user's deductions. */
interface Ledger {
  balance: number;
  debits: number;
  spent: number;
  lowest: number;
}

async function ledgerOf(sql: postgres.Sql, phone: string): Promise<Ledger> {
  const ledger = await sql<Ledger[]>`
    select
      max(u.credits) as balance,
      count(*) filter (where t.source = 'image_generation')::int as debits,
      coalesce(sum(t.credits) filter (where t.source = 'image_generation'), 0)::int as spent,
      min(t.balance_after) as lowest
    from public.users u join public.credit_transactions t on t.user_id = u.id
    where u.phone_number = ${phone}`;
  return { ...one(ledger) };
}

function countOutcomes(outcomes: string[]): Record<string, number> {
  return Object.fromEntries(
    [...Map.groupBy(outcomes, (outcome) => outcome)].map((
      [outcome, same],
    ) => [outcome, same.length]),
  );
}

/** 200 deductions at once on 37 credits. Throws unless exactly 37 are served. */
async function check200On37(database: TestDatabase, functionName: string): Promise<void> {
  const { phone } = await userWithCredits(database.sql, 37);
  const rows = await deductAll(
    database,
    functionName,
    Array.from({ length: 200 }, () => ({ phone })),
  );
  deepStrictEqual(countOutcomes(rows.map(({ outcome }) => outcome)), {
    deducted: 37,
    insufficient_credits: 163,
  });
  deepStrictEqual(await ledgerOf(database.sql, phone), {
    balance: 0,
    debits: 37,
    spent: 37,
    lowest: 0,
  });
  const balances = rows.filter(({ outcome }) => outcome === "deducted")
    .map(({ remaining_credits }) => remaining_credits);
  // Every caller was told a different balance: 36 down to 0.
  deepStrictEqual(balances.toSorted((a, b) => a - b), Array.from({ length: 37 }, (_, n) => n));
}

/** 300 deductions at once, every reference three times. Throws unless 100 are charged. */
async function check300OnThreefoldReferences(
  database: TestDatabase,
  functionName: string,
): Promise<void> {
  const { phone } = await userWithCredits(database.sql, 500);
  const deductions = Array.from({ length: 300 }, (_, index) => ({
    phone,
    reference: `job-${Math.floor(index / 3)}`,
  }));
  const rows = await deductAll(database, functionName, deductions);
  deepStrictEqual(countOutcomes(rows.map(({ outcome }) => outcome)), {
    deducted: 100,
    replayed: 200,
  });
  deepStrictEqual(await ledgerOf(database.sql, phone), {
    balance: 400,
    debits: 100,
    spent: 100,
    lowest: 400,
  });
  // Each balance from 499 to 400 was returned three times: by the charge and by its two replays.
  const balances = countOutcomes(rows.map(({ remaining_credits }) => String(remaining_credits)));
  deepStrictEqual(Object.values(balances), Array.from({ length: 100 }, () => 3));
}

Deno.test("200 deductions at once on 37 credits: 37 are served, and the balance is 0", async () => {
  await check200On37(backend.database, "public.deduct_credits");
  await assertBooksAreRight(backend.sql);
});

Deno.test("300 deductions at once with every reference three times: 100 are charged", async () => {
  await check300OnThreefoldReferences(backend.database, "public.deduct_credits");
  await assertBooksAreRight(backend.sql);
});

Deno.test("deductions of several credits at once never overdraw, and waste no credit that fits", async () => {
  const { phone } = await userWithCredits(backend.sql, 50);
  const rows = await deductAll(
    backend.database,
    "public.deduct_credits",
    Array.from({ length: 60 }, (_, index) => ({ phone, credits: 1 + index % 5 })),
  );
  const { balance, debits, spent } = await ledgerOf(backend.sql, phone);
  strictEqual(balance + spent, 50);
  strictEqual(debits, rows.filter(({ outcome }) => outcome === "deducted").length);
  // Single credits were refused only when nothing was left.
  strictEqual(balance, 0);
  await assertBooksAreRight(backend.sql);
});

Deno.test("deductions by 20 newcomers at once welcome each of them once", async () => {
  const phones = Array.from({ length: 20 }, newPhoneNumber);
  const deductions = phones.flatMap((phone) => Array.from({ length: 5 }, () => ({ phone })));
  const rows = await deductAll(backend.database, "public.deduct_credits", deductions);
  deepStrictEqual(countOutcomes(rows.map(({ outcome }) => outcome)), {
    deducted: 60,
    insufficient_credits: 40,
  });
  await assertBooksAreRight(backend.sql);
});

Deno.test("60 calls of bot-deduct at once on 37 credits: 37 are served", async () => {
  const { phone } = await userWithCredits(backend.sql, 37);
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => call("POST", "bot-deduct", { body: { phone_number: phone } })),
  );
  deepStrictEqual(countOutcomes(answers.map(({ body }) => body.status)), {
    SUCCESS: 37,
    INSUFFICIENT_CREDITS: 23,
  });
  deepStrictEqual(await ledgerOf(backend.sql, phone), {
    balance: 0,
    debits: 37,
    spent: 37,
    lowest: 0,
  });
});

Deno.test("60 calls of bot-deduct at once with every reference three times: 20 are charged", async () => {
  const { phone } = await userWithCredits(backend.sql, 30);
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, index) => {
      const reference_id = `job-${index % 20}`;
      return call("POST", "bot-deduct", { body: { phone_number: phone, reference_id } });
    }),
  );
  const replayed = answers.filter(({ headers }) => headers.get("idempotent-replayed") === "true");
  strictEqual(replayed.length, 40);
  for (const [index, answer] of answers.entries()) {
    deepStrictEqual(answer.body, at(answers, index % 20).body);
    dataOf(answer);
  }
  strictEqual((await ledgerOf(backend.sql, phone)).balance, 10);
});

/**
 * The deduction as it must not be: it reads the balance, waits and writes. It waits ten milliseconds,
 * so that the mistake shows every time.
 */
const MUTANT = `
  create function public.deduct_credits_carelessly(
    phone_number text, credits integer, reference_id text
  )
  returns table (outcome text, remaining_credits integer)
  language plpgsql
  as $$
  #variable_conflict use_column
  declare
    v_user public.users;
    v_first public.credit_transactions;
  begin
    select u.* into strict v_user from public.users u
    where u.phone_number = deduct_credits_carelessly.phone_number;

    select t.* into v_first from public.credit_transactions t
    where t.user_id = v_user.id
      and t.source = 'image_generation'
      and t.reference_id = deduct_credits_carelessly.reference_id;
    if found then
      return query select 'replayed', v_first.balance_after;
      return;
    end if;

    if v_user.credits < deduct_credits_carelessly.credits then
      return query select 'insufficient_credits', v_user.credits;
      return;
    end if;

    perform pg_sleep(0.01);

    update public.users u
    set credits = v_user.credits - deduct_credits_carelessly.credits,
        transaction_count = u.transaction_count + 1
    where u.id = v_user.id
    returning * into v_user;
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after)
    values (v_user.id, v_user.transaction_count, 'debit', deduct_credits_carelessly.credits,
      'image_generation', null, v_user.credits);
    return query select 'deducted', v_user.credits;
  end;
  $$`;

Deno.test("a deduction that reads first and writes later fails these checks", async () => {
  const database = await createTestDatabase();
  try {
    await database.sql.unsafe(MUTANT);
    const careless = "public.deduct_credits_carelessly";
    await rejects(check200On37(database, careless), AssertionError);
    await rejects(check300OnThreefoldReferences(database, careless), AssertionError);
    await rejects(assertBooksAreRight(database.sql), AssertionError);
  } finally {
    await database.drop();
  }
});
