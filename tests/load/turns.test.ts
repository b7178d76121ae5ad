/**
 * Calls that arrive while the same call is under way, on connections of their own: they wait for its
 * commit and return what it did. The tests make the calls meet, instead of leaving it to chance.
 * @module
 */

import { deepStrictEqual, fail, strictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { startBackend } from "../support/backend.ts";
import { call } from "../support/calls.ts";
import { openConnections, waitingForLocks } from "../support/connections.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { orderPackage } from "../support/purchases.ts";
import { at, one } from "../support/lists.ts";
import { settlePayment } from "../support/settlements.ts";
import { until } from "../../local/system/until.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());

const FOLLOWERS = 5;

type Rows = postgres.RowList<postgres.Row[]>;

/** One call of a SQL function; `index` is 0 for the first one and counts its followers from 1. */
type Call = (sql: postgres.ISql, index: number) => Promise<Rows>;

/**
 * Makes a call and holds its commit back until five others wait for it. Returns the only row of each,
 * the first call's first, and fails if one of the others did not wait.
 */
async function takeTurns(act: Call): Promise<postgres.Row[]> {
  await using connections = await openConnections(backend.database.url, FOLLOWERS);
  const followers = Promise.withResolvers<Rows[]>();
  const first = await backend.sql.begin(async (sql) => {
    const rows = await act(sql, 0);
    let answered = false;
    connections.all(async (sql, index) => {
      const rows = await act(sql, index + 1);
      answered = true;
      return rows;
    }).then(followers.resolve, followers.reject);
    followers.promise.catch(() => answered = true);
    await until("the other calls wait for the first one", async () => {
      if (answered) fail("A call did not wait for the one before it");
      return await waitingForLocks(backend.sql) >= FOLLOWERS;
    });
    return rows;
  });
  return [first, ...await followers.promise].map((rows) => one(rows));
}

/** What the first call returned, and what its followers returned if they all returned the same. */
function firstAndFollowers<Answer>(
  rows: postgres.Row[],
  answerOf: (row: postgres.Row) => Answer,
): [first: Answer, follower: Answer] {
  const [first, ...followers] = rows.map(answerOf) as [Answer, ...Answer[]];
  for (const follower of followers) deepStrictEqual(follower, at(followers, 0));
  return [first, at(followers, 0)];
}

Deno.test("first contacts behind another one find its user", async () => {
  const phone = newPhoneNumber();
  const rows = await takeTurns((sql) =>
    sql`select user_id, credits from public.get_user(${phone})`
  );
  const [first, follower] = firstAndFollowers(
    rows,
    ({ user_id, credits }) => ({ user_id, credits }),
  );
  deepStrictEqual(follower, first);
  strictEqual(first.credits, 3);
});

Deno.test("deductions behind the one that took the last credits are refused", async () => {
  const phone = newPhoneNumber();
  await call("GET", `users/${phone}`);
  const rows = await takeTurns((sql) => sql`select * from public.deduct_credits(${phone}, 3)`);
  deepStrictEqual(
    firstAndFollowers(rows, ({ outcome, remaining_credits }) => [outcome, remaining_credits]),
    [["deducted", 0], ["insufficient_credits", 0]],
  );
});

Deno.test("deductions behind one that leaves enough are charged in turn", async () => {
  const phone = newPhoneNumber();
  await call("GET", `users/${phone}`);
  const rows = await takeTurns((sql) => sql`select * from public.deduct_credits(${phone}, 1)`);
  const balances = rows.map(({ outcome, remaining_credits }) => `${outcome} ${remaining_credits}`);
  deepStrictEqual(balances.sort(), [
    "deducted 0",
    "deducted 1",
    "deducted 2",
    ...Array(FOLLOWERS + 1 - 3).fill("insufficient_credits 0"),
  ]);
});

Deno.test("deductions behind one with their reference replay it", async () => {
  const phone = newPhoneNumber();
  await call("GET", `users/${phone}`);
  const rows = await takeTurns((sql) =>
    sql`select * from public.deduct_credits(${phone}, 1, 'job-1')`
  );
  deepStrictEqual(
    firstAndFollowers(rows, ({ outcome, remaining_credits }) => [outcome, remaining_credits]),
    [["deducted", 2], ["replayed", 2]],
  );
});

Deno.test("deductions by a newcomer behind one with their reference replay it", async () => {
  const phone = newPhoneNumber();
  const rows = await takeTurns((sql) =>
    sql`select * from public.deduct_credits(${phone}, 2, 'job-1')`
  );
  deepStrictEqual(
    firstAndFollowers(rows, ({ outcome, remaining_credits }) => [outcome, remaining_credits]),
    [["deducted", 1], ["replayed", 1]],
  );
});

Deno.test("orders behind the same purchase are its order", async () => {
  const phone = newPhoneNumber();
  await call("GET", `users/${phone}`);
  const rows = await takeTurns((sql) =>
    sql`
      select outcome, order_id from public.place_order(
        package_id => 'starter', key_mode => 'test', phone_number => ${phone}
      )`
  );
  deepStrictEqual(firstAndFollowers(rows, ({ outcome }) => outcome), ["placed", "reused"]);
  strictEqual(new Set(rows.map(({ order_id }) => order_id)).size, 1);
});

Deno.test("an order that was opened twice at once has the first id, and everybody is told that one", async () => {
  const phone = newPhoneNumber();
  const { order_id } = one(
    await backend.sql`
    select order_id from public.place_order(
      package_id => 'starter', key_mode => 'test', phone_number => ${phone}
    )`,
  );
  const rows = await takeTurns((sql, index) =>
    sql`select public.attach_razorpay_order(${order_id}, ${`order_${
      String(index).padStart(14, "0")
    }`}) as id`
  );
  for (const { id } of rows) strictEqual(id, "order_00000000000000");
});

Deno.test("an order that got two links at once keeps the first one, and every call returns it", async () => {
  const { order_id } = one(
    await backend.sql`
    select order_id from public.place_order(
      package_id => 'starter', key_mode => 'test', channel => 'link',
      phone_number => ${newPhoneNumber()}
    )`,
  );
  const expiries = ["2030-01-01T00:00:00.000Z", "2031-01-01T00:00:00.000Z"];
  const rows = await takeTurns((sql, index) =>
    sql`
      select * from public.attach_payment_link(
        ${order_id},
        ${`plink_${String(index).padStart(14, "0")}`},
        ${`https://rzp.io/rzp/${index}`},
        ${at(expiries, Math.min(index, 1))}
      )`
  );
  for (const row of rows) {
    deepStrictEqual({ ...row }, {
      stored_short_url: "https://rzp.io/rzp/0",
      stored_expires_at: new Date(at(expiries, 0)),
    });
  }
});

Deno.test("settlements behind one of the same payment replay it", async () => {
  const phone = newPhoneNumber();
  const orderId = await orderPackage(phone, "starter");
  const rows = await takeTurns((sql) => settlePayment(sql, orderId, "pay_00000000000001"));
  deepStrictEqual(
    firstAndFollowers(rows, ({ outcome, remaining_credits }) => [outcome, remaining_credits]),
    [["settled", 23], ["replayed", 23]],
  );
});

Deno.test("settlements by other payments behind the one that paid the order grant nothing", async () => {
  const phone = newPhoneNumber();
  const orderId = await orderPackage(phone, "starter");
  const rows = await takeTurns((sql, index) =>
    settlePayment(sql, orderId, `pay_${String(index).padStart(14, "1")}`)
  );
  deepStrictEqual(
    firstAndFollowers(rows, ({ outcome, credits_added }) => [outcome, credits_added]),
    [["settled", 20], ["paid_by_another_payment", null]],
  );
});
