/**
 * Many calls about one purchase at once: one order, one grant, one answer.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { assertBooksAreRight, startBackend } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { openConnections } from "../support/connections.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, orderPackage, payForPackage, verify } from "../support/purchases.ts";
import { at, one } from "../support/lists.ts";
import { newPaymentId } from "../support/razorpay-ids.ts";
import { settlePayment } from "../support/settlements.ts";
import { takeTurns } from "../support/turns.ts";

const backend = await startBackend();
const { control } = backend.razorpay;
Deno.test.afterAll(() => backend.stop());
Deno.test.afterEach(() => assertBooksAreRight(backend.sql));

const TWENTY = Array.from({ length: 20 });

async function entriesOf(phone: string): Promise<unknown[]> {
  const rows = await backend.sql`
    select t.source, t.credits from public.users u
    join public.credit_transactions t on t.user_id = u.id
    where u.phone_number = ${phone} order by t.sequence_number`;
  return rows.map(({ source, credits }) => [source, credits]);
}

Deno.test("20 verifications of one payment at once credit it once and answer alike", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const answers = await Promise.all(TWENTY.map(() => verify(purchase)));
  for (const answer of answers) {
    dataOf(answer);
    deepStrictEqual(answer.body, at(answers, 0).body);
  }
  deepStrictEqual(await entriesOf(purchase.phone), [["system", 3], ["payment", 20]]);
});

Deno.test("20 settlements of one payment at once on connections of their own grant it once", async () => {
  const phone = newPhoneNumber();
  const orderId = await orderPackage(phone, "starter");
  await using connections = await openConnections(backend.database.url, 20);
  const rows = await connections.all((sql) =>
    sql`
      select outcome, credits_added, remaining_credits from public.settle_payment(
        razorpay_order_id => ${orderId},
        razorpay_payment_id => 'pay_RB58MiP5SPFYyM',
        payment_status => 'captured',
        amount_paise => 9900,
        currency => 'INR'
      )`
  );
  const outcomes = rows.map((rows) => one(rows).outcome).sort();
  deepStrictEqual(outcomes, [...Array(19).fill("replayed"), "settled"]);
  for (const { credits_added, remaining_credits } of rows.map(one)) {
    deepStrictEqual([credits_added, remaining_credits], [20, 23]);
  }
  deepStrictEqual(await entriesOf(phone), [["system", 3], ["payment", 20]]);
});

Deno.test("20 orders of one purchase at once on connections of their own are one order", async () => {
  const phone = newPhoneNumber();
  await call("GET", `users/${phone}`);
  await using connections = await openConnections(backend.database.url, 20);
  const orders = await connections.all((sql) =>
    sql`
      select outcome, order_id from public.place_order(
        package_id => 'starter', key_mode => 'test', phone_number => ${phone}
      )`
  );
  const outcomes = orders.map((rows) => one(rows).outcome).sort();
  deepStrictEqual(outcomes, ["placed", ...Array(19).fill("reused")]);
  const { order_id } = one(at(orders, 0));
  const opened = await connections.all((sql, index) => {
    const razorpayOrderId = `order_${String(index).padStart(14, "0")}`;
    return sql`select public.attach_razorpay_order(${order_id}, ${razorpayOrderId}) as id`;
  });
  strictEqual(new Set(opened.map((rows) => one(rows).id)).size, 1);
});

Deno.test.each([
  ["a newcomer", () => Promise.resolve()],
  ["a known user", (phone: string) => call("GET", `users/${phone}`)],
])("20 calls of create-order at once by %s return one order, with one receipt", async (_, meet) => {
  const phone = newPhoneNumber();
  await meet(phone);
  await control.clearRequests();
  const ids = await Promise.all(TWENTY.map(() => orderPackage(phone, "starter")));
  strictEqual(new Set(ids).size, 1);
  strictEqual(await orderPackage(phone, "starter"), ids[0]);
  const asked = await control.requests({ method: "POST", path: "/v1/orders" });
  strictEqual(new Set(asked.map(({ body }) => JSON.parse(body).receipt)).size, 1);
});

Deno.test("20 packages that one person orders at once are 20 orders, and each grants its own", async () => {
  const phone = newPhoneNumber();
  const packageIds = TWENTY.map((_, index) => `at-once-${index}`);
  await backend.sql`
    insert into public.packages (id, name, price, credits)
    select id, 'Test', 10, 5 from unnest(${packageIds}::text[]) as id`;
  const purchases = await Promise.all(
    packageIds.map((packageId) => payForPackage(control, phone, packageId)),
  );
  const answers = await Promise.all(purchases.map((purchase) => verify(purchase)));
  const balances = answers.map((answer) => Number(dataOf(answer).remaining_credits));
  deepStrictEqual(balances.toSorted((a, b) => a - b), TWENTY.map((_, index) => 8 + 5 * index));
});

Deno.test("two payments on one order at once grant it once", async () => {
  const first = await payForPackage(control, newPhoneNumber(), "starter");
  const checkout = await control.payOrder(first.checkout.razorpay_order_id, {
    outcome: "captured",
    force: true,
    deliver_webhooks: false,
  });
  const second = { ...first, checkout };
  const answers = await Promise.all(
    TWENTY.map((_, index) => verify(index % 2 === 0 ? first : second)),
  );
  const successes = answers.filter(({ body }) => body.status === "SUCCESS");
  strictEqual(successes.length, 10);
  for (const { body } of successes) deepStrictEqual(body, at(successes, 0).body);
  deepStrictEqual(await entriesOf(first.phone), [["system", 3], ["payment", 20]]);
});

Deno.test("an order that is paid while its last check waits for it is checked on, because of refunds", async () => {
  const orderId = await orderPackage(newPhoneNumber(), "starter");
  const { id } = one(
    await backend.sql<{ id: string }[]>`
    update public.payment_orders
    set created_at = created_at - interval '7 days', next_check_at = clock_timestamp()
    where razorpay_order_id = ${orderId} returning id`,
  );
  await takeTurns(
    backend.database,
    (sql) => settlePayment(sql, orderId, newPaymentId()),
    [(sql) => sql`select public.finish_order_check(${id})`],
  );
  const { state, next_check_at } = one(
    await backend.sql`select state, next_check_at from public.payment_orders where id = ${id}`,
  );
  strictEqual(state, "paid");
  ok(next_check_at);
});

Deno.test("deductions, orders and verifications of one person at once neither block nor lose one", async () => {
  const phone = newPhoneNumber();
  await buyCredits(control, phone, "starter");
  const paid = await payForPackage(control, phone, "popular");
  const calls = TWENTY.flatMap(() => [
    () => call("POST", "bot-deduct", { body: { phone_number: phone } }),
    () => call("POST", "create-order", { body: { phone_number: phone, package_id: "pro" } }),
    () => verify(paid),
  ]);
  const answers = await Promise.all(calls.map((act) => act()));
  for (const answer of answers) dataOf(answer);
  strictEqual(dataOf(await call("GET", `users/${phone}`)).credits, 3 + 20 + 75 - 20);
});
