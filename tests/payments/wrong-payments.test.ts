/**
 * Payments that are reported for something they did not pay: nothing is credited for the report, the
 * response says what is wrong, and the webhook still credits what was really paid.
 * @module
 */

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { call, expectError } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { findPayments } from "../support/operator-queries.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import {
  orderPackage,
  payForPackage,
  type PaymentOptions,
  type Purchase,
  signedCheckout,
  verify,
} from "../support/purchases.ts";
import {
  deliverAll,
  expectBought,
  PACKAGES,
  usePaymentHarness,
} from "../support/payment-harness.ts";
import { settlePayment } from "../support/settlements.ts";
import { one } from "../support/lists.ts";
import { newLiveKeyId, newOrderId, newPaymentId } from "../support/razorpay-ids.ts";

const shop = await usePaymentHarness();
const { control } = shop;

const { credits: CREDITS, amountPaise: AMOUNT } = PACKAGES.starter;

const pay = (payment?: PaymentOptions) =>
  payForPackage(control, newPhoneNumber(), "starter", payment);

const eventsOf = ({ checkout }: Purchase) => shop.eventsAbout(checkout.razorpay_order_id);

/** Fails unless the webhook credits what was paid, once, to the buyer. */
async function expectSettledByWebhook(purchase: Purchase): Promise<void> {
  await expectBought(purchase.phone, 0);
  await deliverAll(await eventsOf(purchase));
  await expectBought(purchase.phone, CREDITS);
}

const MISMATCH = { httpStatus: 400, code: "ORDER_MISMATCH" };
const NOT_THE_ORDERS = "phone_number and package_id are not those of the order";

Deno.test("a cheap payment that is verified with an expensive package buys the cheap one", async () => {
  const purchase = await pay();
  for (const package_id of ["popular", "pro", "none"]) {
    expectError(await verify(purchase, { package_id }), { ...MISMATCH, message: NOT_THE_ORDERS });
  }
  await expectSettledByWebhook(purchase);
  expectError(await verify(purchase, { package_id: "pro" }), MISMATCH);
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("a payment that is verified with another phone number is its buyer's", async () => {
  const purchase = await pay();
  const thief = newPhoneNumber();
  expectError(await verify(purchase, { phone_number: thief }), {
    ...MISMATCH,
    message: NOT_THE_ORDERS,
  });
  await expectSettledByWebhook(purchase);
  expectError(await verify(purchase, { phone_number: thief }), MISMATCH);
  await expectBought(thief, 0);
});

Deno.test("the signature of one order does not serve for another", async () => {
  const [cheap, dear] = [await pay(), await payForPackage(control, newPhoneNumber(), "pro")];
  const { razorpay_signature } = cheap.checkout;
  expectError(await verify(dear, { razorpay_signature }), {
    httpStatus: 400,
    code: "INVALID_SIGNATURE",
    message: "Invalid payment signature",
  });
  await expectBought(dear.phone, 0);
  await expectSettledByWebhook(cheap);
  await deliverAll(await eventsOf(dear));
  await expectBought(dear.phone, PACKAGES.pro.credits);
});

Deno.test("a payment of one order does not pay another, even well signed", async () => {
  const paid = await pay();
  const unpaid = await orderPackage(paid.phone, "pro");
  const checkout = signedCheckout(unpaid, paid.checkout.razorpay_payment_id);
  expectError(await verify({ ...paid, packageId: "pro", checkout }), {
    ...MISMATCH,
    message: "The payment was made for another order",
  });
  await expectSettledByWebhook(paid);
});

Deno.test("a payment that is settled for two orders pays the first, and changes nothing of the other", async () => {
  const paid = await pay();
  const other = newPhoneNumber();
  await expectBought(other, 0);
  const unpaid = await orderPackage(other, "starter");
  const { razorpay_order_id, razorpay_payment_id } = paid.checkout;
  strictEqual(
    one(await settlePayment(shop.sql, razorpay_order_id, razorpay_payment_id)).outcome,
    "settled",
  );
  const before = await findPayments(shop, unpaid);
  await rejects(settlePayment(shop.sql, unpaid, razorpay_payment_id), { code: "23000" });
  deepStrictEqual(await findPayments(shop, unpaid), before);
  await expectBought(paid.phone, CREDITS);
});

Deno.test.each([
  ["a paisa too little", { amount: AMOUNT - 1 }],
  ["a paisa too much", { amount: AMOUNT + 1 }],
  ["a tenth", { amount: AMOUNT / 10 }],
  ["the same number of another currency", { currency: "USD" }],
])("a payment of %s is flagged, and a right one on the same order is settled", async (_, wrong) => {
  const purchase = await pay({ outcome: "captured", ...wrong });
  expectError(await verify(purchase), {
    ...MISMATCH,
    message: "The payment is not of the order's amount and currency",
  });
  await deliverAll(await eventsOf(purchase));
  await shop.reconcile();
  await expectBought(purchase.phone, 0);
  const { razorpay_order_id, razorpay_payment_id } = purchase.checkout;
  const { flag } = one(
    await shop.sql`
    select flag from public.payments where id = ${razorpay_payment_id}`,
  );
  strictEqual(flag, "amount_mismatch");

  await control.payOrder(razorpay_order_id, {
    outcome: "captured",
    amount: AMOUNT,
    force: true,
    deliver_webhooks: false,
  });
  await deliverAll(await eventsOf(purchase));
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("a test payment does not count with a live key, and does with its own", async () => {
  const purchase = await pay();
  const liveKey = { RAZORPAY_KEY_ID: newLiveKeyId() };
  await withEnvironment(liveKey, async () => {
    expectError(await verify(purchase), {
      ...MISMATCH,
      message: "A live payment does not pay for a test order",
    });
  });
  await expectSettledByWebhook(purchase);
});

Deno.test("a live order is not paid with a test key", async () => {
  const purchase = await pay();
  await shop.sql`
    update public.payment_orders set key_mode = 'live'
    where razorpay_order_id = ${purchase.checkout.razorpay_order_id}`;
  expectError(await verify(purchase), {
    ...MISMATCH,
    message: "A test payment does not pay for a live order",
  });
  await expectBought(purchase.phone, 0);
});

Deno.test("what a page adds to its report about credits and amounts counts for nothing", async () => {
  const purchase = await pay();
  const wishes = { credits: 1_000_000, amount: 1, currency: "USD", status: "captured" };
  await verify(purchase, wishes);
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("a payment in somebody's name for an order that does not exist credits nobody", async () => {
  const phone = newPhoneNumber();
  const checkout = signedCheckout(newOrderId(), newPaymentId());
  expectError(await verify({ phone, packageId: "starter", checkout }), {
    httpStatus: 404,
    code: "ORDER_NOT_FOUND",
    message: "Order not found",
  });
  await expectBought(phone, 0);
});

Deno.test("one wrong report after the other leaves nothing behind", async () => {
  const purchase = await pay();
  const rows = () =>
    shop.sql`select count(*)::integer as users, (select count(*)::integer from public.payments) as
      payments, (select count(*)::integer from public.credit_transactions) as entries
      from public.users`;
  await call("GET", `users/${purchase.phone}`);
  const [before] = await rows();
  await verify(purchase, { package_id: "pro" });
  await verify(purchase, { phone_number: newPhoneNumber() });
  await verify(purchase, { razorpay_signature: "0".repeat(64) });
  const [after] = await rows();
  deepStrictEqual({ ...after }, { ...before });
});
