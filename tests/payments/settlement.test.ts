/**
 * One settlement: the page, the webhook and the reconciler report the same payment in any order and
 * any number of times, and its credits come once.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { call, dataOf, expectError } from "../support/calls.ts";
import { attentionTo, findPayments } from "../support/operator-queries.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import {
  orderPackage,
  payForPackage,
  type PaymentOptions,
  type Purchase,
  verify,
} from "../support/purchases.ts";
import {
  deliver,
  deliverAll,
  expectBought,
  FREE_CREDITS,
  historyOf,
  named,
  PACKAGES,
  runReconciler,
  spend,
  usePaymentHarness,
} from "../support/payment-harness.ts";
import { settlePayment } from "../support/settlements.ts";
import { first, one } from "../support/lists.ts";
import { basicAuthorization } from "../support/razorpay-auth.ts";

const shop = await usePaymentHarness();
const { control } = shop;

const { credits: CREDITS } = PACKAGES.starter;

const pay = (payment?: PaymentOptions) =>
  payForPackage(control, newPhoneNumber(), "starter", payment);

const eventsOf = ({ checkout }: Purchase) => shop.eventsAbout(checkout.razorpay_payment_id);

/** One credit entry and no other: the payment counted once. */
async function expectPaidOnce({ phone, checkout }: Purchase): Promise<void> {
  await expectBought(phone, CREDITS);
  deepStrictEqual(await historyOf(phone), [
    `+${CREDITS} payment ${checkout.razorpay_payment_id}: ${3 + CREDITS}`,
  ]);
}

Deno.test("a payment that is verified twice counts once, and is answered alike", async () => {
  const purchase = await pay();
  const first = await verify(purchase);
  const second = await verify(purchase);
  strictEqual(first.body.status, "SUCCESS");
  deepStrictEqual(second.body, first.body);
  await expectPaidOnce(purchase);
});

Deno.test("a payment that is verified ten times at the same moment counts once", async () => {
  const purchase = await pay();
  const answers = await Promise.all(Array.from({ length: 10 }, () => verify(purchase)));
  for (const { body } of answers) deepStrictEqual(body, first(answers).body);
  strictEqual(first(answers).body.status, "SUCCESS");
  await expectPaidOnce(purchase);
});

Deno.test("a payment that is reported by webhook twice counts once", async () => {
  const purchase = await pay();
  const captured = named(await eventsOf(purchase), "payment.captured");
  deepStrictEqual(await deliverAll([captured, captured]), ["settled", "replayed"]);
  await expectPaidOnce(purchase);
});

Deno.test("a payment that is reported by ten webhooks at the same moment counts once", async () => {
  const purchase = await pay();
  const events = await eventsOf(purchase);
  const captured = named(events, "payment.captured");
  const paid = named(events, "order.paid");
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, index) => deliver(index % 2 ? captured : paid)),
  );
  const outcomes = answers.map((answer) => dataOf(answer).outcome);
  strictEqual(outcomes.filter((outcome) => outcome === "settled").length, 1);
  strictEqual(outcomes.filter((outcome) => outcome === "replayed").length, 9);
  await expectPaidOnce(purchase);
});

Deno.test("page, webhook and reconciler at the same moment count a payment once", async () => {
  for (let round = 0; round < 5; round++) {
    const purchase = await pay();
    const events = await eventsOf(purchase);
    await shop.makeDue();
    await Promise.all([
      ...Array.from({ length: 3 }, async () => dataOf(await verify(purchase))),
      ...events.map(async (event) => dataOf(await deliver(event))),
      runReconciler(),
      runReconciler(),
    ]);
    await expectPaidOnce(purchase);
  }
});

Deno.test("order.paid before payment.captured brings the credits at once", async () => {
  const purchase = await pay();
  const events = await eventsOf(purchase);
  const outcomes = await deliverAll([
    named(events, "order.paid"),
    named(events, "payment.captured"),
    named(events, "payment.authorized"),
  ]);
  deepStrictEqual(outcomes, ["settled", "replayed", "replayed"]);
  await expectPaidOnce(purchase);
});

Deno.test("the page is answered as the first reporter was, when the webhook came first", async () => {
  const purchase = await pay();
  await deliverAll(await eventsOf(purchase));
  deepStrictEqual(dataOf(await verify(purchase)), {
    payment_id: purchase.checkout.razorpay_payment_id,
    order_id: purchase.checkout.razorpay_order_id,
    credits_added: CREDITS,
    remaining_credits: 3 + CREDITS,
  });
  await expectPaidOnce(purchase);
});

Deno.test("every report of a payment is answered alike while credits are reserved, whoever reports it first", async () => {
  for (const isWebhookFirst of [false, true]) {
    const purchase = await pay();
    const body = {
      phone_number: purchase.phone,
      credits: 2,
      reference_id: `job-${purchase.phone}`,
    };
    dataOf(await call("POST", "bot-reserve", { body }));
    if (isWebhookFirst) await deliverAll(await eventsOf(purchase));
    const answers = [await verify(purchase), await verify(purchase)];
    deepStrictEqual(
      answers.map((answer) => dataOf(answer).remaining_credits),
      [3 + CREDITS - 2, 3 + CREDITS - 2],
    );
  }
});

Deno.test("an authorized payment brings nothing until it is captured, days later or at once", async () => {
  const purchase = await pay({ outcome: "authorized" });
  deepStrictEqual(await deliverAll(await eventsOf(purchase)), ["not_captured"]);
  strictEqual((await verify(purchase)).body.status, "PENDING");
  await shop.reconcile();
  await expectBought(purchase.phone, 0);

  await control.capture(purchase.checkout.razorpay_payment_id, { deliver_webhooks: false });
  await deliver(named(await eventsOf(purchase), "payment.captured"));
  await expectPaidOnce(purchase);
});

Deno.test("a failed payment that the bank captures after all brings its credits", async () => {
  const purchase = await pay({ outcome: "failed" });
  const failed = named(await eventsOf(purchase), "payment.failed");
  deepStrictEqual(await deliverAll([failed]), ["not_captured"]);
  await control.payOrder(purchase.checkout.razorpay_order_id, {
    outcome: "captured",
    payment_id: purchase.checkout.razorpay_payment_id,
    deliver_webhooks: false,
  });
  const captured = named(await eventsOf(purchase), "payment.captured");
  deepStrictEqual(await deliverAll([captured, failed]), ["settled", "replayed"]);
  await expectPaidOnce(purchase);
});

Deno.test("a report of the failure that arrives after the capture takes nothing back", async () => {
  const purchase = await pay({ outcome: "failed" });
  await control.payOrder(purchase.checkout.razorpay_order_id, {
    outcome: "captured",
    payment_id: purchase.checkout.razorpay_payment_id,
    deliver_webhooks: false,
  });
  await deliverAll((await eventsOf(purchase)).reverse());
  await expectPaidOnce(purchase);
});

Deno.test("a failed payment and then another one on the same order bring the credits once", async () => {
  const failed = await pay({ outcome: "failed" });
  const paid = await control.payOrder(failed.checkout.razorpay_order_id, {
    outcome: "captured",
    deliver_webhooks: false,
  });
  await deliverAll(await shop.eventsAbout(failed.checkout.razorpay_order_id));
  await expectPaidOnce({ ...failed, checkout: paid });
});

Deno.test("a payment that brought no money is not flagged: there is nothing to refund", async () => {
  const failed = await pay({ outcome: "failed" });
  const orderId = failed.checkout.razorpay_order_id;
  await control.payOrder(orderId, { outcome: "captured", deliver_webhooks: false });
  const authorized = await control.payOrder(orderId, {
    outcome: "authorized",
    force: true,
    deliver_webhooks: false,
  });
  await deliverAll(await shop.eventsAbout(orderId));
  await shop.reconcile();
  const moneyless = [failed.checkout.razorpay_payment_id, authorized.razorpay_payment_id];
  for (const paymentId of moneyless) strictEqual(await flagOf(paymentId), null);
  deepStrictEqual(await attentionTo(shop, ...moneyless), []);
});

Deno.test("a payment that is settled again has the figures of the first time, whatever was spent since", async () => {
  const { phone, checkout } = await pay();
  const { razorpay_order_id, razorpay_payment_id } = checkout;
  const settle = async () =>
    one(await settlePayment(shop.sql, razorpay_order_id, razorpay_payment_id));
  const first = await settle();
  strictEqual(first.remaining_credits, FREE_CREDITS + CREDITS);
  await spend(phone, 1);
  deepStrictEqual(await settle(), { ...first, outcome: "replayed" });
});

Deno.test("a payment whose order id we never stored finds its order by the receipt", async () => {
  for (const event of ["payment.captured", "order.paid"] as const) {
    const phone = newPhoneNumber();
    // The response is lost twice, because Deno repeats a request whose connection broke.
    await control.addFault({ kind: "drop", method: "POST", path: "/v1/orders", times: 2 });
    await control.clearRequests();
    await rejectsToOrder(phone);
    await control.clearFaults();
    const orderId = await newestOrderId();
    const checkout = await control.payOrder(orderId, {
      outcome: "captured",
      deliver_webhooks: false,
    });
    const events = await shop.eventsAbout(orderId);
    deepStrictEqual(await deliverAll([named(events, event)]), ["settled"]);
    const purchase = { phone, packageId: "starter", checkout };
    dataOf(await verify(purchase));
    await deliverAll(events);
    await expectPaidOnce(purchase);
  }
});

Deno.test("an order whose id a webhook brought is answered by create-order, and not made again", async () => {
  const phone = newPhoneNumber();
  await control.addFault({ kind: "drop", method: "POST", path: "/v1/orders", times: 2 });
  await rejectsToOrder(phone);
  await control.clearFaults();
  const orderId = await newestOrderId();
  const failed = await control.payOrder(orderId, { outcome: "failed", deliver_webhooks: false });
  deepStrictEqual(await deliverAll(await shop.eventsAbout(failed.razorpay_payment_id)), [
    "not_captured",
  ]);
  strictEqual(await orderPackage(phone, "starter"), orderId);
});

Deno.test("an order that was cut off can be made again, and is paid once", async () => {
  const phone = newPhoneNumber();
  await control.addFault({ kind: "drop", method: "POST", path: "/v1/orders", times: 2 });
  await rejectsToOrder(phone);
  await control.clearFaults();
  const purchase = await payForPackage(control, phone, "starter");
  dataOf(await verify(purchase));
  await expectPaidOnce(purchase);
});

async function rejectsToOrder(phone: string): Promise<void> {
  const body = { phone_number: phone, package_id: "starter" };
  expectError(await call("POST", "create-order", { body }), {
    httpStatus: 503,
    code: "GATEWAY_UNAVAILABLE",
  });
}

/** The order that Razorpay made last. */
async function newestOrderId(): Promise<string> {
  const { RAZORPAY_KEY_ID, RAZORPAY_KEY_SECRET } = shop.environment;
  const response = await fetch(`${shop.razorpay.url}/v1/orders?count=1`, {
    headers: { authorization: basicAuthorization(RAZORPAY_KEY_ID, RAZORPAY_KEY_SECRET) },
  });
  const { items: [{ id }] } = await response.json();
  return id;
}

/** Makes a second payment on a paid order, as a customer with two open payment apps does. */
async function payAgain({ checkout }: Purchase, outcome: "captured" | "late_authorized") {
  return await control.payOrder(checkout.razorpay_order_id, {
    outcome,
    force: outcome === "captured",
    deliver_webhooks: false,
  });
}

Deno.test("a second payment on a paid order is flagged and buys nothing, however it is reported", async () => {
  const purchase = await pay();
  dataOf(await verify(purchase));
  const second = await payAgain(purchase, "captured");
  expectError(await verify({ ...purchase, checkout: second }), {
    httpStatus: 400,
    code: "ORDER_MISMATCH",
    message: "The order was paid by another payment",
  });
  const events = await shop.eventsAbout(second.razorpay_payment_id);
  deepStrictEqual(await deliverAll([named(events, "payment.captured")]), [
    "paid_by_another_payment",
  ]);
  strictEqual((await shop.reconcile()).flagged, 1);
  await expectPaidOnce(purchase);
  strictEqual(await flagOf(second.razorpay_payment_id), "second_payment");
});

Deno.test("the refund of a second payment takes nothing from the first", async () => {
  const purchase = await pay();
  dataOf(await verify(purchase));
  const second = await payAgain(purchase, "captured");
  await control.refund(second.razorpay_payment_id, { deliver_webhooks: false });
  await deliverAll(await shop.eventsAbout(second.razorpay_payment_id));
  await expectPaidOnce(purchase);
});

Deno.test("a late authorized payment that Razorpay refunds leaves the first one's credits, in any order of reports", async () => {
  const first = await pay();
  await payAgain(first, "late_authorized");
  const { length } = await shop.eventsAbout(first.checkout.razorpay_order_id);
  for (let rotation = 0; rotation < length; rotation++) {
    const purchase = await pay();
    await payAgain(purchase, "late_authorized");
    const events = await shop.eventsAbout(purchase.checkout.razorpay_order_id);
    strictEqual(events.length, length);
    await deliverAll([...events.slice(rotation), ...events.slice(0, rotation)]);
    await expectBought(purchase.phone, CREDITS);
    dataOf(await verify(purchase));
  }
});

Deno.test("the reconciler finds the payment that was kept when the other one was refunded", async () => {
  const purchase = await pay();
  await payAgain(purchase, "late_authorized");
  await shop.reconcile();
  await expectPaidOnce(purchase);
  dataOf(await verify(purchase));
});

Deno.test("when the payment that paid an order is refunded, the second one that was kept pays it", async () => {
  const purchase = await pay();
  const second = await payAgain(purchase, "captured");
  const kept = { ...purchase, checkout: second };
  dataOf(await verify(purchase));
  await deliverAll(await shop.eventsAbout(second.razorpay_payment_id));
  const paidAt = await paidAtOf(purchase);
  ok(paidAt);
  await control.refund(purchase.checkout.razorpay_payment_id, { deliver_webhooks: false });
  await deliverAll(await eventsOf(purchase));
  await expectBought(purchase.phone, CREDITS);
  strictEqual(dataOf(await verify(kept)).credits_added, CREDITS);
  strictEqual(await flagOf(second.razorpay_payment_id), null);
  strictEqual(await paidAtOf(purchase), paidAt, "the customer paid when the first payment came");
});

Deno.test("a payment whose refund failed after all pays its order again, when the other one went back", async () => {
  const purchase = await pay();
  const { checkout: { razorpay_payment_id: first } } = purchase;
  const { razorpay_payment_id: second } = await payAgain(purchase, "captured");
  dataOf(await verify(purchase));
  const { id } = await control.refund(first, { deliver_webhooks: false });
  await deliverAll([...await eventsOf(purchase), ...await shop.eventsAbout(second)]);
  await control.changeRefund(id, { status: "failed", deliver_webhooks: false });
  await deliverAll(await shop.eventsAbout(id));
  await control.refund(second, { deliver_webhooks: false });
  await deliverAll(await shop.eventsAbout(second));
  await expectBought(purchase.phone, CREDITS);
  strictEqual(await flagOf(first), null);
  strictEqual(dataOf(await verify(purchase)).credits_added, CREDITS);
});

/** When an order was paid, as an operator reads it. */
async function paidAtOf({ checkout }: Purchase): Promise<unknown> {
  return one(await findPayments(shop, checkout.razorpay_order_id)).order.paid_at;
}

async function flagOf(paymentId: string): Promise<unknown> {
  const { flag } = one(await shop.sql`select flag from public.payments where id = ${paymentId}`);
  return flag;
}

Deno.test("two users who pay at the same moment each get their own", async () => {
  const purchases = await Promise.all([pay(), pay(), pay()]);
  const events = (await Promise.all(purchases.map(eventsOf))).flat();
  await Promise.all([
    ...events.map(async (event) => dataOf(await deliver(event))),
    ...purchases.map(async (purchase) => dataOf(await verify(purchase))),
  ]);
  for (const purchase of purchases) await expectPaidOnce(purchase);
});
