/**
 * POST adjust-credits: an operator gives credits to a user or takes some away.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { fundsOf, newCustomer, newReference, release, reserve, userIdOf } from "../support/bot.ts";
import { dataOf, expectError } from "../support/calls.ts";
import { toldAbout } from "../support/events.ts";
import { one } from "../support/lists.ts";
import { act, adjust, expectOnce, newTicket, recordOf } from "../support/operators.ts";
import { expectBought, historyOf, spend, usePaymentHarness } from "../support/payment-harness.ts";
import { buyCredits } from "../support/purchases.ts";

const shop = await usePaymentHarness();
const { sql } = shop;

/** A customer with so many credits. */
async function customer(credits: number) {
  const who = await newCustomer(sql, credits);
  return { who, user_id: await userIdOf(sql, who) };
}

const NOT_ENOUGH = { httpStatus: 409, code: "NOT_ENOUGH_CREDITS" };

Deno.test("credits are given and taken by a difference, which the history explains", async () => {
  const { who, user_id } = await customer(10);
  const [given, taken] = [newTicket(), newTicket()];
  const answer = await act("adjust-credits", { user_id, credits: 5, reference_id: given });
  deepStrictEqual(answer.body, {
    status: "SUCCESS",
    message: "Credits adjusted",
    data: { user_id, credits: 15, debt_credits: 0 },
  });
  deepStrictEqual(await adjust(user_id, -15, { reference_id: taken }), {
    user_id,
    credits: 0,
    debt_credits: 0,
  });
  deepStrictEqual(await historyOf(who.phone_number), [
    `+5 adjustment ${given}: 15`,
    `-15 adjustment ${taken}: 0`,
  ]);
  const state = { reserved_credits: 0, debt_credits: 0, frozen_at: null };
  deepStrictEqual({ ...one(await recordOf(sql, given)) }, {
    action: "adjust-credits",
    operator: "Asha",
    reason: "The customer called",
    outcome: "done",
    user_id,
    payment_id: null,
    request: { user_id, credits: 5, allow_debt: false },
    before: { credits: 10, ...state },
    after: { credits: 15, ...state },
    result: { user_id, credits: 15, debt_credits: 0 },
  });
});

Deno.test("an adjustment happens once, however often and at once it is asked for", async () => {
  const { who, user_id } = await customer(10);
  const answer = await expectOnce(sql, "adjust-credits", { user_id, credits: 5 }, { credits: 6 });
  strictEqual(dataOf(answer).credits, 15);
  strictEqual(await fundsOf(who), "15/0");
  await expectOnce(sql, "adjust-credits", { user_id, credits: -5 }, { allow_debt: true });
  strictEqual(await fundsOf(who), "10/0");
});

Deno.test("one reference is for one request, also of another function", async () => {
  const { user_id } = await customer(10);
  const reference_id = newTicket();
  await adjust(user_id, 1, { reference_id });
  const refusal = { httpStatus: 409, code: "REFERENCE_REUSED" };
  expectError(await act("freeze-user", { user_id, reference_id }), refusal);
  expectError(await act("adjust-credits", { user_id, credits: 2, reference_id }), refusal);
});

Deno.test("what is not there or is reserved is not taken, and a refused reference stays free", async () => {
  const { who, user_id } = await customer(10);
  const hold = { ...who, reference_id: newReference() };
  dataOf(await reserve({ ...hold, credits: 4 }));
  const request = { user_id, credits: -7, reference_id: newTicket() };
  expectError(await act("adjust-credits", request), NOT_ENOUGH);
  strictEqual(await fundsOf(who), "6/4");
  strictEqual((await recordOf(sql, request.reference_id)).length, 0);

  dataOf(await release(hold));
  strictEqual(dataOf(await act("adjust-credits", request)).credits, 3);
});

Deno.test("with allow_debt the rest becomes a debt, which later credits pay first", async () => {
  const { who, user_id } = await customer(10);
  const hold = { ...who, reference_id: newReference() };
  dataOf(await reserve({ ...hold, credits: 4 }));
  const taken = newTicket();
  deepStrictEqual(await adjust(user_id, -18, { allow_debt: true, reference_id: taken }), {
    user_id,
    credits: 4,
    debt_credits: 12,
  });
  strictEqual(await fundsOf(who), "0/4");

  dataOf(await release(hold));
  const [given, more] = [newTicket(), newTicket()];
  deepStrictEqual(await adjust(user_id, 3, { reference_id: given }), {
    user_id,
    credits: 0,
    debt_credits: 5,
  });
  deepStrictEqual(await adjust(user_id, 20, { reference_id: more }), {
    user_id,
    credits: 15,
    debt_credits: 0,
  });
  deepStrictEqual(await historyOf(who.phone_number), [
    `-6 adjustment ${taken}: 4`,
    `-4 adjustment ${taken}: 0`,
    `+3 adjustment ${given}: 3`,
    `-3 adjustment ${taken}: 0`,
    `+20 adjustment ${more}: 20`,
    `-5 adjustment ${taken}: 15`,
  ]);
});

Deno.test("debts of refunds and of adjustments are paid in the order in which they arose", async () => {
  const { who, user_id } = await customer(3);
  const bought = await buyCredits(shop.control, who.phone_number, "starter");
  await spend(who.phone_number, 23);
  const first = newTicket();
  await adjust(user_id, -2, { allow_debt: true, reference_id: first });
  const { id } = await shop.control.refund(bought.checkout.razorpay_payment_id, {
    deliver_webhooks: false,
  });
  await shop.reconcile();
  await expectBought(who.phone_number, -3, 22);
  await adjust(user_id, 25);
  await expectBought(who.phone_number, 0);
  deepStrictEqual((await historyOf(who.phone_number)).slice(-2), [
    `-2 adjustment ${first}: 23`,
    `-20 refund ${id}: 3`,
  ]);
});

Deno.test("adjustments and deductions at once leave no credit uncounted", async () => {
  const { who, user_id } = await customer(20);
  const taken = Array.from({ length: 10 }, () => act("adjust-credits", { user_id, credits: -3 }));
  const spent = Array.from({ length: 10 }, () => spend(who.phone_number, 1).catch(() => "refused"));
  const [answers, deductions] = await Promise.all([Promise.all(taken), Promise.all(spent)]);
  const count = answers.filter(({ httpStatus }) => httpStatus === 200).length;
  const deducted = deductions.filter((deduction) => deduction !== "refused").length;
  for (const answer of answers) if (answer.httpStatus !== 200) expectError(answer, NOT_ENOUGH);
  strictEqual(await fundsOf(who), `${20 - 3 * count - deducted}/0`);
});

Deno.test("the bot is told of each adjustment, once, and of what it left", async () => {
  const { who, user_id } = await customer(10);
  const request = { user_id, credits: 5, reference_id: newTicket() };
  for (let time = 1; time <= 2; time++) dataOf(await act("adjust-credits", request));
  await adjust(user_id, -14);
  await adjust(user_id, -4, { allow_debt: true });
  expectError(await act("adjust-credits", { user_id, credits: -1 }), NOT_ENOUGH);
  deepStrictEqual(await toldAbout(sql, who.phone_number), [
    { type: "credits.granted", data: { source: "adjustment", credits_added: 5 } },
    {
      type: "credits.taken_back",
      data: { source: "adjustment", credits_taken: 14, debt_credits: 0 },
    },
    { type: "credits.low", data: { threshold_credits: 1 } },
    {
      type: "credits.taken_back",
      data: { source: "adjustment", credits_taken: 4, debt_credits: 3 },
    },
    { type: "credits.exhausted", data: {} },
  ]);
});

Deno.test("an adjustment down to nothing tells that credits were taken and that none are left, and not that few are", async () => {
  const { who, user_id } = await customer(11);
  await adjust(user_id, -11);
  deepStrictEqual(await toldAbout(sql, who.phone_number), [
    {
      type: "credits.taken_back",
      data: { source: "adjustment", credits_taken: 11, debt_credits: 0 },
    },
    { type: "credits.exhausted", data: {} },
  ]);
});

Deno.test("an account that was merged into another one stands for that one, with its debt", async () => {
  const [old, current] = [await customer(2), await customer(5)];
  await adjust(old.user_id, -9, { allow_debt: true });
  dataOf(
    await act("merge-users", { from_user_id: old.user_id, into_user_id: current.user_id }),
  );
  strictEqual(await fundsOf(current.who), "0/0");
  deepStrictEqual(await adjust(old.user_id, 10), {
    user_id: current.user_id,
    credits: 8,
    debt_credits: 0,
  });
});

Deno.test("no adjustment takes a balance or a debt to where a payment could not be booked", async () => {
  const { user_id } = await customer(999_999_999);
  strictEqual((await adjust(user_id, 1)).credits, 1_000_000_000);
  expectError(await act("adjust-credits", { user_id, credits: 1 }), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: "credits would take the balance or the debt beyond 1,000,000,000",
  });
});

Deno.test.each(
  [
    [{ credits: 0 }, "INVALID_REQUEST"],
    [{ credits: 1.5 }, "INVALID_REQUEST"],
    [{ credits: "5" }, "INVALID_REQUEST"],
    [{ credits: 1_000_001 }, "INVALID_REQUEST"],
    [{ credits: -1_000_001 }, "INVALID_REQUEST"],
    [{ allow_debt: "yes" }, "INVALID_REQUEST"],
    [{ user_id: "somebody" }, "INVALID_REQUEST"],
    [{ operator: " " }, "INVALID_REQUEST"],
    [{ reason: "\n" }, "INVALID_REQUEST"],
    [{ reference_id: "a\nb" }, "INVALID_REQUEST"],
    [{ operator: undefined }, "MISSING_FIELD"],
    [{ reason: undefined }, "MISSING_FIELD"],
    [{ reference_id: undefined }, "MISSING_FIELD"],
    [{ credits: undefined }, "MISSING_FIELD"],
  ] as const,
)("adjust-credits changes nothing for %j: %s", async (fields, code) => {
  const { who, user_id } = await customer(10);
  const answer = await act("adjust-credits", { user_id, credits: 5, ...fields });
  expectError(answer, { httpStatus: 400, code });
  strictEqual(await fundsOf(who), "10/0");
});

Deno.test("an unknown user is not found", async () => {
  expectError(await act("adjust-credits", { user_id: randomUUID(), credits: 5 }), {
    httpStatus: 404,
    code: "USER_NOT_FOUND",
  });
});
