/**
 * POST settle-order: an operator settles a stuck order with what Razorpay reports about it, and gives
 * a name and a reason.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { dataOf, expectError } from "../support/calls.ts";
import { findPayments } from "../support/operator-queries.ts";
import {
  expectBought,
  PACKAGES,
  settleByHand,
  usePaymentHarness,
} from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, orderPackage, payForPackage } from "../support/purchases.ts";
import { one } from "../support/lists.ts";

const shop = await usePaymentHarness();
const { control } = shop;

const { credits: CREDITS } = PACKAGES.starter;

Deno.test("a stuck order is settled by hand, under the operator's name and reason", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const id = await shop.orderIdOf(purchase);
  const answer = await settleByHand({ order: purchase.checkout.razorpay_order_id });
  strictEqual(answer.body.message, "Razorpay was asked");
  deepStrictEqual(dataOf(answer), { order_id: id, outcomes: ["settled"] });
  await expectBought(purchase.phone, CREDITS);
  deepStrictEqual(dataOf(await settleByHand({ order: id, operator: "Bela" })).outcomes, [
    "replayed",
  ]);

  const { operator_actions } = one(await findPayments(shop, id));
  deepStrictEqual(
    operator_actions.map(({ operator, reason, outcome }) => [operator, reason, outcome]),
    [
      ["Asha", "The customer called", "settled"],
      ["Bela", "The customer called", "replayed"],
    ],
  );
});

Deno.test("an order that nobody paid is settled by nothing, and the question is kept", async () => {
  const orderId = await orderPackage(newPhoneNumber(), "starter");
  deepStrictEqual(dataOf(await settleByHand({ order: orderId })).outcomes, []);
  const { operator_actions } = one(await findPayments(shop, orderId));
  strictEqual(one(operator_actions).outcome, "no payment");
});

Deno.test("an order that is no longer watched can still be settled by hand", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  await shop.sql`
    update public.payment_orders
    set created_at = created_at - interval '20 days', next_check_at = null
    where razorpay_order_id = ${purchase.checkout.razorpay_order_id}`;
  await shop.reconcile();
  await expectBought(purchase.phone, 0);
  dataOf(await settleByHand({ order: purchase.checkout.razorpay_order_id }));
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("an operator who names no order, or more than one, is told so", async () => {
  const phone = newPhoneNumber();
  await buyCredits(control, phone, "starter");
  await buyCredits(control, phone, "starter");
  expectError(await settleByHand({ order: randomUUID() }), {
    httpStatus: 404,
    code: "ORDER_NOT_FOUND",
    message: "Order not found",
  });
  expectError(await settleByHand({ order: phone }), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: "order names more than one order; give an id of the one you mean",
  });
});

Deno.test.each(
  [
    ["order", undefined, "MISSING_FIELD"],
    ["operator", undefined, "MISSING_FIELD"],
    ["reason", "", "MISSING_FIELD"],
    ["operator", "   ", "INVALID_REQUEST"],
    ["reason", "\n", "INVALID_REQUEST"],
    ["order", "x".repeat(101), "INVALID_REQUEST"],
  ] as const,
)("settle-order does nothing for the %s %j: %s", async (field, value, code) => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const order = purchase.checkout.razorpay_order_id;
  expectError(await settleByHand({ order, [field]: value }), { httpStatus: 400, code });
  await expectBought(purchase.phone, 0);
});

Deno.test("settle-order is for the holder of the secret key", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const { SUPABASE_PUBLISHABLE_KEY, BOT_SECRET } = shop.environment;
  const strangers: Record<string, string>[] = [
    {},
    { apikey: SUPABASE_PUBLISHABLE_KEY },
    { authorization: `Bearer ${SUPABASE_PUBLISHABLE_KEY}` },
    { "x-bot-secret": BOT_SECRET },
  ];
  for (const headers of strangers) {
    expectError(await settleByHand({ order: purchase.checkout.razorpay_order_id }, headers), {
      httpStatus: 401,
      code: "INVALID_SECRET_KEY",
    });
  }
  await expectBought(purchase.phone, 0);
});

Deno.test("while Razorpay cannot be asked, settle-order says so and books nothing", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const order = purchase.checkout.razorpay_order_id;
  await control.addFault({ kind: "500" });
  expectError(await settleByHand({ order }), { httpStatus: 503, code: "GATEWAY_UNAVAILABLE" });
  await expectBought(purchase.phone, 0);
  deepStrictEqual(dataOf(await settleByHand({ order })).outcomes, ["settled"]);
  const { operator_actions } = one(await findPayments(shop, order));
  deepStrictEqual(operator_actions.map(({ outcome }) => outcome), ["failed", "settled"]);
});

Deno.test("who asked is recorded if Razorpay fails after one payment of the order is settled", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const order = purchase.checkout.razorpay_order_id;
  const second = await control.payOrder(order, {
    outcome: "captured",
    force: true,
    deliver_webhooks: false,
  });
  // Payments are asked about in Razorpay's order, the newest first.
  const last = purchase.checkout.razorpay_payment_id;
  await control.addFault({ kind: "500", path: `/v1/payments/${last}/refunds` });
  expectError(await settleByHand({ order }), { httpStatus: 503, code: "GATEWAY_UNAVAILABLE" });
  await expectBought(purchase.phone, CREDITS);
  const { operator_actions, payments } = one(await findPayments(shop, order));
  deepStrictEqual(payments.map(({ id }) => id), [second.razorpay_payment_id]);
  deepStrictEqual(
    operator_actions.map(({ operator, reason, outcome }) => [operator, reason, outcome]),
    [["Asha", "The customer called", "failed"]],
  );
});
