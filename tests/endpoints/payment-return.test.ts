/**
 * POST payment-return: Checkout sends a customer's browser back, and the page is told what came of it.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { newUser } from "../support/accounts.ts";
import { assertBooksAreRight, startBackend } from "../support/backend.ts";
import { call, dataOf, operatorHeaders, readAnswer, send } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { closedUrl, fixedAnswerServer } from "../support/faulty-servers.ts";
import { one } from "../support/lists.ts";
import { logLine, logOf } from "../support/log.ts";
import { comeBack, readReturn } from "../support/payment-return.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import {
  buyCredits,
  orderPackage,
  payForPackage,
  type PaymentOptions,
  type Purchase,
  signedCheckout,
  verify,
} from "../support/purchases.ts";
import { withLimit } from "../support/rate-limits.ts";
import { newLiveKeyId, newOrderId, newPaymentId } from "../support/razorpay-ids.ts";
import { newSecret, sign, signCheckout } from "../support/signing.ts";

const backend = await startBackend();
const { control } = backend.razorpay;
Deno.test.afterAll(() => backend.stop());
Deno.test.afterEach(async () => {
  await control.clearFaults();
  await assertBooksAreRight(backend.sql);
});

const PACKAGE = "starter";
const CREDITS = 20;

const pay = (payment?: PaymentOptions): Promise<Purchase> =>
  payForPackage(control, newPhoneNumber(), PACKAGE, payment);

const orderOf = ({ checkout }: Purchase) => checkout.razorpay_order_id;

/** Posts what Checkout has signed, with changes. */
const returnFrom = ({ checkout }: Purchase, changes: Record<string, string> = {}) =>
  comeBack({ ...checkout, ...changes });

async function expectBalance({ phone }: Purchase, credits: number): Promise<void> {
  strictEqual(dataOf(await call("GET", `users/${phone}`)).credits, credits);
}

const expectCredited = (purchase: Purchase) => expectBalance(purchase, 3 + CREDITS);
const expectNotCredited = (purchase: Purchase) => expectBalance(purchase, 3);

Deno.test("a customer who has paid has the credits, and the page is told that the order is paid", async () => {
  const purchase = await pay();
  deepStrictEqual(await returnFrom(purchase), { payment: "paid", order: orderOf(purchase) });
  await expectCredited(purchase);
});

Deno.test("a form that is sent again, before or after verify-payment, changes nothing more", async () => {
  const purchase = await pay();
  const paid = { payment: "paid", order: orderOf(purchase) };
  deepStrictEqual(await returnFrom(purchase), paid);
  const { credits_added } = dataOf(await verify(purchase));
  strictEqual(credits_added, CREDITS);
  await control.clearRequests();
  deepStrictEqual(await returnFrom(purchase), paid);
  deepStrictEqual(await control.requests(), []);
  await expectCredited(purchase);

  const verified = await buyCredits(control, newPhoneNumber(), PACKAGE);
  deepStrictEqual(await returnFrom(verified), { payment: "paid", order: orderOf(verified) });
  await expectCredited(verified);
});

Deno.test("form, report and webhook at once credit a payment once, and everybody hears that it is paid", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), PACKAGE, {
    outcome: "captured",
    deliver_webhooks: true,
  });
  const returns = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      if (index % 2 === 0) dataOf(await verify(purchase));
      return await returnFrom(purchase);
    }),
  );
  for (const told of returns) {
    deepStrictEqual(told, { payment: "paid", order: orderOf(purchase) });
  }
  await expectCredited(purchase);
});

Deno.test("a payment for a number that nobody had is credited to its new account", async () => {
  const purchase = await pay();
  const known = await backend.sql`select from public.identities where value = ${purchase.phone}`;
  strictEqual(known.length, 0);
  strictEqual((await returnFrom(purchase)).payment, "paid");
  await expectCredited(purchase);
});

Deno.test.each(["authorized", "failed"] as const)(
  "a payment that is %s is pending, and counts once it is captured",
  async (outcome) => {
    const purchase = await pay({ outcome });
    const pending = { payment: "pending", order: orderOf(purchase) };
    deepStrictEqual(await returnFrom(purchase), pending);
    deepStrictEqual(await returnFrom(purchase), pending);
    await expectNotCredited(purchase);
    await control.payOrder(orderOf(purchase), {
      outcome: "captured",
      payment_id: purchase.checkout.razorpay_payment_id,
      deliver_webhooks: false,
      force: true,
    });
    strictEqual((await returnFrom(purchase)).payment, "paid");
    await expectCredited(purchase);
  },
);

Deno.test.each([
  ["too little money", { amount: 9_899 }],
  ["another currency", { currency: "USD" }],
])("a payment of %s buys nothing, and has failed", async (_, payment) => {
  const purchase = await pay({ outcome: "captured", ...payment });
  deepStrictEqual(await returnFrom(purchase), { payment: "failed", order: orderOf(purchase) });
  await expectNotCredited(purchase);
});

Deno.test("a payment that went back before anybody heard of it has failed", async () => {
  const purchase = await pay();
  await control.refund(purchase.checkout.razorpay_payment_id, { deliver_webhooks: false });
  strictEqual((await returnFrom(purchase)).payment, "failed");
  await expectNotCredited(purchase);
});

Deno.test("of an order that is paid twice the page is told that it is paid, and it is credited once", async () => {
  const purchase = await buyCredits(control, newPhoneNumber(), PACKAGE);
  const second = await control.payOrder(orderOf(purchase), {
    outcome: "captured",
    force: true,
    deliver_webhooks: false,
  });
  const told = await returnFrom({ ...purchase, checkout: second });
  deepStrictEqual(told, { payment: "paid", order: orderOf(purchase) });
  await expectCredited(purchase);
  const flags = await backend.sql`
    select flag from public.payments where id = ${second.razorpay_payment_id}`;
  strictEqual(one(flags).flag, "second_payment");
});

Deno.test("a payment for somebody who was erased meanwhile has failed, and is flagged", async () => {
  const phone = newPhoneNumber();
  const body = { operator: "Asha", reason: "They asked", reference_id: phone };
  const headers = operatorHeaders();
  const user_id = await newUser(phone);
  const order = await orderPackage(phone, PACKAGE);
  dataOf(await call("POST", "erase-user", { body: { ...body, user_id }, headers }));
  const checkout = await control.payOrder(order, {
    outcome: "captured",
    deliver_webhooks: false,
  });
  const told = await comeBack({ ...checkout });
  deepStrictEqual(told, { payment: "failed", order });
  const flags = await backend.sql`
    select flag from public.payments where id = ${checkout.razorpay_payment_id}`;
  strictEqual(one(flags).flag, "user_erased");
});

Deno.test("a payment for one order does not pay another", async () => {
  const paid = await pay();
  const other = await orderPackage(paid.phone, "pro");
  const checkout = signedCheckout(other, paid.checkout.razorpay_payment_id);
  deepStrictEqual(await returnFrom({ ...paid, checkout }), { payment: "failed", order: other });
  await expectNotCredited(paid);
});

Deno.test("an order that is not ours has failed, and Razorpay is not asked", async () => {
  const checkout = signedCheckout(newOrderId(), newPaymentId());
  await control.clearRequests();
  deepStrictEqual(await comeBack({ ...checkout }), {
    payment: "failed",
    order: checkout.razorpay_order_id,
  });
  deepStrictEqual(await control.requests(), []);
});

Deno.test("a test order is not paid with a live key", async () => {
  const purchase = await pay();
  await withEnvironment({ RAZORPAY_KEY_ID: newLiveKeyId() }, async () => {
    strictEqual((await returnFrom(purchase)).payment, "failed");
  });
  await expectNotCredited(purchase);
});

Deno.test("a forged form is pending at most, grants nothing, and costs no call to anybody", async () => {
  const purchase = await pay();
  const { razorpay_order_id, razorpay_payment_id, razorpay_signature } = purchase.checkout;
  const secret = Deno.env.get("RAZORPAY_KEY_SECRET") ?? "";
  const message = `${razorpay_order_id}|${razorpay_payment_id}`;
  await control.clearRequests();
  await withLimit(backend.sql, "verify_payment", 0, async () => {
    for (
      const forged of [
        "nonsense",
        "0".repeat(64),
        razorpay_signature.toUpperCase(),
        `${razorpay_signature}0`,
        sign(message, newSecret()),
        signCheckout(razorpay_payment_id, razorpay_order_id, secret),
        sign(razorpay_payment_id, secret),
      ]
    ) {
      deepStrictEqual(await returnFrom(purchase, { razorpay_signature: forged }), {
        payment: "pending",
        order: razorpay_order_id,
      });
    }
  });
  // Not even the database is asked.
  await withEnvironment({ SUPABASE_URL: closedUrl() }, async () => {
    const [text = ""] = await logOf(() =>
      returnFrom(purchase, { razorpay_signature: "0".repeat(64) })
    );
    const { level, code } = logLine.parse(JSON.parse(text));
    deepStrictEqual({ level, code }, { level: "info", code: "INVALID_SIGNATURE" });
  });
  deepStrictEqual(await control.requests(), []);
  await expectNotCredited(purchase);
  strictEqual((await returnFrom(purchase)).payment, "paid");
});

Deno.test("a signed form that comes too often is pending, and Razorpay is not asked", async () => {
  const purchase = await pay();
  await control.clearRequests();
  await withLimit(backend.sql, "verify_payment", 0, async () => {
    deepStrictEqual(await returnFrom(purchase), { payment: "pending", order: orderOf(purchase) });
  });
  deepStrictEqual(await control.requests(), []);
  strictEqual((await returnFrom(purchase)).payment, "paid");
});

const FAILURE = {
  "error[code]": "BAD_REQUEST_ERROR",
  "error[description]": "Payment was unsuccessful as the customer closed the bank's page",
  "error[source]": "customer",
  "error[step]": "payment_authentication",
  "error[reason]": "payment_cancelled",
};

Deno.test("of a payment that failed the page is told the order, however Razorpay writes it", async () => {
  const order = newOrderId();
  const metadata = JSON.stringify({ payment_id: newPaymentId(), order_id: order });
  await control.clearRequests();
  for (
    const form of [
      { ...FAILURE, "error[metadata]": metadata },
      { ...FAILURE, "error[metadata]": metadata.replaceAll(":", " : ") },
      { ...FAILURE, "error[metadata][order_id]": order },
    ]
  ) {
    deepStrictEqual(await comeBack(form), { payment: "failed", order });
  }
  deepStrictEqual(await comeBack(FAILURE), { payment: "failed", order: undefined });
  deepStrictEqual(await control.requests(), []);
});

Deno.test("a failure that anybody can make up takes nothing from a payment that succeeded", async () => {
  const purchase = await pay();
  const form = { ...FAILURE, "error[metadata][order_id]": orderOf(purchase) };
  strictEqual((await comeBack(form)).payment, "failed");
  // Signed fields come first, whatever else stands in the form.
  deepStrictEqual(await returnFrom(purchase, form), {
    payment: "paid",
    order: orderOf(purchase),
  });
  strictEqual((await comeBack(form)).payment, "failed");
  await expectCredited(purchase);
});

Deno.test.each(["401", "500", "502_html", "200_cut_off"] as const)(
  "while Razorpay answers %s a payment is pending, and counts once it can be asked",
  async (kind) => {
    const purchase = await pay();
    await control.addFault({ kind, times: 1 });
    const [text = ""] = await logOf(async () => {
      deepStrictEqual(await returnFrom(purchase), {
        payment: "pending",
        order: orderOf(purchase),
      });
    });
    const line = logLine.parse(JSON.parse(text));
    deepStrictEqual([line.level, line.http_status, line.payment], ["error", 303, "pending"]);
    match(line.cause ?? "", /Razorpay/);
    await control.clearFaults();
    await expectNotCredited(purchase);
    strictEqual((await returnFrom(purchase)).payment, "paid");
    await expectCredited(purchase);
  },
);

Deno.test("while the database is away, or returns nonsense, a payment is pending", async () => {
  const purchase = await pay();
  const pending = { payment: "pending", order: orderOf(purchase) };
  const nonsense = fixedAnswerServer(500, "application/json", '{"code":"42P01","message":"x"}');
  try {
    for (
      const variables of [
        { SUPABASE_URL: closedUrl() },
        { SUPABASE_URL: nonsense.url },
        { SUPABASE_SECRET_KEYS: "{" },
        { RAZORPAY_KEY_SECRET: undefined },
        { RAZORPAY_API_URL: closedUrl() },
      ]
    ) {
      const [text = ""] = await logOf(() =>
        withEnvironment(variables, async () => {
          deepStrictEqual(await returnFrom(purchase), pending);
        })
      );
      const { level, cause } = logLine.parse(JSON.parse(text));
      strictEqual(level, "error");
      ok(cause);
    }
  } finally {
    await nonsense.stop();
  }
  strictEqual((await returnFrom(purchase)).payment, "paid");
});

Deno.test.each([
  "https://shop.example/account?lang=hi",
  "https://shop.example/account?next=%23payment%3Dpaid&lang=hi",
  "https://shop.example",
])("the page is that of FRONTEND_URL: %s", async (page) => {
  const purchase = await pay();
  await withEnvironment({ FRONTEND_URL: page }, async () => {
    const { checkout } = purchase;
    deepStrictEqual(await comeBack({ ...checkout }, { page: new URL(page).href }), {
      payment: "paid",
      order: orderOf(purchase),
    });
  });
});

Deno.test.each([
  "https://shop.example/account?lang=hi#elsewhere",
  "https://shop.example/account?lang=hi#",
])("a fragment of its own makes room: %s", async (address) => {
  await withEnvironment({ FRONTEND_URL: address }, async () => {
    const page = "https://shop.example/account?lang=hi";
    strictEqual((await comeBack({}, { page })).payment, "pending");
  });
});

Deno.test("without a usable FRONTEND_URL the payment is booked, and the setting is for the operator to fix", async () => {
  for (const address of [undefined, "", "nowhere", "localhost:3000"]) {
    await withEnvironment({ FRONTEND_URL: address }, async () => {
      const purchase = await pay();
      for (
        const request of [
          () =>
            send("POST", "payment-return", {
              body: `${new URLSearchParams({ ...purchase.checkout })}`,
            }),
          () => send("POST", "payment-return", { body: "x" }),
          () => send("GET", "payment-return"),
        ]
      ) {
        const [text = ""] = await logOf(async () => {
          const { httpStatus, body } = await readAnswer(await request());
          deepStrictEqual([httpStatus, body], [500, {
            status: "ERROR",
            message: "Something went wrong on our side",
            code: "INTERNAL",
          }]);
        });
        match(logLine.parse(JSON.parse(text)).cause ?? "", /FRONTEND_URL/);
      }
      await expectCredited(purchase);
    });
  }
});

const ORDER = newOrderId();
const FIELDS = { razorpay_order_id: ORDER, razorpay_payment_id: newPaymentId() };

Deno.test("an incomplete form is pending", async () => {
  deepStrictEqual(await comeBack(FIELDS), { payment: "pending", order: ORDER });
  for (const signature of ["", " "]) {
    const form = { ...FIELDS, razorpay_signature: signature };
    deepStrictEqual(await comeBack(form), { payment: "pending", order: ORDER });
  }
  deepStrictEqual(await comeBack({}), { payment: "pending", order: undefined });
});

const TWICE = `razorpay_order_id=${newOrderId()}&razorpay_order_id=${ORDER}`;

Deno.test.each([
  ["nothing", undefined],
  ["an empty body", ""],
  ["JSON", JSON.stringify({ ...FIELDS, razorpay_signature: "0".repeat(64) })],
  ["HTML", "<!doctype html><script>alert(1)</script>"],
  ["a field that comes twice", TWICE],
  ["a NUL", "razorpay_order_id=%00"],
  ["broken UTF-8", Uint8Array.of(0xff, 0xfe, 0x3d, 0x80)],
  ["percent signs", "%%%=%&=&&&%zz"],
  ["names that every object has", "__proto__=1&constructor=2&toString=3"],
  ["a body of 17,000 bytes", `razorpay_order_id=${ORDER}&x=${"y".repeat(17_000)}`],
  [
    "a body without an end",
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1024)),
    }),
  ],
])("the page is told of %s that a payment may be under way, and no more", async (_, body) => {
  deepStrictEqual(await comeBack(body), { payment: "pending", order: undefined });
});

Deno.test("a body of 16 KiB is read", async () => {
  const purchase = await pay();
  const form = String(new URLSearchParams({ ...purchase.checkout, notes: "" }));
  const body = form.padEnd(16 * 1024, "x");
  strictEqual((await comeBack(body)).payment, "paid");
  const tooLong = await pay();
  const longForm = String(new URLSearchParams({ ...tooLong.checkout, notes: "" }));
  strictEqual((await comeBack(longForm.padEnd(16 * 1024 + 1, "x"))).payment, "pending");
  await expectNotCredited(tooLong);
});

Deno.test.each([
  "https://attacker.example/",
  "//attacker.example",
  "order_1234567890123",
  "order_123456789012345",
  "order_12345678901234\r\nset-cookie: a=b",
  "order_12345678901234#payment=paid",
  "order_12345678901234&payment=paid",
  "ORDER_12345678901234",
  "<script>alert(1)</script>",
])("what is no order's id does not reach the page: %s", async (id) => {
  const quoted = JSON.stringify({ order_id: id });
  for (
    const form of [
      { razorpay_order_id: id, razorpay_payment_id: id, razorpay_signature: id },
      { ...FAILURE, "error[metadata]": quoted },
      { ...FAILURE, "error[metadata][order_id]": id },
      { url: id, callback_url: id, redirect: id, FRONTEND_URL: id, payment: id, order: id },
    ]
  ) {
    const { payment, order } = await comeBack(form, {
      headers: {
        "x-forwarded-host": "attacker.example",
        referer: "https://attacker.example/",
        origin: "https://attacker.example",
      },
    });
    ok(payment === "pending" || payment === "failed");
    strictEqual(order, undefined);
  }
});

Deno.test("any form at all leads to the page, and pays nothing", async () => {
  const names = [
    ...Object.keys(FIELDS),
    "razorpay_signature",
    ...Object.keys(FAILURE),
    "error[metadata]",
    "error[metadata][order_id]",
  ];
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.string(), fc.constantFrom(ORDER));
  const form = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
    fc.array(fc.tuple(fc.oneof(fc.constantFrom(...names), text), text), { maxLength: 8 })
      .map((fields) => String(new URLSearchParams(fields))),
  );
  await fc.assert(
    fc.asyncProperty(form, async (body) => {
      const { payment, order } = await comeBack(body);
      ok(payment === "pending" || payment === "failed");
      ok(order === undefined || order === ORDER);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test.each(["GET", "HEAD"])(
  "a customer who reloads is led to the page by %s, without a word of a payment",
  async (method) => {
    const query = new URLSearchParams({ ...FIELDS, payment: "paid" });
    for (const path of ["payment-return", "payment-return/", `payment-return?${query}`]) {
      deepStrictEqual(await readReturn(await send(method, path)), {
        payment: undefined,
        order: undefined,
      });
    }
    // A browser keeps the fragment that it has if the address has none at all.
    const { headers } = await send(method, "payment-return");
    match(headers.get("location") ?? "", /#$/);
  },
);

Deno.test("other methods are refused, and the preflight allows no page", async () => {
  for (const method of ["PUT", "PATCH", "DELETE"]) {
    const { httpStatus, headers, body } = await readAnswer(await send(method, "payment-return"));
    deepStrictEqual([httpStatus, body.code], [405, "METHOD_NOT_ALLOWED"]);
    strictEqual(headers.get("allow"), "POST, OPTIONS");
  }
  const preflight = await send("OPTIONS", "payment-return", {
    headers: { origin: "https://shop.example" },
  });
  strictEqual(preflight.status, 204);
  strictEqual(preflight.headers.get("access-control-allow-origin"), null);
});

Deno.test("the log has one line of each return, with what the page was told and whose order it was", async () => {
  const purchase = await pay();
  const lines = await logOf(() => returnFrom(purchase));
  const line = logLine.parse(JSON.parse(one(lines)));
  const { id } = one(
    await backend.sql`select id from public.users where phone_number = ${purchase.phone}`,
  );
  deepStrictEqual(
    [line.function, line.level, line.http_status, line.status, line.payment],
    ["payment-return", "info", 303, "SUCCESS", "paid"],
  );
  strictEqual(line.user_id, undefined);
  const again = logLine.parse(JSON.parse(one(await logOf(() => returnFrom(purchase)))));
  strictEqual(again.user_id, id);
  ok(!lines.join().includes(orderOf(purchase)));
});
