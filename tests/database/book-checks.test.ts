/**
 * run_book_check checks what is new, goes on where the last run ended, and remembers what it has found
 * until it is found no more.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import postgres from "postgres";
import { createTestDatabase } from "../support/database.ts";
import { one } from "../support/lists.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";

const database = await createTestDatabase();
const { sql } = database;
const superuser = postgres(database.superuserUrl, { max: 1, onnotice: () => {} });
Deno.test.afterAll(async () => {
  await superuser.end();
  await database.drop();
});

/** Every test starts with books that are right and have never been checked. */
Deno.test.beforeEach(async () => {
  await byHand(
    "truncate public.users, public.identities, public.credit_transactions, public.holds, " +
      "public.payment_orders, " +
      "public.order_references, public.payments, public.payment_reversals, public.operator_actions, " +
      "public.adjustments, public.events, public.event_deliveries, " +
      "public.book_checks, public.book_violations",
  );
});

/** Changes the books as nobody should, with the triggers and the foreign keys off. */
async function byHand(statement: string): Promise<void> {
  await superuser.begin(async (transaction) => {
    await transaction`set local session_replication_role = replica`;
    await transaction.unsafe(statement);
  });
}

/** Checks the books and returns the outcome. */
async function run({ whole = false, most = 20_000 } = {}): Promise<string> {
  const { outcome } = one(
    await sql<{ outcome: string }[]>`select outcome from public.run_book_check(${whole}, ${most})`,
  );
  return outcome;
}

/** What operators see of it, each as "subject: invariant". */
async function listed(): Promise<string[]> {
  const rows = await sql<{ subject: string; detail: string }[]>`
    select subject, detail from public.list_attention()
    where kind = 'broken invariant' order by subject, detail`;
  return rows.map(({ subject, detail }) => `${subject}: ${detail.split(":", 1)[0]}`);
}

/** The runs, the oldest first. */
async function runs() {
  return await sql<
    { is_whole: boolean; since: Date; before: Date; complete_until: Date; checked_at: Date }[]
  >`select is_whole, since, before, complete_until, checked_at from public.book_checks order by id`;
}

/** Creates a user who was charged `count` times, and returns the id. */
async function createUser(count = 1): Promise<string> {
  const phone = newPhoneNumber();
  const { id } = one(
    await sql<{ id: string }[]>`select user_id as id from public.get_user(${phone})`,
  );
  for (let place = 0; place < count; place++) {
    await sql`select public.deduct_credits(${phone}, 1, ${`job ${place}`})`;
  }
  return id;
}

/** Makes everything older than what the next run takes on. */
async function age(): Promise<void> {
  for (const table of ["credit_transactions", "users", "identities"]) {
    await byHand(`update public.${table} set created_at = created_at - interval '1 hour'`);
  }
}

/** The balance of a user, one credit too high, as the check reports it. */
const TOO_HIGH = "the balance is that after the newest entry";
const raise = (id: string) =>
  byHand(`update public.users set credits = credits + 1 where id = '${id}'`);
const lower = (id: string) =>
  byHand(`update public.users set credits = credits - 1 where id = '${id}'`);

Deno.test("what a run finds is listed until a later run no longer finds it, whether or not it is new", async () => {
  const id = await createUser();
  strictEqual(await run(), "caught_up");
  deepStrictEqual(await listed(), []);

  await raise(id);
  strictEqual(await run(), "caught_up");
  deepStrictEqual(await listed(), [`user ${id}: ${TOO_HIGH}`]);
  await age();
  await run();
  deepStrictEqual(await listed(), [`user ${id}: ${TOO_HIGH}`]);

  await lower(id);
  await run();
  deepStrictEqual(await listed(), []);
  const { gone } = one(
    await sql<{ gone: boolean }[]>`
    select gone_at >= found_at as gone from public.book_violations`,
  );
  ok(gone);
});

Deno.test("a violation of an order is looked for again as well", async () => {
  const { order_id } = one(
    await sql`
    select order_id from public.place_order('starter', 'test', phone_number => ${newPhoneNumber()})`,
  );
  await sql`update public.payment_orders set tried_at = created_at where id = ${order_id}`;
  await run();
  deepStrictEqual(await listed(), [
    `order ${order_id}: an order knows whether somebody tried to pay it`,
  ]);
  await byHand(
    `update public.payment_orders set tried_at = null, changed_at = changed_at - interval '1 hour'`,
  );
  await run();
  deepStrictEqual(await listed(), []);
});

Deno.test("the first run takes on a day, and each of the others what came after the one before", async () => {
  await run();
  await run();
  const [first, second] = await runs();
  ok(first && second);
  strictEqual(first.before.getTime() - first.since.getTime(), 24 * 3_600_000);
  deepStrictEqual(second.since, first.complete_until);
  // Calls that had written, but not committed when the first run looked, are within the second one.
  strictEqual(first.before.getTime() - second.since.getTime(), 60_000);
});

/** Spreads the entries evenly over the last ten days, and lets the last run be as old. */
async function pause(): Promise<void> {
  await byHand(`
    update public.credit_transactions t
    set created_at = clock_timestamp() - p.place * interval '10 days' / p.count
    from (
      select id, row_number() over (order by created_at desc) as place, count(*) over () as count
      from public.credit_transactions
    ) p
    where p.id = t.id`);
  await byHand(`update public.users set created_at = created_at - interval '11 days'`);
  await byHand(`update public.identities set created_at = created_at - interval '11 days'`);
  await byHand(`
    insert into public.book_checks (is_whole, since, before, complete_until, violation_count)
    select false, moment, moment, moment, 0
    from (select clock_timestamp() - interval '11 days') m (moment)`);
}

Deno.test("after a pause, the runs catch up in steps, and leave nothing out", async () => {
  const ids = [];
  for (let count = 0; count < 15; count++) ids.push(await createUser(1));
  await pause();
  await Promise.all(ids.map(raise));
  const outcomes = [];
  do outcomes.push(await run({ most: 4 })); while (outcomes.at(-1) === "behind");
  // 30 entries, of which a run takes on 4 at most.
  ok(outcomes.length >= 8, String(outcomes.length));
  strictEqual(outcomes.at(-1), "caught_up");
  deepStrictEqual(await listed(), ids.map((id) => `user ${id}: ${TOO_HIGH}`).sort());
  const steps = await runs();
  for (const [index, { since }] of steps.entries()) {
    if (index > 0) deepStrictEqual(since, steps[index - 1]?.complete_until);
  }
});

Deno.test("a bulk change of a single moment does not stop the runs", async () => {
  const id = await createUser(3);
  await pause();
  await byHand(
    `update public.credit_transactions set created_at = now() - interval '5 days'`,
  );
  const later = await createUser();
  await raise(id);
  await raise(later);
  let outcome;
  do outcome = await run({ most: 3 }); while (outcome === "behind");
  strictEqual(outcome, "caught_up");
  deepStrictEqual(await listed(), [`user ${later}: ${TOO_HIGH}`]);
});

Deno.test("only one run is at work at a time", async () => {
  await superuser.begin(async (transaction) => {
    await transaction`select public.run_book_check()`;
    strictEqual(await run(), "busy");
  });
  strictEqual((await runs()).length, 1);
  strictEqual(await run(), "caught_up");
});

Deno.test("a run of the whole finds what left no trace, and looks for all that was found", async () => {
  const old = await createUser();
  const busy = await createUser(3);
  await run();
  await age();
  await raise(old);
  strictEqual(await run(), "caught_up");
  deepStrictEqual(await listed(), []);
  await raise(busy);
  strictEqual(await run({ whole: true }), "caught_up");
  deepStrictEqual(await listed(), [old, busy].map((id) => `user ${id}: ${TOO_HIGH}`).sort());

  await lower(old);
  await lower(busy);
  // Whose history is longer than what a run takes on.
  await run({ most: 3 });
  deepStrictEqual(await listed(), [`user ${busy}: ${TOO_HIGH}`]);
  await run({ whole: true });
  deepStrictEqual(await listed(), []);
});

Deno.test("a run after one of the whole goes on from its time", async () => {
  await run({ whole: true });
  await run();
  const [whole, part] = await runs();
  ok(whole?.is_whole);
  deepStrictEqual(part?.since, whole.complete_until);
});

Deno.test("runs that found nothing are deleted after a week, the others are kept", async () => {
  await run();
  const id = await createUser();
  await raise(id);
  await run();
  await byHand(`update public.book_checks set checked_at = checked_at - interval '8 days'`);
  await run();
  const counts = await sql<{ violation_count: number }[]>`
    select violation_count from public.book_checks order by id`;
  deepStrictEqual(counts.map(({ violation_count }) => violation_count), [1, 1]);
});

Deno.test("of very many violations a run counts all and keeps a thousand", async () => {
  await byHand(
    "insert into public.users (credits, transaction_count) select 0, 0 from generate_series(1, 600)",
  );
  const { violation_count } = one(await sql`select * from public.run_book_check()`);
  // Neither a welcome nor an identity.
  strictEqual(violation_count, 1_200);
  strictEqual((await listed()).length, 1_000);
  await run();
  strictEqual((await listed()).length, 1_200);
});

Deno.test("it is listed that the books have not been checked for an hour", async () => {
  const unchecked = () =>
    sql`
    select since from public.list_attention() where kind = 'books unchecked'`;
  // As long as nothing has ever checked them, nobody expects it.
  strictEqual((await unchecked()).length, 0);
  await run();
  strictEqual((await unchecked()).length, 0);
  await byHand("update public.book_checks set complete_until = complete_until - interval '1 hour'");
  const { complete_until } = one(await runs());
  deepStrictEqual([...await unchecked()], [{ since: complete_until }]);
  await run();
  strictEqual((await unchecked()).length, 0);
});

Deno.test("a run takes on at least one change", async () => {
  await rejects(run({ most: 0 }), { code: "22023" });
});
