/**
 * Accounts that are merged while credits are reserved: open holds move, and a reference that both know
 * pays once.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { assertBooksAreRight } from "../support/backend.ts";
import { createTestDatabase } from "../support/database.ts";
import {
  balancesOf,
  capture,
  chargesOf,
  deduct,
  holdsOf,
  idOf,
  merge,
  release,
  reserve,
  userWithCredits,
  type Who,
} from "../support/sql-bot.ts";

const database = await createTestDatabase();
const { sql } = database;
Deno.test.afterAll(() => database.drop());
Deno.test.afterEach(() => assertBooksAreRight(sql));

const JOB = "wamid.job";

const newPair = async (): Promise<[from: Who, into: Who]> => [
  await userWithCredits(sql, 10),
  await userWithCredits(sql, 20),
];

Deno.test("open holds move with their credits, and are captured and released under either number", async () => {
  const [from, into] = await newPair();
  await reserve(sql, from, "first", { credits: 3 });
  await reserve(sql, from, "second", { credits: 4 });
  await reserve(sql, into, "third", { credits: 5 });
  strictEqual(await merge(sql, from, into), "merged");
  deepStrictEqual(await balancesOf(sql, into), { credits: 30, held: 12, debt: 0, remaining: 18 });
  strictEqual((await reserve(sql, into, "first", { credits: 3 })).outcome, "replayed");
  strictEqual((await capture(sql, into, "first")).remaining_credits, 18);
  strictEqual((await release(sql, from, "second")).remaining_credits, 22);
  strictEqual((await capture(sql, from, "third")).remaining_credits, 22);
  strictEqual((await chargesOf(sql, into)).length, 2);
});

Deno.test("the entry of a merge leaves what can be spent besides the holds that move", async () => {
  const [from, into] = await newPair();
  await reserve(sql, from, "first", { credits: 3 });
  await reserve(sql, into, "second", { credits: 5 });
  strictEqual(await merge(sql, from, into), "merged");
  const entries = await sql`
    select balance_after as balance, remaining_after as remaining from public.credit_transactions
    where user_id = ${await idOf(sql, into)} and source = 'merge'`;
  deepStrictEqual([...entries], [{ balance: 30, remaining: 22 }]);
});

Deno.test("of two holds with one reference the account that stays keeps its own", async () => {
  const [from, into] = await newPair();
  await reserve(sql, from, JOB, { credits: 3 });
  await reserve(sql, into, JOB, { credits: 5 });
  strictEqual(await merge(sql, from, into), "merged");
  deepStrictEqual(await balancesOf(sql, into), { credits: 30, held: 5, debt: 0, remaining: 25 });
  strictEqual((await capture(sql, from, JOB)).captured_credits, 5);
  deepStrictEqual(await chargesOf(sql, into), [`${JOB}: 5 for image_generation, 25 left`]);
});

Deno.test.each([0, 1])(
  "a reference that one account has charged is released in the other (%i)",
  async (charger) => {
    const pair = await newPair();
    const [from, into] = pair;
    const other = charger === 0 ? into : from;
    await deduct(sql, charger === 0 ? from : into, JOB, { credits: 3 });
    await reserve(sql, other, JOB, { credits: 3 });
    strictEqual(await merge(sql, from, into), "merged");
    deepStrictEqual(await balancesOf(sql, into), { credits: 27, held: 0, debt: 0, remaining: 27 });
    strictEqual((await deduct(sql, into, JOB, { credits: 3 })).outcome, "replayed");
    strictEqual((await capture(sql, into, JOB, { credits: 3 })).outcome, "replayed");
    strictEqual((await release(sql, into, JOB)).outcome, "hold_captured");
    strictEqual((await reserve(sql, into, JOB, { credits: 3 })).outcome, "reference_reused");
  },
);

Deno.test.each([0, 1])(
  "a reference that one account has captured is released in the other (%i)",
  async (charger) => {
    const pair = await newPair();
    const [from, into] = pair;
    const charging = charger === 0 ? from : into;
    for (const who of pair) await reserve(sql, who, JOB, { credits: 3 });
    await capture(sql, charging, JOB);
    const user_id = await idOf(sql, charging);
    strictEqual(await merge(sql, from, into), "merged");
    deepStrictEqual(await balancesOf(sql, into), { credits: 27, held: 0, debt: 0, remaining: 27 });
    const repeated = await reserve(sql, into, JOB, { credits: 3 });
    deepStrictEqual(
      [repeated.outcome, repeated.state, repeated.user_id],
      ["replayed", "captured", user_id],
    );
    strictEqual((await capture(sql, into, JOB)).outcome, "replayed");
    strictEqual((await deduct(sql, into, JOB, { credits: 3 })).outcome, "replayed");
  },
);

Deno.test("a reference that a merged account of either has charged is released", async () => {
  const [from, into] = await newPair();
  const [before, first] = await newPair();
  await deduct(sql, before, JOB);
  await merge(sql, before, first);
  await reserve(sql, from, JOB);
  strictEqual(await merge(sql, from, first), "merged");
  strictEqual((await balancesOf(sql, first)).held, 0);

  await reserve(sql, into, JOB);
  strictEqual(await merge(sql, first, into), "merged");
  strictEqual((await balancesOf(sql, into)).held, 0);
  strictEqual((await deduct(sql, into, JOB)).outcome, "replayed");
});

Deno.test("an open hold replaces one of its reference that has ended, on either side", async () => {
  for (const open of [0, 1]) {
    const pair = await newPair();
    const [from, into] = pair;
    const ending = open === 0 ? into : from;
    await reserve(sql, ending, JOB, { credits: 2 });
    await release(sql, ending, JOB);
    await reserve(sql, open === 0 ? from : into, JOB, { credits: 3 });
    strictEqual(await merge(sql, from, into), "merged");
    deepStrictEqual(await holdsOf(sql, into), { [JOB]: "open" });
    strictEqual((await capture(sql, into, JOB)).captured_credits, 3);
  }
});

Deno.test("what was released before a merge is told after it", async () => {
  const [from, into] = await newPair();
  await reserve(sql, from, JOB, { credits: 2 });
  const first = await release(sql, from, JOB);
  await merge(sql, from, into);
  const again = await release(sql, into, JOB);
  deepStrictEqual(
    [again.outcome, again.released_credits, again.remaining_credits],
    ["replayed", first.released_credits, first.remaining_credits],
  );
});

Deno.test("a merge of an account that has reserved all it has moves everything", async () => {
  const [from, into] = await newPair();
  await reserve(sql, from, JOB, { credits: 10 });
  strictEqual(await merge(sql, from, into), "merged");
  deepStrictEqual(await balancesOf(sql, into), { credits: 30, held: 10, debt: 0, remaining: 20 });
});
