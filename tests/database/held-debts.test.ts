/**
 * Refunds and disputes that arrive while credits are reserved: they take what is not reserved, the rest
 * becomes a debt, and a hold that ends without being charged pays it.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { assertBooksAreRight } from "../support/backend.ts";
import { createTestDatabase } from "../support/database.ts";
import {
  balancesOf,
  buyStarter,
  capture,
  deduct,
  expireHolds,
  letExpire,
  merge,
  refund,
  release,
  reportReversals,
  reserve,
  type StarterPayment,
  userWithCredits,
  type Who,
} from "../support/sql-bot.ts";

const database = await createTestDatabase();
const { sql } = database;
Deno.test.afterAll(() => database.drop());
Deno.test.afterEach(() => assertBooksAreRight(sql));

const JOB = "wamid.job";

/** Bought 20 besides 3, reserved 15, and was refunded everything. */
async function refundedUser(): Promise<{ who: Who; payment: StarterPayment }> {
  const who = await userWithCredits(sql, 3);
  const payment = await buyStarter(sql, who);
  await reserve(sql, who, JOB, { credits: 15 });
  await refund(sql, payment);
  deepStrictEqual(await balancesOf(sql, who), { credits: 15, held: 15, debt: 12, remaining: 0 });
  return { who, payment };
}

Deno.test("a refund takes what is not reserved, and the rest becomes a debt", async () => {
  const { who } = await refundedUser();
  strictEqual((await deduct(sql, who, null)).outcome, "insufficient_credits");
  strictEqual((await reserve(sql, who, "another job")).outcome, "insufficient_credits");
});

Deno.test("what is reserved can be captured after a refund, and the debt stays", async () => {
  const { who } = await refundedUser();
  strictEqual((await capture(sql, who, JOB)).remaining_credits, 0);
  deepStrictEqual(await balancesOf(sql, who), { credits: 0, held: 0, debt: 12, remaining: 0 });
});

Deno.test("what a capture in part returns pays the debt", async () => {
  const { who } = await refundedUser();
  strictEqual((await capture(sql, who, JOB, { credits: 10 })).remaining_credits, 0);
  deepStrictEqual(await balancesOf(sql, who), { credits: 0, held: 0, debt: 7, remaining: 0 });
});

Deno.test("what a release returns pays the debt first", async () => {
  const { who } = await refundedUser();
  strictEqual((await release(sql, who, JOB)).remaining_credits, 3);
  deepStrictEqual(await balancesOf(sql, who), { credits: 3, held: 0, debt: 0, remaining: 3 });
});

Deno.test("what a capture of nothing returns pays the debt first", async () => {
  const { who } = await refundedUser();
  strictEqual((await capture(sql, who, JOB, { credits: 0 })).remaining_credits, 3);
});

Deno.test("what an expiry returns pays the debt first", async () => {
  const { who } = await refundedUser();
  await letExpire(sql, who, JOB);
  // Before anything has ended the hold, the debt counts already.
  strictEqual((await balancesOf(sql, who)).remaining, 3);
  strictEqual(await expireHolds(sql), 1);
  deepStrictEqual(await balancesOf(sql, who), { credits: 3, held: 0, debt: 0, remaining: 3 });
});

Deno.test("a refund takes what an expired hold has reserved", async () => {
  const who = await userWithCredits(sql, 3);
  const payment = await buyStarter(sql, who);
  await reserve(sql, who, JOB, { credits: 15 });
  await letExpire(sql, who, JOB);
  await refund(sql, payment);
  deepStrictEqual(await balancesOf(sql, who), { credits: 3, held: 0, debt: 0, remaining: 3 });
});

Deno.test("a purchase pays the debt, and leaves what is reserved", async () => {
  const { who } = await refundedUser();
  await buyStarter(sql, who);
  deepStrictEqual(await balancesOf(sql, who), { credits: 23, held: 15, debt: 0, remaining: 8 });
});

Deno.test("a dispute that is won cancels its debt before it adds credits", async () => {
  const who = await userWithCredits(sql, 3);
  const payment = await buyStarter(sql, who);
  await reserve(sql, who, JOB, { credits: 15 });
  const dispute = { id: "disp_00000000000001", kind: "dispute", paise: 9_900 } as const;
  await reportReversals(sql, payment, [{ ...dispute, status: "lost" }]);
  deepStrictEqual(await balancesOf(sql, who), { credits: 15, held: 15, debt: 12, remaining: 0 });
  await reportReversals(sql, payment, [{ ...dispute, status: "won" }]);
  deepStrictEqual(await balancesOf(sql, who), { credits: 23, held: 15, debt: 0, remaining: 8 });
});

Deno.test("a debt moves with a merge, and takes from the other account what is not reserved", async () => {
  const { who } = await refundedUser();
  const other = await userWithCredits(sql, 10);
  await reserve(sql, other, "another job", { credits: 4 });
  strictEqual(await merge(sql, who, other), "merged");
  deepStrictEqual(await balancesOf(sql, other), { credits: 19, held: 19, debt: 6, remaining: 0 });
  await release(sql, other, "another job");
  await release(sql, who, JOB);
  deepStrictEqual(await balancesOf(sql, other), { credits: 13, held: 0, debt: 0, remaining: 13 });
});
