/**
 * POST freeze-user and unfreeze-user: a frozen account spends nothing, and everything else goes on.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import {
  capture,
  deduct,
  fundsOf,
  newCustomer,
  newReference,
  passExpiry,
  release,
  reserve,
  userIdOf,
} from "../support/bot.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { typesToldAbout } from "../support/events.ts";
import { one } from "../support/lists.ts";
import { act, adjust, expectOnce, newTicket, recordOf } from "../support/operators.ts";
import { deliverAll, expectBought, usePaymentHarness } from "../support/payment-harness.ts";
import { buyCredits } from "../support/purchases.ts";

const shop = await usePaymentHarness();
const { sql, control } = shop;

const FROZEN = {
  httpStatus: 403,
  code: "ACCOUNT_FROZEN",
  message: "This account is frozen. Please contact support.",
};

async function customer(credits = 10) {
  const who = await newCustomer(sql, credits);
  return { who, user_id: await userIdOf(sql, who) };
}

const freeze = async (user_id: string) => dataOf(await act("freeze-user", { user_id }));
const unfreeze = async (user_id: string) => dataOf(await act("unfreeze-user", { user_id }));

Deno.test("a frozen account spends and reserves nothing until it is unfrozen", async () => {
  const { who, user_id } = await customer();
  const [frozen, unfrozen] = [newTicket(), newTicket()];
  const answer = await act("freeze-user", { user_id, reference_id: frozen });
  strictEqual(answer.body.message, "Account frozen");
  deepStrictEqual(dataOf(answer), { user_id, frozen: true });
  for (const reference_id of [newReference(), undefined]) {
    expectError(await deduct({ ...who, reference_id }), FROZEN);
  }
  // Whatever it asks for: nobody is told to buy credits that they could not spend.
  expectError(await deduct({ ...who, credits: 1000 }), FROZEN);
  expectError(await deduct({ ...who, action: "no_such_action" }), FROZEN);
  expectError(await reserve({ ...who, reference_id: newReference() }), FROZEN);
  strictEqual(await fundsOf(who), "10/0");

  const thawed = await act("unfreeze-user", { user_id, reference_id: unfrozen });
  strictEqual(thawed.body.message, "Account unfrozen");
  deepStrictEqual(dataOf(thawed), { user_id, frozen: false });
  dataOf(await deduct(who));
  dataOf(await reserve({ ...who, reference_id: newReference() }));
  strictEqual(await fundsOf(who), "8/1");

  const [first, second] = [one(await recordOf(sql, frozen)), one(await recordOf(sql, unfrozen))];
  deepStrictEqual([first.action, second.action], ["freeze-user", "unfreeze-user"]);
  deepStrictEqual([first.before.frozen_at, second.after.frozen_at], [null, null]);
  strictEqual(first.after.frozen_at, second.before.frozen_at);
});

Deno.test("bot-credits and users say that an account is frozen, and nothing where it is not", async () => {
  const { who, user_id } = await customer();
  const profiles = [`bot-credits/${who.phone_number}`, `users/${who.phone_number}`];
  for (const path of profiles) strictEqual("frozen" in dataOf(await call("GET", path)), false);
  await freeze(user_id);
  for (const path of profiles) strictEqual(dataOf(await call("GET", path)).frozen, true);
  await unfreeze(user_id);
  for (const path of profiles) strictEqual("frozen" in dataOf(await call("GET", path)), false);
});

Deno.test("a replay comes before the freeze", async () => {
  const { who, user_id } = await customer();
  const [spent, held] = [newReference(), newReference()];
  const first = await deduct({ ...who, reference_id: spent });
  const hold = await reserve({ ...who, reference_id: held, credits: 2 });
  await freeze(user_id);
  deepStrictEqual((await deduct({ ...who, reference_id: spent })).body, first.body);
  deepStrictEqual((await reserve({ ...who, reference_id: held, credits: 2 })).body, hold.body);
  expectError(await deduct({ ...who, reference_id: spent, credits: 2 }), {
    httpStatus: 409,
    code: "REFERENCE_REUSED",
  });
});

Deno.test("what is under way may be captured in time or released, and not charged late", async () => {
  const { who, user_id } = await customer();
  const [whole, part, back, late] = [1, 2, 3, 4].map(() => ({
    ...who,
    reference_id: newReference(),
  }));
  for (const hold of [whole, part, back, late]) dataOf(await reserve({ ...hold, credits: 2 }));
  await freeze(user_id);
  strictEqual(dataOf(await capture(whole)).captured_credits, 2);
  strictEqual(dataOf(await capture({ ...part, credits: 1 })).captured_credits, 1);
  strictEqual(dataOf(await release(back)).released_credits, 2);
  await passExpiry(sql, who, late?.reference_id ?? "");
  expectError(await capture(late), FROZEN);
  strictEqual(await fundsOf(who), "7/0");
  await unfreeze(user_id);
  strictEqual(dataOf(await capture(late)).late, true);
});

Deno.test("payments, refunds and adjustments go on, and so do links", async () => {
  const { who, user_id } = await customer(3);
  await freeze(user_id);
  const { checkout } = await buyCredits(control, who.phone_number, "starter");
  await expectBought(who.phone_number, 20);
  strictEqual((await adjust(user_id, 2)).credits, 25);
  const { id } = await control.refund(checkout.razorpay_payment_id, { deliver_webhooks: false });
  await deliverAll(await shop.eventsAbout(id));
  await expectBought(who.phone_number, 2);
  dataOf(await call("POST", "bot-link", { body: who }));
  dataOf(await call("POST", "bot-payment-link", { body: { ...who, package_id: "starter" } }));
});

Deno.test("a freeze happens once, however often it is asked for, and a second one changes nothing", async () => {
  const { user_id } = await customer();
  const other = await customer();
  const fields = { user_id };
  await expectOnce(sql, "freeze-user", fields, { user_id: other.user_id });
  const frozenAt = async () =>
    one(await sql`select frozen_at::text from public.users where id = ${user_id}`).frozen_at;
  const before = await frozenAt();
  deepStrictEqual(await freeze(user_id), { user_id, frozen: true });
  strictEqual(await frozenAt(), before);
  await expectOnce(sql, "unfreeze-user", fields, { user_id: other.user_id });
  deepStrictEqual(await unfreeze(user_id), { user_id, frozen: false });
  strictEqual(await frozenAt(), null);
});

Deno.test("whoever changes nothing is told so, and again when the call is repeated", async () => {
  const { user_id } = await customer();
  const message = async (action: "freeze-user" | "unfreeze-user", reference_id = newTicket()) =>
    (await act(action, { user_id, reference_id })).body.message;
  const [early, late] = [newTicket(), newTicket()];
  strictEqual(await message("unfreeze-user", early), "The account was not frozen");
  strictEqual(await message("freeze-user"), "Account frozen");
  strictEqual(await message("freeze-user", late), "The account was frozen already");
  strictEqual(await message("unfreeze-user"), "Account unfrozen");
  strictEqual(await message("freeze-user", late), "The account was frozen already");
  strictEqual(await message("unfreeze-user", early), "The account was not frozen");
  // An action from before this was recorded.
  const old = newTicket();
  await sql`
    insert into public.operator_actions
      (action, operator, reason, outcome, reference_id, request, user_id, result)
    values ('freeze-user', 'Asha', 'Old', 'done', ${old},
      jsonb_build_object('user_id', ${user_id}::text), ${user_id},
      jsonb_build_object('user_id', ${user_id}::text, 'frozen', true))`;
  strictEqual(await message("freeze-user", old), "Account frozen");
});

Deno.test("the bot is told of a freeze when it begins and when it ends, and of nothing in between", async () => {
  const { who, user_id } = await customer();
  await unfreeze(user_id);
  for (let time = 1; time <= 2; time++) await freeze(user_id);
  for (let time = 1; time <= 2; time++) await unfreeze(user_id);
  deepStrictEqual(await typesToldAbout(sql, who.phone_number), ["user.frozen", "user.unfrozen"]);

  const old = await customer();
  await freeze(old.user_id);
  dataOf(await act("merge-users", { from_user_id: old.user_id, into_user_id: user_id }));
  strictEqual((await typesToldAbout(sql, who.phone_number)).at(-1), "user.frozen");
});

Deno.test("deductions that meet a freeze are charged before it or not at all", async () => {
  const { who, user_id } = await customer(30);
  const deductions = Array.from(
    { length: 20 },
    () => deduct({ ...who, reference_id: newReference() }),
  );
  const [answers] = await Promise.all([Promise.all(deductions), freeze(user_id)]);
  const charged = answers.filter(({ httpStatus }) => httpStatus === 200).length;
  for (const answer of answers) if (answer.httpStatus !== 200) expectError(answer, FROZEN);
  strictEqual(await fundsOf(who), `${30 - charged}/0`);
  expectError(await deduct(who), FROZEN);
});

Deno.test("nobody gets rid of a freeze by a merge, whichever of the two was frozen", async () => {
  for (const frozen of [0, 1]) {
    const [old, current] = [await customer(1), await customer(2)];
    await freeze([old, current][frozen]?.user_id ?? "");
    const merge = { from_user_id: old.user_id, into_user_id: current.user_id };
    dataOf(await act("merge-users", merge));
    expectError(await deduct(current.who), FROZEN);
    expectError(await deduct(old.who), FROZEN);
    await unfreeze(current.user_id);
    // Merged again for what was left behind, it stays as it is.
    dataOf(await act("merge-users", merge));
    dataOf(await deduct(old.who));
  }
});

Deno.test("an unknown user is not found", async () => {
  for (const name of ["freeze-user", "unfreeze-user"] as const) {
    expectError(await act(name, { user_id: randomUUID() }), {
      httpStatus: 404,
      code: "USER_NOT_FOUND",
    });
  }
});
