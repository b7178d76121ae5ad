/**
 * Prices follow one another without a gap or an overlap: what has applied stays as it is, and what is
 * planned can be taken back.
 * @module
 */

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type postgres from "postgres";
import { assertBooksAreRight } from "../support/backend.ts";
import { createTestDatabase } from "../support/database.ts";
import { deduct, userWithCredits } from "../support/sql-bot.ts";
import { one } from "../support/lists.ts";
import { takeTurns } from "../support/turns.ts";

const database = await createTestDatabase();
const { sql } = database;
Deno.test.afterAll(() => database.drop());
Deno.test.afterEach(() => assertBooksAreRight(sql));

const REFUSED = { code: "23001" };

const newAction = (): string => `action_${randomUUID().replaceAll("-", "_")}`;

/** Adds a price that applies from now on, or from so many years on. */
async function addPrice(
  sql: postgres.ISql,
  action: string,
  credits: number,
  years?: number,
): Promise<number> {
  const row = { action_id: action, unit: "piece", credits, done_message: "Made." };
  const planned = years === undefined ? {} : { valid_from: await yearsOn(sql, years) };
  const { id } = one(
    await sql<{ id: number }[]>`
    insert into public.action_prices ${sql({ ...row, ...planned })} returning id`,
  );
  return id;
}

/** The beginning of the year after so many more. */
async function yearsOn(sql: postgres.ISql, years: number): Promise<Date> {
  const { moment } = one(
    await sql<{ moment: Date }[]>`
    select date_trunc('year', now()) + make_interval(years => ${years + 1}) as moment`,
  );
  return moment;
}

/** Sets when a price ends. */
async function endAt(id: number, moment: Date | "infinity"): Promise<void> {
  const text = moment === "infinity" ? moment : moment.toISOString();
  await sql`
    update public.action_prices set valid_until = ${text}::text::timestamptz where id = ${id}`;
}

/** Withdraws a price that is planned. */
async function withdraw(sql: postgres.ISql, id: number): Promise<void> {
  await sql`update public.action_prices set valid_until = valid_from where id = ${id}`;
}

/** The prices of an action that apply some time from now on, each with the year in which it ends. */
async function plan(action: string): Promise<string[]> {
  const rows = await sql<{ credits: number; years: number | null }[]>`
    select credits,
      case when valid_until < 'infinity'
        then extract(year from valid_until)::int - extract(year from now())::int - 1 end as years
    from public.action_prices
    where action_id = ${action} and valid_until > greatest(valid_from, now())
    order by valid_from`;
  return rows.map(({ credits, years }) =>
    `${credits} ${years === null ? "" : `until ${years}`}`.trim()
  );
}

Deno.test("a planned price that was a mistake is withdrawn, and the one before it goes on", async () => {
  const action = newAction();
  await addPrice(sql, action, 2);
  const mistake = await addPrice(sql, action, 9, 46);
  deepStrictEqual(await plan(action), ["2 until 46", "9"]);
  await rejects(addPrice(sql, action, 3), REFUSED);

  await withdraw(sql, mistake);
  deepStrictEqual(await plan(action), ["2"]);
  await addPrice(sql, action, 3);
  await addPrice(sql, action, 4, 1);
  deepStrictEqual(await plan(action), ["3 until 1", "4"]);
});

Deno.test("a withdrawn price between two others leaves its time to the one before it", async () => {
  const action = newAction();
  await addPrice(sql, action, 2);
  const mistake = await addPrice(sql, action, 9, 1);
  await addPrice(sql, action, 3, 2);
  await withdraw(sql, mistake);
  deepStrictEqual(await plan(action), ["2 until 2", "3"]);
});

Deno.test("a price that would begin at the very moment of a planned one is refused", async () => {
  const action = newAction();
  await addPrice(sql, action, 2);
  const planned = await addPrice(sql, action, 9, 1);
  await rejects(addPrice(sql, action, 3, 1), REFUSED);
  // Nor for a time of its own.
  await rejects(
    sql`
    insert into public.action_prices (action_id, unit, credits, done_message, valid_from, valid_until)
    values (${action}, 'piece', 3, 'Made.', ${await yearsOn(sql, 1)}, ${await yearsOn(sql, 2)})`,
    REFUSED,
  );
  deepStrictEqual(await plan(action), ["2 until 1", "9"]);
  await withdraw(sql, planned);
  await addPrice(sql, action, 3, 1);
  deepStrictEqual(await plan(action), ["2 until 1", "3"]);
});

Deno.test("an action whose first price is withdrawn has none, until it gets another", async () => {
  const action = newAction();
  await withdraw(sql, await addPrice(sql, action, 9, 46));
  deepStrictEqual(await plan(action), []);
  await addPrice(sql, action, 2);
  deepStrictEqual(await plan(action), ["2"]);
});

Deno.test("a withdrawn price never applies again", async () => {
  const action = newAction();
  await addPrice(sql, action, 2);
  const mistake = await addPrice(sql, action, 9, 1);
  await withdraw(sql, mistake);
  await rejects(endAt(mistake, "infinity"), REFUSED);
  await rejects(endAt(mistake, await yearsOn(sql, 3)), REFUSED);
  deepStrictEqual(await plan(action), ["2"]);
});

Deno.test("a retirement that is planned can be moved and taken back, up to the next price", async () => {
  const action = newAction();
  const price = await addPrice(sql, action, 2);
  await endAt(price, await yearsOn(sql, 46));
  await endAt(price, await yearsOn(sql, 1));
  deepStrictEqual(await plan(action), ["2 until 1"]);
  await endAt(price, "infinity");
  deepStrictEqual(await plan(action), ["2"]);

  await endAt(price, await yearsOn(sql, 1));
  const next = await addPrice(sql, action, 3, 2);
  await rejects(endAt(price, "infinity"), REFUSED);
  await rejects(endAt(price, await yearsOn(sql, 3)), REFUSED);
  await endAt(price, await yearsOn(sql, 2));
  deepStrictEqual(await plan(action), ["2 until 2", "3"]);
  await withdraw(sql, next);
  deepStrictEqual(await plan(action), ["2"]);
});

Deno.test("an action can be retired at once though another price is planned", async () => {
  const action = newAction();
  const price = await addPrice(sql, action, 2);
  await addPrice(sql, action, 3, 1);
  await sql`update public.action_prices set valid_until = now() where id = ${price}`;
  const who = await userWithCredits(sql, 5);
  strictEqual((await deduct(sql, who, null, { action })).outcome, "action_not_found");
  deepStrictEqual(await plan(action), ["3"]);
});

Deno.test("what has applied is neither changed, nor withdrawn, nor ended in the past", async () => {
  const action = newAction();
  const first = await addPrice(sql, action, 2);
  const second = await addPrice(sql, action, 3);
  for (const id of [first, second]) {
    await rejects(withdraw(sql, id), REFUSED);
    await rejects(sql`update public.action_prices set credits = 1 where id = ${id}`, REFUSED);
    await rejects(sql`delete from public.action_prices where id = ${id}`, REFUSED);
  }
  await rejects(endAt(first, "infinity"), REFUSED);
  const planned = await addPrice(sql, action, 4, 1);
  await rejects(sql`delete from public.action_prices where id = ${planned}`, REFUSED);
  deepStrictEqual(await plan(action), ["3 until 1", "4"]);
});

Deno.test("a price that never begins is refused", async () => {
  await rejects(
    sql`
    insert into public.action_prices (action_id, unit, credits, done_message, valid_from)
    values (${newAction()}, 'piece', 1, 'Made.', 'infinity')`,
    { constraint_name: "a_price_begins_some_day" },
  );
});

Deno.test("a price whose moment comes within the transaction is not withdrawn", async () => {
  const action = newAction();
  await addPrice(sql, action, 2);
  await rejects(
    sql.begin(async (sql) => await withdraw(sql, await addPrice(sql, action, 3))),
    REFUSED,
  );
  deepStrictEqual(await plan(action), ["2"]);
});

Deno.test("of two prices that are added at once, one follows the other or is refused", async () => {
  const action = newAction();
  await addPrice(sql, action, 2);
  const { followers } = await takeTurns(
    database,
    (sql) => addPrice(sql, action, 3),
    [(sql) => addPrice(sql, action, 4).then(() => true, ({ code }) => code)],
  );
  strictEqual(one(followers), true);
  const current = await sql`
    select credits from private.current_prices where action_id = ${action}`;
  deepStrictEqual(current.map(({ credits }) => credits), [4]);
  const periods = await sql`
    select credits, lead(valid_from) over (order by valid_from) as next, valid_until
    from public.action_prices where action_id = ${action} order by valid_from`;
  deepStrictEqual(periods.map(({ credits }) => credits), [2, 3, 4]);
  for (const { next, valid_until } of periods.slice(0, 2)) deepStrictEqual(valid_until, next);
});
