/**
 * POST verify-payment: a page turns a payment into credits.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { startBackend } from "../support/backend.ts";
import { type Answer, call, dataOf, expectError } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { closedUrl } from "../support/faulty-servers.ts";
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
import { newSecret, sign, signCheckout } from "../support/signing.ts";
import { newLiveKeyId, newOrderId, newPaymentId } from "../support/razorpay-ids.ts";

const backend = await startBackend();
const { control } = backend.razorpay;
Deno.test.afterAll(() => backend.stop());
Deno.test.afterEach(() => control.clearFaults());

const PACKAGE = "starter";
const CREDITS = 20;

function pay(payment?: PaymentOptions): Promise<Purchase> {
  return payForPackage(control, newPhoneNumber(), PACKAGE, payment);
}

async function balanceOf(phone: string): Promise<unknown> {
  return dataOf(await call("GET", `users/${phone}`)).credits;
}

/** Credits were granted, exactly once. */
async function expectCredited({ phone }: Purchase): Promise<void> {
  strictEqual(await balanceOf(phone), 3 + CREDITS);
}

async function expectNotCredited({ phone }: Purchase): Promise<void> {
  strictEqual(await balanceOf(phone), 3);
}

function expectPending({ httpStatus, body }: Answer): void {
  strictEqual(`${httpStatus} ${body.status}`, "202 PENDING");
  strictEqual(body.data, undefined);
}

Deno.test("a captured payment becomes the package's credits", async () => {
  const purchase = await pay();
  const answer = await verify(purchase);
  strictEqual(answer.httpStatus, 200);
  deepStrictEqual(answer.body, {
    status: "SUCCESS",
    message: "Payment verified and credits added successfully",
    data: {
      payment_id: purchase.checkout.razorpay_payment_id,
      order_id: purchase.checkout.razorpay_order_id,
      credits_added: CREDITS,
      remaining_credits: 3 + CREDITS,
    },
  });
  await expectCredited(purchase);
});

Deno.test("a payment that is verified again gets the first answer, whatever was spent since", async () => {
  const purchase = await pay();
  const first = await verify(purchase);
  await call("POST", "bot-deduct", { body: { phone_number: purchase.phone, credits: 5 } });
  const again = await verify(purchase);
  strictEqual(again.httpStatus, 200);
  deepStrictEqual(again.body, first.body);
  strictEqual(await balanceOf(purchase.phone), 3 + CREDITS - 5);
});

Deno.test("a verified payment is confirmed again even while Razorpay is away", async () => {
  const purchase = await buyCredits(control, newPhoneNumber(), PACKAGE);
  await control.addFault({ kind: "500", times: 5 });
  strictEqual(dataOf(await verify(purchase)).credits_added, CREDITS);
});

Deno.test("the buyer may be named in any spelling of the number", async () => {
  const purchase = await pay();
  dataOf(await verify(purchase, { phone_number: `0${purchase.phone.slice(3)}` }));
  await expectCredited(purchase);
});

Deno.test("an order grants what it promised, whatever its package became since", async () => {
  const packageId = `p-${randomUUID()}`;
  await backend.sql`
    insert into public.packages (id, name, price, credits) values (${packageId}, 'Test', 50, 10)`;
  const purchase = await payForPackage(control, newPhoneNumber(), packageId);
  await backend.sql`
    update public.packages set credits = 1, price = 5000, is_active = false where id = ${packageId}`;
  const { credits_added, remaining_credits } = dataOf(await verify(purchase));
  deepStrictEqual({ credits_added, remaining_credits }, {
    credits_added: 10,
    remaining_credits: 13,
  });
});

Deno.test("what the page says of credits and amount changes nothing", async () => {
  const purchase = await pay();
  const data = dataOf(await verify(purchase, { credits: 1_000, amount: 1, credits_added: 1_000 }));
  strictEqual(data.credits_added, CREDITS);
  await expectCredited(purchase);
});

Deno.test("a signature that is not Razorpay's is refused, and Razorpay is not asked", async () => {
  const purchase = await pay();
  const { razorpay_order_id, razorpay_payment_id, razorpay_signature } = purchase.checkout;
  const secret = Deno.env.get("RAZORPAY_KEY_SECRET") ?? "";
  const message = `${razorpay_order_id}|${razorpay_payment_id}`;
  await control.clearRequests();
  for (
    const forged of [
      "nonsense",
      "0".repeat(64),
      razorpay_signature.toUpperCase(),
      razorpay_signature.slice(1),
      `${razorpay_signature}0`,
      sign(message, newSecret()),
      signCheckout(razorpay_payment_id, razorpay_order_id, secret),
      sign(razorpay_payment_id, secret),
      sign(`${message}|`, secret),
    ]
  ) {
    expectError(await verify(purchase, { razorpay_signature: forged }), {
      httpStatus: 400,
      code: "INVALID_SIGNATURE",
      message: "Invalid payment signature",
    });
  }
  deepStrictEqual(await control.requests(), []);
  await expectNotCredited(purchase);
  dataOf(await verify(purchase));
});

Deno.test("the signature is checked before the order is looked up", async () => {
  const purchase = await pay();
  expectError(await verify(purchase, { razorpay_order_id: newOrderId() }), {
    httpStatus: 400,
    code: "INVALID_SIGNATURE",
  });
});

Deno.test("an order that is not ours is not found", async () => {
  const checkout = signedCheckout(newOrderId(), newPaymentId());
  expectError(await verify({ phone: newPhoneNumber(), packageId: PACKAGE, checkout }), {
    httpStatus: 404,
    code: "ORDER_NOT_FOUND",
    message: "Order not found",
  });
});

Deno.test("somebody else's payment is refused to whoever reports it, and kept for its buyer", async () => {
  const purchase = await pay();
  const stranger = newPhoneNumber();
  await call("GET", `users/${stranger}`);
  expectError(await verify(purchase, { phone_number: stranger }), {
    httpStatus: 400,
    code: "ORDER_MISMATCH",
  });
  strictEqual(await balanceOf(stranger), 3);
  await expectNotCredited(purchase);
  dataOf(await verify(purchase));
  expectError(await verify(purchase, { phone_number: stranger }), {
    httpStatus: 400,
    code: "ORDER_MISMATCH",
  });
  await expectCredited(purchase);
});

Deno.test("a payment for one package does not buy another", async () => {
  const purchase = await pay();
  for (const package_id of ["pro", "no-such-package"]) {
    expectError(await verify(purchase, { package_id }), {
      httpStatus: 400,
      code: "ORDER_MISMATCH",
    });
  }
  await expectNotCredited(purchase);
  dataOf(await verify(purchase));
});

Deno.test("a payment for one order does not pay another", async () => {
  const paid = await pay();
  const orderId = await orderPackage(paid.phone, "pro");
  const checkout = signedCheckout(orderId, paid.checkout.razorpay_payment_id);
  expectError(await verify({ ...paid, packageId: "pro", checkout }), {
    httpStatus: 400,
    code: "ORDER_MISMATCH",
  });
  await expectNotCredited(paid);
});

Deno.test("a payment without an order pays none", async () => {
  const phone = newPhoneNumber();
  const orderId = await orderPackage(phone, PACKAGE);
  const payment = await control.payWithoutOrder({
    outcome: "captured",
    amount: 9_900,
    deliver_webhooks: false,
  });
  const purchase = { phone, packageId: PACKAGE, checkout: signedCheckout(orderId, payment.id) };
  expectError(await verify(purchase), { httpStatus: 400, code: "ORDER_MISMATCH" });
  await expectNotCredited(purchase);
});

Deno.test.each([
  ["too little money", { amount: 100 }],
  ["a paisa too little", { amount: 9_899 }],
  ["too much money", { amount: 9_901 }],
  ["another currency", { currency: "USD" }],
])("a payment of %s buys nothing", async (_, payment) => {
  const purchase = await pay({ outcome: "captured", ...payment });
  expectError(await verify(purchase), { httpStatus: 400, code: "ORDER_MISMATCH" });
  await expectNotCredited(purchase);
});

Deno.test("a second payment on a paid order buys nothing", async () => {
  const purchase = await buyCredits(control, newPhoneNumber(), PACKAGE);
  const second = await control.payOrder(purchase.checkout.razorpay_order_id, {
    outcome: "captured",
    force: true,
    deliver_webhooks: false,
  });
  expectError(await verify({ ...purchase, checkout: second }), {
    httpStatus: 400,
    code: "ORDER_MISMATCH",
  });
  await expectCredited(purchase);
});

Deno.test("a payment that went back before it was verified buys nothing", async () => {
  const purchase = await pay();
  await control.refund(purchase.checkout.razorpay_payment_id, { deliver_webhooks: false });
  strictEqual((await verify(purchase)).body.status, "ERROR");
  await expectNotCredited(purchase);
});

Deno.test("an authorized payment is pending, and counts once it is captured", async () => {
  const purchase = await pay({ outcome: "authorized" });
  expectPending(await verify(purchase));
  expectPending(await verify(purchase));
  await expectNotCredited(purchase);
  await control.capture(purchase.checkout.razorpay_payment_id, { deliver_webhooks: false });
  dataOf(await verify(purchase));
  await expectCredited(purchase);
});

Deno.test("a failed payment is pending, for its bank may still approve it", async () => {
  const purchase = await pay({ outcome: "failed" });
  expectPending(await verify(purchase));
  await expectNotCredited(purchase);
  await control.payOrder(purchase.checkout.razorpay_order_id, {
    outcome: "captured",
    payment_id: purchase.checkout.razorpay_payment_id,
    deliver_webhooks: false,
  });
  dataOf(await verify(purchase));
  await expectCredited(purchase);
});

Deno.test("a payment that Razorpay does not know credits nobody", async () => {
  const phone = newPhoneNumber();
  const checkout = signedCheckout(await orderPackage(phone, PACKAGE), newPaymentId());
  const answer = await verify({ phone, packageId: PACKAGE, checkout });
  strictEqual(answer.body.status === "SUCCESS", false);
  strictEqual(await balanceOf(phone), 3);
});

Deno.test("a test order is not paid with a live key, nor a live order with a test key", async () => {
  const purchase = await pay();
  const asLive = { RAZORPAY_KEY_ID: newLiveKeyId() };
  await withEnvironment(asLive, async () => {
    expectError(await verify(purchase), { httpStatus: 400, code: "ORDER_MISMATCH" });
  });
  await expectNotCredited(purchase);

  const { razorpay_order_id } = purchase.checkout;
  await backend.sql`
    update public.payment_orders set key_mode = 'live'
    where razorpay_order_id = ${razorpay_order_id}`;
  expectError(await verify(purchase), { httpStatus: 400, code: "ORDER_MISMATCH" });
  await expectNotCredited(purchase);
});

Deno.test.each(
  [
    "401",
    "429",
    "500",
    "502_html",
    "504_empty",
    "200_html",
    "200_cut_off",
    "200_broken_off",
    "drop",
  ] as const,
)(
  "while Razorpay answers %s a payment is pending, and counts once it can be asked",
  async (kind) => {
    const purchase = await pay();
    // The HTTP client may repeat a request when its connection breaks.
    await control.addFault({ kind, times: kind === "drop" || kind === "200_broken_off" ? 5 : 1 });
    expectPending(await verify(purchase));
    await control.clearFaults();
    await expectNotCredited(purchase);
    dataOf(await verify(purchase));
    await expectCredited(purchase);
  },
);

Deno.test("while nothing listens at Razorpay's address a payment is pending", async () => {
  const purchase = await pay();
  await withEnvironment({ RAZORPAY_API_URL: closedUrl() }, async () => {
    expectPending(await verify(purchase));
  });
  dataOf(await verify(purchase));
});

const FIELDS = [
  "razorpay_order_id",
  "razorpay_payment_id",
  "razorpay_signature",
  "phone_number",
  "package_id",
] as const;

const COMPLETE: Purchase = {
  phone: "+919876543210",
  packageId: PACKAGE,
  checkout: {
    razorpay_order_id: newOrderId(),
    razorpay_payment_id: newPaymentId(),
    razorpay_signature: randomBytes(32).toString("hex"),
  },
};

Deno.test.each(FIELDS)("verify-payment cannot do without %s", async (field) => {
  for (const absent of [undefined, null, ""]) {
    expectError(await verify(COMPLETE, { [field]: absent }), {
      httpStatus: 400,
      code: "MISSING_FIELD",
      message: "All payment verification fields are required",
    });
  }
});

Deno.test.each(
  [
    ["razorpay_order_id", 1],
    ["razorpay_order_id", "order_"],
    ["razorpay_order_id", "order_1234567890123"],
    ["razorpay_order_id", "order_123456789012345"],
    ["razorpay_order_id", "pay_12345678901234"],
    ["razorpay_order_id", "order_12345678901|34"],
    ["razorpay_order_id", ["order_12345678901234"]],
    ["razorpay_payment_id", 1],
    ["razorpay_payment_id", "order_12345678901234"],
    ["razorpay_payment_id", "pay_1234567890123\n"],
    ["razorpay_payment_id", "pay_../../../orders"],
    ["razorpay_signature", 1],
    ["razorpay_signature", ["0".repeat(64)]],
    ["phone_number", "12345"],
    ["phone_number", 919876543210],
    ["package_id", "Starter!"],
    ["package_id", {}],
  ] as const,
)("verify-payment refuses %s: %j, and names the field", async (field, value) => {
  expectError(await verify(COMPLETE, { [field]: value }), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: new RegExp(`^${field} `),
  });
});
