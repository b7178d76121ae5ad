/**
 * POST create-order: a page starts the purchase of a package.
 * @module
 */

import { deepStrictEqual, match, notStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { startBackend } from "../support/backend.ts";
import { type Answer, call, dataOf, expectError } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import {
  alteringProxy,
  closedUrl,
  lossyProxy,
  redirectingServer,
  whileRazorpayIs,
} from "../support/faulty-servers.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, payForPackage, verify } from "../support/purchases.ts";
import { one } from "../support/lists.ts";
import { withRazorpay } from "../support/razorpay-fixture.ts";
import { newLiveKeyId } from "../support/razorpay-ids.ts";

const backend = await startBackend();
const { control } = backend.razorpay;
Deno.test.afterAll(() => backend.stop());
Deno.test.afterEach(() => control.clearFaults());

function createOrder(body: unknown): Promise<Answer> {
  return call("POST", "create-order", { body });
}

/** A package that no other test uses, so that a test may change it. */
async function newPackage(price: string, credits = 10): Promise<string> {
  const id = `p-${randomUUID()}`;
  await backend.sql`
    insert into public.packages (id, name, price, credits) values (${id}, 'Test', ${price}, ${credits})`;
  return id;
}

/** The orders that Razorpay was asked for since its log was cleared. */
async function ordersAskedFor(): Promise<Record<string, unknown>[]> {
  const requests = await control.requests({ method: "POST", path: "/v1/orders" });
  return requests.map(({ body }) => JSON.parse(body));
}

Deno.test("create-order returns what Checkout needs, with the amount in paise", async () => {
  const answer = await createOrder({ package_id: "starter", phone_number: newPhoneNumber() });
  strictEqual(answer.httpStatus, 200);
  strictEqual(answer.body.status, "SUCCESS");
  strictEqual(answer.body.message, "Order created successfully");
  const { order_id, ...rest } = dataOf(answer);
  match(String(order_id), /^order_[A-Za-z0-9]{14}$/);
  deepStrictEqual(rest, {
    amount: 9_900,
    currency: "INR",
    key_id: Deno.env.get("RAZORPAY_KEY_ID"),
    package: { id: "starter", name: "Starter", credits: 20, price: 99 },
  });
});

Deno.test("an order makes no user of an unknown number, its payment does: the welcome first", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const { phone } = purchase;
  const { identities } = one(
    await backend.sql`
    select count(*)::int as identities from public.identities where value = ${phone}`,
  );
  strictEqual(identities, 0);
  strictEqual(dataOf(await verify(purchase)).remaining_credits, 3 + 20);
  const entries = await backend.sql`
    select t.source, t.balance_after from public.identities i
    join public.credit_transactions t on t.user_id = i.user_id
    where i.value = ${phone} order by t.sequence_number`;
  deepStrictEqual(entries.map(({ source, balance_after }) => [source, balance_after]), [
    ["system", 3],
    ["payment", 3 + 20],
  ]);
});

Deno.test.each([
  ["1.00", 100, 1],
  ["99.50", 9_950, 99.5],
  ["0099.99", 9_999, 99.99],
  ["1234.56", 123_456, 1_234.56],
  ["4999.29", 499_929, 4_999.29],
])("a package of %s rupees costs exactly %d paise", async (price, amount, returnedPrice) => {
  const package_id = await newPackage(price);
  const data = dataOf(await createOrder({ package_id, phone_number: newPhoneNumber() }));
  strictEqual(data.amount, amount);
  deepStrictEqual(data.package, {
    id: package_id,
    name: "Test",
    credits: 10,
    price: returnedPrice,
  });
});

Deno.test("Razorpay is asked for our amount, with our order's id as the receipt, and captures by itself", async () => {
  await control.clearRequests();
  await createOrder({ package_id: "popular", phone_number: newPhoneNumber() });
  const { receipt, ...asked } = one(await ordersAskedFor());
  deepStrictEqual(asked, {
    amount: 29_900,
    currency: "INR",
    payment: {
      capture: "automatic",
      capture_options: {
        automatic_expiry_period: 12,
        manual_expiry_period: 7_200,
        refund_speed: "normal",
      },
    },
  });
  match(String(receipt), /^[0-9a-f]{32}$/);
});

Deno.test("what the page says of amount, credits and currency changes nothing", async () => {
  const data = dataOf(
    await createOrder({
      package_id: "starter",
      phone_number: newPhoneNumber(),
      amount: 100,
      price: 1,
      credits: 1_000_000,
      currency: "USD",
      user_id: randomUUID(),
    }),
  );
  strictEqual(data.amount, 9_900);
  strictEqual(data.currency, "INR");
});

Deno.test("a purchase that still waits for its payment is answered with the same order", async () => {
  const phone = newPhoneNumber();
  await control.clearRequests();
  const first = await createOrder({ package_id: "starter", phone_number: phone });
  const second = await createOrder({ package_id: "starter", phone_number: phone.slice(3) });
  deepStrictEqual(second.body, first.body);
  strictEqual((await ordersAskedFor()).length, 1);
});

Deno.test("another package, person, price and number of credits are another order", async () => {
  const phone = newPhoneNumber();
  const package_id = await newPackage("10.00");
  const orderId = async (body: unknown) => dataOf(await createOrder(body)).order_id;
  const ids = [
    await orderId({ package_id, phone_number: phone }),
    await orderId({ package_id: "starter", phone_number: phone }),
    await orderId({ package_id, phone_number: newPhoneNumber() }),
  ];
  await backend.sql`update public.packages set price = 20 where id = ${package_id}`;
  ids.push(await orderId({ package_id, phone_number: phone }));
  await backend.sql`update public.packages set credits = 11 where id = ${package_id}`;
  ids.push(await orderId({ package_id, phone_number: phone }));
  strictEqual(new Set(ids).size, 5);
});

Deno.test("an order that was made with a test key is not handed out with a live key, nor the other way around", async () => {
  const body = { package_id: "starter", phone_number: newPhoneNumber() };
  const orderId = async () => dataOf(await createOrder(body)).order_id;
  const keyId = newLiveKeyId();
  const keySecret = backend.environment.RAZORPAY_KEY_SECRET;
  const testOrder = await orderId();
  await withRazorpay(async ({ url }) => {
    const live = { RAZORPAY_KEY_ID: keyId, RAZORPAY_API_URL: url };
    const liveOrder = await withEnvironment(live, orderId);
    notStrictEqual(liveOrder, testOrder);
    strictEqual(await orderId(), testOrder);
    strictEqual(await withEnvironment(live, orderId), liveOrder);
  }, { keyId, keySecret });
});

Deno.test("an order that was paid is not handed out again", async () => {
  const phone = newPhoneNumber();
  const { checkout } = await buyCredits(control, phone, "starter");
  const next = dataOf(await createOrder({ package_id: "starter", phone_number: phone }));
  notStrictEqual(next.order_id, checkout.razorpay_order_id);
});

Deno.test("a package that is not for sale is not found", async () => {
  const retired = await newPackage("10.00");
  await backend.sql`update public.packages set is_active = false where id = ${retired}`;
  await control.clearRequests();
  for (const package_id of ["no-such-package", retired]) {
    expectError(await createOrder({ package_id, phone_number: newPhoneNumber() }), {
      httpStatus: 404,
      code: "PACKAGE_NOT_FOUND",
      message: "Package not found",
    });
  }
  deepStrictEqual(await ordersAskedFor(), []);
});

Deno.test.each([
  ["nothing", {}],
  ["no package", { phone_number: "+919876543210" }],
  ["no number", { package_id: "starter" }],
  ["null", { package_id: null, phone_number: "+919876543210" }],
  ["an empty package", { package_id: "", phone_number: "+919876543210" }],
  ["an empty number", { package_id: "starter", phone_number: "" }],
])("create-order responds to %s with the sentence for missing fields", async (_, body) => {
  expectError(await createOrder(body), {
    httpStatus: 400,
    code: "MISSING_FIELD",
    message: "Package ID and phone number are required",
  });
});

Deno.test.each(
  [
    ["package_id", 1],
    ["package_id", ["starter"]],
    ["package_id", { id: "starter" }],
    ["package_id", "Starter"],
    ["package_id", "../starter"],
    ["package_id", "starter\u0000"],
    ["package_id", "' or true --"],
    ["package_id", "a".repeat(65)],
    ["phone_number", 919876543210],
    ["phone_number", "12345"],
    ["phone_number", "call me"],
    ["phone_number", "+919876543210;ext=5"],
  ] as const,
)("create-order refuses %s: %j, and names the field", async (field, value) => {
  const body = { package_id: "starter", phone_number: newPhoneNumber(), [field]: value };
  expectError(await createOrder(body), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: new RegExp(`^${field} `),
  });
});

Deno.test.each(["429", "500", "502_html", "504_empty", "drop"] as const)(
  "when Razorpay answers %s the order can be had later, under the same receipt",
  async (kind) => {
    const body = { package_id: "starter", phone_number: newPhoneNumber() };
    await control.clearRequests();
    // The HTTP client may repeat a request when its connection breaks.
    await control.addFault({ kind, applied: false, times: kind === "drop" ? 2 : 1 });
    expectError(await createOrder(body), { httpStatus: 503, code: "GATEWAY_UNAVAILABLE" });
    await control.clearFaults();
    const order = dataOf(await createOrder(body));
    const receipts = (await ordersAskedFor()).map(({ receipt }) => receipt);
    strictEqual(new Set(receipts).size, 1);
    deepStrictEqual(dataOf(await createOrder(body)), order);
  },
);

Deno.test("when nothing listens at Razorpay's address the answer is 503, and it works again later", async () => {
  const body = { package_id: "starter", phone_number: newPhoneNumber() };
  const closed = closedUrl();
  await withEnvironment({ RAZORPAY_API_URL: closed }, async () => {
    expectError(await createOrder(body), { httpStatus: 503, code: "GATEWAY_UNAVAILABLE" });
  });
  dataOf(await createOrder(body));
});

Deno.test.each(["200_html", "200_cut_off"] as const)(
  "when Razorpay answers %s the answer is 502, and it works again later",
  async (kind) => {
    const body = { package_id: "starter", phone_number: newPhoneNumber() };
    await control.addFault({ kind });
    expectError(await createOrder(body), { httpStatus: 502, code: "GATEWAY_ERROR" });
    dataOf(await createOrder(body));
  },
);

Deno.test("when Razorpay refuses, the answer is 502 and says nothing of its reasons", async () => {
  const body = { package_id: "starter", phone_number: newPhoneNumber() };
  await control.addFault({ kind: "401" });
  expectError(await createOrder(body), {
    httpStatus: 502,
    code: "GATEWAY_ERROR",
    message: "The payment gateway rejected the request or sent an invalid response",
  });
  dataOf(await createOrder(body));
});

Deno.test.each([301, 302, 307, 308])(
  "a redirect with status %d is not followed, so that nobody else is sent the key",
  async (status) => {
    const elsewhere = lossyProxy(backend.razorpay.url);
    try {
      await whileRazorpayIs(redirectingServer(status, elsewhere.url), async () => {
        const answer = await createOrder({ package_id: "starter", phone_number: newPhoneNumber() });
        ok([502, 503].includes(answer.httpStatus), String(answer.httpStatus));
      });
      deepStrictEqual(elsewhere.paths, []);
    } finally {
      await elsewhere.stop();
    }
  },
);

Deno.test.each([
  ["a paisa more", { amount: 9_901 }],
  ["a paisa less", { amount: 9_899 }],
  ["dollars", { currency: "USD" }],
])("an order that Razorpay made for %s is not handed out, now or later", async (_, wrong) => {
  const body = { package_id: "starter", phone_number: newPhoneNumber() };
  const mistaken = alteringProxy(backend.razorpay.url, {
    answer: (order) => Object.assign({}, order, wrong),
  });
  await control.clearRequests();
  await whileRazorpayIs(mistaken, async () => {
    expectError(await createOrder(body), { httpStatus: 502, code: "GATEWAY_ERROR" });
  });
  strictEqual(dataOf(await createOrder(body)).amount, 9_900);
  strictEqual((await ordersAskedFor()).length, 2);
});
