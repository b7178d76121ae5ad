/**
 * POST reconcile-payments: finds payments that Razorpay knows about and nobody reported, such as those
 * of customers who paid and closed the browser.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { z } from "zod";
import { assertBooksAreRight } from "../support/backend.ts";
import { call, dataOf, expectError, operatorHeaders } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { logOf } from "../support/log.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import {
  buyCredits,
  orderPackage,
  payForPackage,
  type PaymentOptions,
  verify,
} from "../support/purchases.ts";
import {
  expectBought,
  historyOf,
  PACKAGES,
  runReconciler,
  startShop,
} from "../support/payment-harness.ts";
import { first, one } from "../support/lists.ts";
import { newLiveKeyId, newOrderId } from "../support/razorpay-ids.ts";

const shop = await startShop();
const { control } = shop;
Deno.test.afterAll(() => shop.stop());
Deno.test.beforeEach(async () => {
  await shop.forgetOrders();
  await control.clearRequests();
});
Deno.test.afterEach(async () => {
  await control.clearFaults();
  await assertBooksAreRight(shop.sql);
});

const { credits: CREDITS } = PACKAGES.starter;
const NOTHING = { checked: 0, settled: 0, flagged: 0, failed: 0 };

const pay = (payment?: PaymentOptions) =>
  payForPackage(control, newPhoneNumber(), "starter", payment);

/** A run as the scheduler starts it, for the orders whose time has come. */
async function run(): Promise<Record<string, unknown>> {
  return dataOf(await runReconciler());
}

/** Shifts an order into the past, as if it had been made `age` ago. */
async function age(orderId: string, age: string): Promise<void> {
  await shop.sql`
    update public.payment_orders
    set created_at = created_at - ${age}::interval, next_check_at = clock_timestamp()
    where razorpay_order_id = ${orderId}`;
}

/** The seconds until Razorpay is asked about an order again; null for never. */
async function nextCheckIn(orderId: string): Promise<number | null> {
  const { seconds } = one(
    await shop.sql<{ seconds: number | null }[]>`
    select extract(epoch from next_check_at - clock_timestamp())::float8 as seconds
    from public.payment_orders where razorpay_order_id = ${orderId}`,
  );
  return seconds;
}

Deno.test("a customer who pays and closes the browser has the credits after one run", async () => {
  // No webhook comes either: Razorpay has disabled it.
  await control.changeSettings({ webhooks_enabled: false });
  const purchase = await pay();
  await control.changeSettings({ webhooks_enabled: true });
  await expectBought(purchase.phone, 0);
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 1, settled: 1 });
  await expectBought(purchase.phone, CREDITS);
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 1 });
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("an order is asked about by its id, and not before a few minutes have passed", async () => {
  const purchase = await pay();
  const orderId = purchase.checkout.razorpay_order_id;
  await control.clearRequests();
  deepStrictEqual(await run(), NOTHING);
  deepStrictEqual(await control.requests(), []);
  const firstCheck = await nextCheckIn(orderId);
  ok(firstCheck !== null && firstCheck > 4 * 60 && firstCheck <= 5 * 60);

  await shop.reconcile();
  const request = first(await control.requests());
  strictEqual(request.path, `/v1/orders/${orderId}/payments`);
});

Deno.test("an order that was settled by the page or a webhook is not counted as settled again", async () => {
  const purchase = await pay();
  dataOf(await verify(purchase));
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 1 });
});

Deno.test("an order that nobody paid is asked about again, ever more rarely, until no payment can come", async () => {
  const orderId = await orderPackage(newPhoneNumber(), "starter");
  await shop.reconcile();
  const soon = await nextCheckIn(orderId);
  await age(orderId, "2 days");
  await run();
  const later = await nextCheckIn(orderId);
  ok(soon !== null && later !== null && soon <= 5 * 60 && later > 12 * 3600);
  // A late authorization can arrive for five days.
  await age(orderId, "3 days");
  await run();
  ok(await nextCheckIn(orderId) !== null);
  await age(orderId, "2 days");
  deepStrictEqual(await run(), { ...NOTHING, checked: 1 });
  strictEqual(await nextCheckIn(orderId), null);
});

Deno.test("a late authorization on the fifth day is found", async () => {
  const purchase = await pay({ outcome: "failed" });
  const { razorpay_order_id, razorpay_payment_id } = purchase.checkout;
  await shop.reconcile();
  await age(razorpay_order_id, "5 days");
  await control.payOrder(razorpay_order_id, {
    outcome: "captured",
    payment_id: razorpay_payment_id,
    deliver_webhooks: false,
  });
  deepStrictEqual(await run(), { ...NOTHING, checked: 1, settled: 1 });
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("a paid order is watched on: a refund months later is found", async () => {
  const purchase = await buyCredits(control, newPhoneNumber(), "starter");
  await age(purchase.checkout.razorpay_order_id, "100 days");
  await control.refund(purchase.checkout.razorpay_payment_id, { deliver_webhooks: false });
  await run();
  await expectBought(purchase.phone, 0);
  ok(await nextCheckIn(purchase.checkout.razorpay_order_id) !== null);
});

Deno.test("one run works through more orders than fit into a batch", async () => {
  const purchases = await Promise.all(Array.from({ length: 23 }, () => pay()));
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 23, settled: 23 });
  await Promise.all(purchases.map(({ phone }) => expectBought(phone, CREDITS)));
});

Deno.test("two runs at once share the orders, and each payment counts once", async () => {
  const purchases = await Promise.all(Array.from({ length: 12 }, () => pay()));
  await shop.makeDue();
  const runs = await Promise.all([run(), run(), run()]);
  const total = (key: string) => runs.reduce((sum, totals) => sum + z.int().parse(totals[key]), 0);
  deepStrictEqual([total("checked"), total("settled"), total("failed")], [12, 12, 0]);
  for (const { phone, checkout } of purchases) {
    deepStrictEqual(await historyOf(phone), [
      `+${CREDITS} payment ${checkout.razorpay_payment_id}: ${3 + CREDITS}`,
    ]);
  }
});

Deno.test("an order that Razorpay gives no answer about is counted as failed, and comes again", async () => {
  const [stuck, other] = [await pay(), await pay()];
  const { razorpay_order_id } = stuck.checkout;
  const path = `/v1/orders/${razorpay_order_id}/payments`;
  await control.addFault({ kind: "500", path });
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 1, settled: 1, failed: 1 });
  await expectBought(stuck.phone, 0);
  await expectBought(other.phone, CREDITS);
  const again = await nextCheckIn(razorpay_order_id);
  ok(again !== null && again <= 2 * 60);
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 2, settled: 1 });
  await expectBought(stuck.phone, CREDITS);
});

Deno.test("the reason why an order could not be checked is in the log, once", async () => {
  const { checkout } = await pay();
  await control.addFault({
    kind: "500",
    path: `/v1/orders/${checkout.razorpay_order_id}/payments`,
  });
  const lines = (await logOf(() => shop.reconcile())).map((text) => JSON.parse(text));
  const { function: name, cause } = one(lines.filter(({ level }) => level === "error"));
  strictEqual(name, "reconcile-payments");
  match(cause, /500/);
});

Deno.test("an order that another transaction works on does not hold up the others", async () => {
  const [busy, other] = [await pay(), await pay()];
  await shop.makeDue();
  await shop.sql.begin(async (sql) => {
    await sql`
      select from public.payment_orders
      where razorpay_order_id = ${busy.checkout.razorpay_order_id} for update`;
    deepStrictEqual(await run(), { ...NOTHING, checked: 1, settled: 1 });
  });
  await expectBought(other.phone, CREDITS);
  deepStrictEqual(await run(), { ...NOTHING, checked: 1, settled: 1 });
  await expectBought(busy.phone, CREDITS);
});

Deno.test("an order that Razorpay does not know does not hold up the others, and is asked about ever more rarely", async () => {
  const lost = await orderPackage(newPhoneNumber(), "starter");
  const unknown = newOrderId();
  await shop.sql`
    update public.payment_orders set razorpay_order_id = ${unknown}
    where razorpay_order_id = ${lost}`;
  const purchase = await pay();
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 1, settled: 1, failed: 1 });
  await expectBought(purchase.phone, CREDITS);
  await age(unknown, "10 days");
  await run();
  const again = await nextCheckIn(unknown);
  ok(again !== null && again > 10 * 3600);
});

Deno.test("orders of the other kind of key are left to that key", async () => {
  const purchase = await pay();
  await shop.makeDue();
  await withEnvironment(
    { RAZORPAY_KEY_ID: newLiveKeyId() },
    async () => deepStrictEqual(await run(), NOTHING),
  );
  deepStrictEqual(await run(), { ...NOTHING, checked: 1, settled: 1 });
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("payments that need an operator are counted", async () => {
  const wrong = await pay({ outcome: "captured", amount: 100 });
  const twice = await buyCredits(control, newPhoneNumber(), "starter");
  await control.payOrder(twice.checkout.razorpay_order_id, {
    outcome: "captured",
    force: true,
    deliver_webhooks: false,
  });
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 2, flagged: 2 });
  await expectBought(wrong.phone, 0);
  await expectBought(twice.phone, CREDITS);
});

Deno.test("the reconciler is for the holder of the secret key", async () => {
  const { SUPABASE_PUBLISHABLE_KEY, BOT_SECRET } = shop.environment;
  const { apikey } = operatorHeaders();
  const strangers: Record<string, string>[] = [
    {},
    { apikey: "" },
    { apikey: SUPABASE_PUBLISHABLE_KEY },
    { authorization: `Bearer ${SUPABASE_PUBLISHABLE_KEY}` },
    { "x-bot-secret": BOT_SECRET },
    { apikey: apikey.slice(0, -1) },
  ];
  for (const headers of strangers) {
    expectError(await call("POST", "reconcile-payments", { body: {}, headers }), {
      httpStatus: 401,
      code: "INVALID_SECRET_KEY",
    });
  }
  const headers = { authorization: `Bearer ${apikey}` };
  dataOf(await call("POST", "reconcile-payments", { body: {}, headers }));
});
