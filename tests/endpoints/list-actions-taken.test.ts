/**
 * GET list-actions-taken: an operator reads who did what, to whom and why, page by page.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { listActionsTaken } from "shared/contract/list-actions-taken.ts";
import { newCustomer, userIdOf } from "../support/bot.ts";
import { dataOf, expectError } from "../support/calls.ts";
import { at, one } from "../support/lists.ts";
import { act, adjust, ask, newTicket } from "../support/operators.ts";
import { settleByHand, usePaymentHarness } from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits } from "../support/purchases.ts";

const shop = await usePaymentHarness();
const { sql, control } = shop;

async function list(
  fields: Record<string, string> = {},
): Promise<z.infer<typeof listActionsTaken["data"]>> {
  const answer = await ask(`list-actions-taken?${new URLSearchParams(fields)}`);
  return z.strictObject(listActionsTaken.data.shape).parse(dataOf(answer));
}

const account = async () => await userIdOf(sql, await newCustomer(sql, 10));

Deno.test("an action says who did what, to whom and why, before and after", async () => {
  const user_id = await account();
  const reference_id = newTicket();
  await adjust(user_id, 5, { reference_id, operator: "Bela", reason: "The video came out black" });
  const { action_id: _, created_at, ...action } = at((await list()).actions, 0);
  ok(Math.abs(Date.now() - Date.parse(created_at)) < 60_000);
  const state = { reserved_credits: 0, debt_credits: 0, frozen_at: null };
  deepStrictEqual(action, {
    action: "adjust-credits",
    operator: "Bela",
    reason: "The video came out black",
    outcome: "done",
    reference_id,
    user_id,
    order_id: null,
    payment_id: null,
    request: { user_id, credits: 5, allow_debt: false },
    before: { ...state, credits: 10 },
    after: { ...state, credits: 15 },
    result: { user_id, credits: 15, debt_credits: 0 },
    completes_action_id: null,
  });
});

Deno.test("what was done to a customer is found on merged accounts, orders and payments too", async () => {
  const purchase = await buyCredits(control, newPhoneNumber(), "starter");
  const into_user_id = await userIdOf(sql, { phone_number: purchase.phone });
  const from_user_id = await account();
  await adjust(from_user_id, 1);
  dataOf(await settleByHand({ order: purchase.checkout.razorpay_order_id }));
  const payment_id = purchase.checkout.razorpay_payment_id;
  dataOf(await act("refund-payment", { payment_id, amount_paise: 100 }));
  dataOf(await act("merge-users", { from_user_id, into_user_id }));
  await adjust(await account(), 1);

  for (const user_id of [from_user_id, into_user_id]) {
    const { actions } = await list({ user_id });
    deepStrictEqual(actions.map(({ action, outcome }) => [action, outcome]), [
      ["merge-users", "done"],
      ["refund-payment", "refunded"],
      ["refund-payment", "asked"],
      ["settle-order", "replayed"],
      ["adjust-credits", "done"],
    ]);
    strictEqual(at(actions, 1).completes_action_id, at(actions, 2).action_id);
    strictEqual(at(actions, 2).payment_id, payment_id);
    strictEqual(at(actions, 3).order_id, await shop.orderIdOf(purchase));
  }
});

Deno.test("pages of what one operator did to one customer make up all of it", async () => {
  const [user_id, other] = [await account(), await account()];
  const operator = `Chitra ${randomUUID()}`;
  for (let count = 1; count <= 5; count++) {
    await adjust(user_id, count, { operator });
    await adjust(other, count, { operator });
    await adjust(user_id, 100);
  }
  const credits: unknown[] = [];
  let pages = 0;
  for (let cursor: string | null = ""; cursor !== null; pages++) {
    const page: z.infer<typeof listActionsTaken["data"]> = await list({
      user_id,
      operator,
      limit: "2",
      ...(cursor && { cursor }),
    });
    credits.push(...page.actions.map(({ request }) => request?.credits));
    cursor = page.next_cursor;
  }
  deepStrictEqual([pages, credits], [3, [5, 4, 3, 2, 1]]);
  strictEqual((await list({ operator })).actions.length, 10);
  strictEqual((await list({ user_id })).actions.length, 10);
  deepStrictEqual((await list({ operator: operator.slice(0, -1) })).actions, []);
  // Exactly as many as fit is the last page.
  strictEqual((await list({ user_id, operator, limit: "5" })).next_cursor, null);
});

const HOSTILE =
  "<img src=x onerror=alert(1)>'; drop table users; -- \u202E\u{1F4A9} %00 ' or true --";

Deno.test("whatever an operator's name, reason or reference says is returned exactly as it was written", async () => {
  const user_id = await account();
  await adjust(user_id, 1, { operator: HOSTILE, reason: HOSTILE, reference_id: HOSTILE });
  const { operator, reason, reference_id } = one((await list({ operator: HOSTILE })).actions);
  deepStrictEqual([operator, reason, reference_id], [HOSTILE, HOSTILE, HOSTILE]);
  deepStrictEqual((await list({ operator: "%" })).actions, []);
});

Deno.test("of somebody who was erased, it says that something was done, and nothing else", async () => {
  const who = await newCustomer(sql, 5);
  const user_id = await userIdOf(sql, who);
  await adjust(user_id, 5, { reason: `Asked for by ${who.phone_number}` });
  dataOf(await act("erase-user", { user_id, reason: `Asked for by ${who.phone_number}` }));
  const { actions } = await list({ user_id });
  deepStrictEqual(actions.map(({ action, reason }) => [action, reason]), [
    ["erase-user", "erased"],
    ["adjust-credits", "erased"],
  ]);
  ok(!JSON.stringify(actions).includes(who.phone_number.slice(1)));
});

Deno.test.each(
  [
    "user_id=somebody",
    "limit=0",
    "limit=201",
    "cursor=0",
    "cursor=first",
    "operator=%00",
    `operator=${"x".repeat(201)}`,
  ],
)("list-actions-taken refuses %j", async (query) => {
  expectError(await ask(`list-actions-taken?${query}`), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
  });
});

Deno.test("an unknown user is USER_NOT_FOUND", async () => {
  expectError(await ask(`list-actions-taken?user_id=${randomUUID()}`), {
    httpStatus: 404,
    code: "USER_NOT_FOUND",
  });
});
