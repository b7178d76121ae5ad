/**
 * POST forgive-debt: an operator forgives what a user owes, or a part of it.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { fundsOf, newCustomer, userIdOf } from "../support/bot.ts";
import { dataOf, expectError } from "../support/calls.ts";
import { one } from "../support/lists.ts";
import { act, adjust, expectOnce, newTicket, recordOf } from "../support/operators.ts";
import {
  deliver,
  expectBought,
  historyOf,
  named,
  spend,
  usePaymentHarness,
} from "../support/payment-harness.ts";
import { buyCredits } from "../support/purchases.ts";

const shop = await usePaymentHarness();
const { sql, control } = shop;

/** A customer who spent the free credits and a package, and whose payment was refunded. */
async function debtor() {
  const who = await newCustomer(sql, 3);
  const { checkout } = await buyCredits(control, who.phone_number, "starter");
  await spend(who.phone_number, 23);
  await control.refund(checkout.razorpay_payment_id, { deliver_webhooks: false });
  await shop.reconcile();
  await expectBought(who.phone_number, -3, 20);
  return { who, user_id: await userIdOf(sql, who) };
}

Deno.test("a debt is forgiven in parts or whole, and later credits stay", async () => {
  const { who, user_id } = await debtor();
  const before = await historyOf(who.phone_number);
  const reference_id = newTicket();
  const part = await act("forgive-debt", { user_id, credits: 15, reference_id });
  strictEqual(part.body.message, "Debt forgiven");
  deepStrictEqual(dataOf(part), { user_id, debt_credits: 5 });
  const { action, before: was, after } = one(await recordOf(sql, reference_id));
  deepStrictEqual([action, was.debt_credits, after.debt_credits], ["forgive-debt", 20, 5]);

  deepStrictEqual(dataOf(await act("forgive-debt", { user_id })), { user_id, debt_credits: 0 });
  deepStrictEqual(await historyOf(who.phone_number), before);
  strictEqual((await adjust(user_id, 7)).credits, 7);
});

Deno.test("debts are forgiven oldest first, whatever they came from", async () => {
  const { user_id } = await debtor();
  await adjust(user_id, -4, { allow_debt: true });
  deepStrictEqual(dataOf(await act("forgive-debt", { user_id, credits: 21 })), {
    user_id,
    debt_credits: 3,
  });
  const owed = await sql`
    select source, credits_owed from private.debts where user_id = ${user_id}`;
  deepStrictEqual({ ...one(owed) }, { source: "adjustment", credits_owed: 3 });
});

Deno.test("a part is forgiven once, however often and at once it is asked for", async () => {
  const { user_id } = await debtor();
  const answer = await expectOnce(sql, "forgive-debt", { user_id, credits: 3 }, { credits: 4 });
  strictEqual(dataOf(answer).debt_credits, 17);
});

Deno.test("more than is owed forgives what is owed, and without a debt there is nothing to do", async () => {
  const who = await newCustomer(sql, 10);
  const user_id = await userIdOf(sql, who);
  const answer = await act("forgive-debt", { user_id, credits: 100 });
  strictEqual(answer.body.message, "There was no debt to forgive");
  deepStrictEqual(dataOf(answer), { user_id, debt_credits: 0 });
  strictEqual(await fundsOf(who), "10/0");
});

Deno.test("what was forgiven is not given back when its dispute is won after all", async () => {
  const who = await newCustomer(sql, 3);
  const user_id = await userIdOf(sql, who);
  const { checkout } = await buyCredits(control, who.phone_number, "starter");
  await spend(who.phone_number, 13);
  const { id } = await control.openDispute(checkout.razorpay_payment_id, {
    deliver_webhooks: false,
  });
  await control.changeDispute(id, { status: "lost", deliver_webhooks: false });
  await deliver(named(await shop.eventsAbout(id), "payment.dispute.lost"));
  await expectBought(who.phone_number, -3, 10);
  dataOf(await act("forgive-debt", { user_id, credits: 6 }));
  await control.changeDispute(id, { status: "won", deliver_webhooks: false });
  await deliver(named(await shop.eventsAbout(id), "payment.dispute.won"));
  // The ten credits that the dispute took. The debt is gone, forgiven or not.
  await expectBought(who.phone_number, 7);
});

Deno.test("an unknown user has no debt to forgive, and half a credit is none", async () => {
  expectError(await act("forgive-debt", { user_id: randomUUID() }), {
    httpStatus: 404,
    code: "USER_NOT_FOUND",
  });
  const { user_id } = await debtor();
  for (const credits of [0, -1, 0.5, "all"]) {
    expectError(await act("forgive-debt", { user_id, credits }), {
      httpStatus: 400,
      code: "INVALID_REQUEST",
    });
  }
});
