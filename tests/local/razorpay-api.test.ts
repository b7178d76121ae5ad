/**
 * The stand-in's API refuses what Razorpay refuses, and moves orders, payments, refunds and payment
 * links as Razorpay does.
 * @module
 */

import assert from "node:assert/strict";
import { type RazorpayFixture, withRazorpay } from "../support/razorpay-fixture.ts";
import { basicAuthorization } from "../support/razorpay-auth.ts";

const ORDER = { amount: 50_000, currency: "INR" };

async function newOrder(razorpay: RazorpayFixture, fields: object = {}): Promise<string> {
  const { status, body } = await razorpay.call("POST", "/v1/orders", { ...ORDER, ...fields });
  assert.equal(status, 200, JSON.stringify(body));
  return body.id;
}

async function newPayment(
  razorpay: RazorpayFixture,
  outcome: "captured" | "authorized" | "failed" = "captured",
): Promise<{ orderId: string; paymentId: string }> {
  const orderId = await newOrder(razorpay);
  const { razorpay_payment_id } = await razorpay.control.payOrder(orderId, { outcome });
  return { orderId, paymentId: razorpay_payment_id };
}

async function assertRefused(
  razorpay: RazorpayFixture,
  [method, path, body]: [string, string, unknown?],
  description: string | RegExp,
): Promise<void> {
  const answer = await razorpay.call(method, path, body);
  assert.equal(answer.status, 400, JSON.stringify(answer.body));
  assert.equal(answer.body.error.code, "BAD_REQUEST_ERROR");
  if (typeof description === "string") assert.equal(answer.body.error.description, description);
  else assert.match(answer.body.error.description, description);
}

Deno.test("a new order has no attempts, an empty array of notes and the whole amount due", () =>
  withRazorpay(async (razorpay) => {
    const { status, body } = await razorpay.call("POST", "/v1/orders", ORDER);
    assert.equal(status, 200);
    assert.match(body.id, /^order_[A-Za-z0-9]{14}$/);
    assert.ok(Number.isInteger(body.created_at));
    assert.deepEqual(body, {
      id: body.id,
      entity: "order",
      amount: 50_000,
      amount_paid: 0,
      amount_due: 50_000,
      currency: "INR",
      receipt: null,
      offer_id: null,
      status: "created",
      attempts: 0,
      notes: [],
      created_at: body.created_at,
    });
  }));

const refusedOrders: [name: string, fields: object, description: string][] = [
  ["an amount below one rupee", { amount: 99 }, "Order amount less than minimum amount allowed"],
  ["a fraction of a paisa", { amount: 100.5 }, "The amount must be an integer."],
  ["an amount as text", { amount: "100" }, "The amount must be an integer."],
  ["no amount", { amount: undefined }, "amount: is required."],
  ["a huge amount", { amount: 50_000_001 }, "Amount exceeds maximum amount allowed."],
  ["no currency", { currency: undefined }, "currency: is required."],
  ["a number for a currency", { currency: 356 }, "expected string but provided 356"],
  ["a word for a currency", { currency: "rupees" }, "Currency is not supported"],
  [
    "a receipt of 41 characters",
    { receipt: "r".repeat(41) },
    "receipt: the length must be no more than 40.",
  ],
  [
    "an unknown field",
    { user_id: "u1" },
    "user_id is/are not required and should not be sent",
  ],
  [
    "unique_receipt, which default accounts do not know",
    { unique_receipt: true },
    "unique_receipt is/are not required and should not be sent",
  ],
  [
    "16 notes",
    { notes: Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`n${index}`, "x"])) },
    "Number of fields in notes should be less than or equal to 15.",
  ],
  [
    "a note of 257 characters",
    { notes: { long: "x".repeat(257) } },
    "Notes value cannot be greater than 256 characters.",
  ],
  ["text for notes", { notes: "x" }, "The notes must be an object."],
  [
    "an automatic capture after less than 12 minutes",
    { payment: { capture: "automatic", capture_options: { automatic_expiry_period: 11 } } },
    "The automatic_expiry_period must be at least 12.",
  ],
];

for (const [name, fields, description] of refusedOrders) {
  Deno.test(`an order with ${name} is refused`, () =>
    withRazorpay(async (razorpay) => {
      await assertRefused(razorpay, ["POST", "/v1/orders", { ...ORDER, ...fields }], description);
      assert.equal((await razorpay.call("GET", "/v1/orders")).body.count, 0);
    }));
}

Deno.test("the limits of receipt and notes themselves are allowed", () =>
  withRazorpay(async (razorpay) => {
    const notes = Object.fromEntries(
      Array.from({ length: 15 }, (_, index) => [`n${index}`, "x".repeat(256)]),
    );
    const { status, body } = await razorpay.call("POST", "/v1/orders", {
      amount: 100,
      currency: "INR",
      receipt: "r".repeat(40),
      notes,
    });
    assert.equal(status, 200);
    assert.deepEqual(body.notes, notes);
  }));

Deno.test("wrong, missing and oddly spelled credentials are 401", () =>
  withRazorpay(async (razorpay) => {
    const right = btoa(`${razorpay.keyId}:${razorpay.keySecret}`);
    const wrong = btoa(`${razorpay.keyId}:wrong`);
    for (const authorization of [`basic ${right}`, `Basic ${wrong}`, `Bearer ${right}`, ""]) {
      const answer = await razorpay.call("GET", "/v1/orders", undefined, { authorization });
      assert.equal(answer.status, 401, authorization.slice(0, 6));
      assert.deepEqual(answer.body, {
        error: { code: "BAD_REQUEST_ERROR", description: "Authentication failed" },
      });
    }
  }));

Deno.test("ids of the wrong form, unknown ids and unknown routes are 400", () =>
  withRazorpay(async (razorpay) => {
    await assertRefused(razorpay, ["GET", "/v1/orders/order_1"], "order_1 is not a valid id");
    await assertRefused(
      razorpay,
      ["GET", "/v1/orders/order_AAAAAAAAAAAAAA"],
      "The id provided does not exist",
    );
    await assertRefused(
      razorpay,
      ["GET", "/v1/payments/pay_AAAAAAAAAAAAAA"],
      "The id provided does not exist",
    );
    const { status, body } = await razorpay.call("DELETE", "/v1/orders");
    assert.equal(status, 400);
    assert.deepEqual(body.error, {
      code: "BAD_REQUEST_ERROR",
      description: "The requested URL was not found on the server.",
      source: "NA",
      step: "NA",
      reason: "NA",
      metadata: {},
    });
  }));

Deno.test("a body that is not a JSON object is 400", () =>
  withRazorpay(async (razorpay) => {
    for (const body of ["{", "[]", "null", "1"]) {
      const response = await fetch(`${razorpay.url}/v1/orders`, {
        method: "POST",
        headers: { authorization: basicAuthorization(razorpay.keyId, razorpay.keySecret) },
        body,
      });
      assert.equal(response.status, 400, body);
      await response.json();
    }
  }));

Deno.test("receipts may repeat, unless the account enforces them or the request asks", () =>
  withRazorpay(async (razorpay) => {
    const first = await newOrder(razorpay, { receipt: "r1" });
    const second = await newOrder(razorpay, { receipt: "r1" });
    assert.notEqual(second, first);

    await razorpay.control.changeSettings({ order_receipts: "unique" });
    const refused = await razorpay.call("POST", "/v1/orders", { ...ORDER, receipt: "r1" });
    assert.equal(refused.status, 400);
    assert.equal(refused.body.error.description, "Order receipt should be unique.");
    assert.deepEqual(refused.body.error.metadata, { order_id: first });

    await razorpay.control.changeSettings({ order_receipts: "unique_when_asked" });
    assert.equal(await newOrder(razorpay, { receipt: "r1", unique_receipt: true }), first);
    assert.notEqual(await newOrder(razorpay, { receipt: "r1" }), first);
  }));

Deno.test("lists page, filter by receipt, and may lag behind reads by id", () =>
  withRazorpay(async (razorpay) => {
    const ids = [];
    for (const receipt of ["a", "b", "c"]) ids.push(await newOrder(razorpay, { receipt }));
    const listed = async (query: string) => {
      const { body } = await razorpay.call("GET", `/v1/orders?${query}`);
      assert.equal(body.entity, "collection");
      assert.equal(body.count, body.items.length);
      return body.items.map(({ id }: { id: string }) => id);
    };
    assert.deepEqual(await listed(""), [...ids].reverse());
    assert.deepEqual(await listed("count=1&skip=1"), [ids[1]]);
    assert.deepEqual(await listed("receipt=a"), [ids[0]]);
    assert.deepEqual(await listed(`from=${Math.floor(Date.now() / 1000) + 60}`), []);
    await assertRefused(razorpay, ["GET", "/v1/orders?count=101"], /count/);

    await razorpay.control.changeSettings({ list_lag_ms: 60_000 });
    assert.deepEqual(await listed("receipt=a"), []);
    assert.equal((await razorpay.call("GET", `/v1/orders/${ids[0]}`)).status, 200);
  }));

Deno.test("an order is created, attempted and paid, and counts every attempt", () =>
  withRazorpay(async (razorpay) => {
    const orderId = await newOrder(razorpay);
    const order = async () => (await razorpay.call("GET", `/v1/orders/${orderId}`)).body;
    await razorpay.control.payOrder(orderId, { outcome: "failed" });
    assert.deepEqual(pick(await order(), "status", "attempts", "amount_due"), {
      status: "attempted",
      attempts: 1,
      amount_due: 50_000,
    });
    await razorpay.control.payOrder(orderId, { outcome: "captured" });
    assert.deepEqual(pick(await order(), "status", "attempts", "amount_paid", "amount_due"), {
      status: "paid",
      attempts: 2,
      amount_paid: 50_000,
      amount_due: 0,
    });
    const { body } = await razorpay.call("GET", `/v1/orders/${orderId}/payments`);
    assert.deepEqual(body.items.map(({ status }: { status: string }) => status), [
      "captured",
      "failed",
    ]);
  }));

Deno.test("fee and tax are null until the capture", () =>
  withRazorpay(async (razorpay) => {
    const { paymentId } = await newPayment(razorpay, "authorized");
    const authorized = (await razorpay.call("GET", `/v1/payments/${paymentId}`)).body;
    assert.deepEqual(pick(authorized, "status", "captured", "fee", "tax", "notes"), {
      status: "authorized",
      captured: false,
      fee: null,
      tax: null,
      notes: [],
    });
    const { status, body } = await razorpay.call("POST", `/v1/payments/${paymentId}/capture`, {
      amount: 50_000,
      currency: "INR",
    });
    assert.equal(status, 200);
    assert.deepEqual(pick(body, "status", "captured", "fee", "tax"), {
      status: "captured",
      captured: true,
      fee: 1_180,
      tax: 180,
    });
  }));

Deno.test("a capture of another amount, currency or state is refused", () =>
  withRazorpay(async (razorpay) => {
    const { paymentId } = await newPayment(razorpay, "authorized");
    const capture = (body: unknown): [string, string, unknown] => [
      "POST",
      `/v1/payments/${paymentId}/capture`,
      body,
    ];
    await assertRefused(razorpay, capture({}), "amount: is required.");
    await assertRefused(razorpay, capture({ amount: 500.5 }), "The amount must be an integer.");
    await assertRefused(
      razorpay,
      capture({ amount: 49_900, currency: "INR" }),
      "Capture amount must be equal to the amount authorized",
    );
    await assertRefused(razorpay, capture({ amount: 50_000, currency: "USD" }), /currency/);
    await razorpay.control.capture(paymentId);
    await assertRefused(
      razorpay,
      capture({ amount: 50_000, currency: "INR" }),
      "This payment has already been captured",
    );
    const failed = await newPayment(razorpay, "failed");
    await assertRefused(
      razorpay,
      ["POST", `/v1/payments/${failed.paymentId}/capture`, { amount: 50_000, currency: "INR" }],
      /authorized/,
    );
  }));

Deno.test("a failed payment tells why, and can still be captured under the same id", () =>
  withRazorpay(async (razorpay) => {
    const orderId = await newOrder(razorpay);
    const failed = await razorpay.control.payOrder(orderId, { outcome: "failed" });
    assert.equal("razorpay_signature" in failed, false);
    assert.deepEqual(failed.error.metadata, {
      order_id: orderId,
      payment_id: failed.razorpay_payment_id,
    });
    const path = `/v1/payments/${failed.razorpay_payment_id}`;
    assert.equal((await razorpay.call("GET", path)).body.error_reason, "payment_failed");

    const paid = await razorpay.control.payOrder(orderId, {
      outcome: "captured",
      payment_id: failed.razorpay_payment_id,
    });
    assert.equal(paid.razorpay_payment_id, failed.razorpay_payment_id);
    const { body } = await razorpay.call("GET", path);
    assert.deepEqual(pick(body, "status", "error_code"), { status: "captured", error_code: null });
    const order = (await razorpay.call("GET", `/v1/orders/${orderId}`)).body;
    assert.deepEqual(pick(order, "status", "attempts"), { status: "paid", attempts: 1 });
  }));

Deno.test("a paid order, and one with an authorized payment, take no other payment", () =>
  withRazorpay(async (razorpay) => {
    const { orderId, paymentId } = await newPayment(razorpay, "authorized");
    await assert.rejects(razorpay.control.payOrder(orderId, { outcome: "captured" }), /authorized/);
    await razorpay.control.capture(paymentId);
    for (const outcome of ["captured", "authorized", "failed"] as const) {
      await assert.rejects(razorpay.control.payOrder(orderId, { outcome }), /already paid/);
    }
    const order = (await razorpay.call("GET", `/v1/orders/${orderId}`)).body;
    assert.equal(order.attempts, 1);
  }));

Deno.test("a late authorized payment pays an open order and is refunded on a paid one", () =>
  withRazorpay(async (razorpay) => {
    const orderId = await newOrder(razorpay);
    const { razorpay_payment_id: late } = await razorpay.control.payOrder(orderId, {
      outcome: "failed",
    });
    await razorpay.control.payOrder(orderId, { outcome: "captured" });
    await razorpay.control.payOrder(orderId, { outcome: "late_authorized", payment_id: late });
    const second = (await razorpay.call("GET", `/v1/payments/${late}`)).body;
    assert.deepEqual(pick(second, "status", "captured", "amount_refunded", "refund_status"), {
      status: "refunded",
      captured: false,
      amount_refunded: 50_000,
      refund_status: "full",
    });

    const other = await newPayment(razorpay, "failed");
    await razorpay.control.payOrder(other.orderId, {
      outcome: "late_authorized",
      payment_id: other.paymentId,
    });
    const order = (await razorpay.call("GET", `/v1/orders/${other.orderId}`)).body;
    assert.equal(order.status, "paid");
  }));

Deno.test("a forced second payment is captured and leaves the paid order as it was", () =>
  withRazorpay(async (razorpay) => {
    const { orderId, paymentId } = await newPayment(razorpay);
    const second = await razorpay.control.payOrder(orderId, { outcome: "captured", force: true });
    assert.notEqual(second.razorpay_payment_id, paymentId);
    const path = `/v1/payments/${second.razorpay_payment_id}`;
    assert.deepEqual(pick((await razorpay.call("GET", path)).body, "status", "amount"), {
      status: "captured",
      amount: 50_000,
    });
    const order = (await razorpay.call("GET", `/v1/orders/${orderId}`)).body;
    assert.deepEqual(pick(order, "status", "amount_paid"), { status: "paid", amount_paid: 50_000 });
  }));

Deno.test("a payment of a smaller amount or another currency does not pay the order", () =>
  withRazorpay(async (razorpay) => {
    const cheap = await newOrder(razorpay);
    await razorpay.control.payOrder(cheap, { outcome: "captured", amount: 100 });
    const foreign = await newOrder(razorpay);
    const paid = await razorpay.control.payOrder(foreign, {
      outcome: "captured",
      currency: "USD",
    });
    for (const [orderId, amountPaid] of [[cheap, 100], [foreign, 0]] as const) {
      const order = (await razorpay.call("GET", `/v1/orders/${orderId}`)).body;
      assert.deepEqual(pick(order, "status", "amount_paid"), {
        status: "attempted",
        amount_paid: amountPaid,
      });
    }
    const { body } = await razorpay.call("GET", `/v1/payments/${paid.razorpay_payment_id}`);
    assert.deepEqual(pick(body, "currency", "status", "international"), {
      currency: "USD",
      status: "captured",
      international: true,
    });
  }));

Deno.test("several payments pay an order that takes partial payments", () =>
  withRazorpay(async (razorpay) => {
    const orderId = await newOrder(razorpay, { partial_payment: true });
    await razorpay.control.payOrder(orderId, { outcome: "captured", amount: 20_000 });
    await razorpay.control.payOrder(orderId, { outcome: "captured" });
    const { body } = await razorpay.call("GET", `/v1/orders/${orderId}/payments`);
    assert.deepEqual(body.items.map(({ amount }: { amount: number }) => amount), [30_000, 20_000]);
    assert.equal((await razorpay.call("GET", `/v1/orders/${orderId}`)).body.status, "paid");
  }));

Deno.test("refunds add up, and leave the order paid", () =>
  withRazorpay(async (razorpay) => {
    const { orderId, paymentId } = await newPayment(razorpay);
    const refund = (body: unknown): [string, string, unknown] => [
      "POST",
      `/v1/payments/${paymentId}/refund`,
      body,
    ];
    const { status, body } = await razorpay.call(...refund({ amount: 20_000 }));
    assert.equal(status, 200);
    assert.deepEqual(body, {
      id: body.id,
      entity: "refund",
      amount: 20_000,
      currency: "INR",
      payment_id: paymentId,
      notes: [],
      receipt: null,
      acquirer_data: { arn: null },
      created_at: body.created_at,
      batch_id: null,
      status: "processed",
      speed_processed: "normal",
      speed_requested: "normal",
    });
    const payment = async () => (await razorpay.call("GET", `/v1/payments/${paymentId}`)).body;
    assert.deepEqual(pick(await payment(), "status", "refund_status", "amount_refunded"), {
      status: "captured",
      refund_status: "partial",
      amount_refunded: 20_000,
    });
    await assertRefused(
      razorpay,
      refund({ amount: 30_001 }),
      "The refund amount provided is greater than amount captured",
    );
    await assertRefused(razorpay, refund({ amount: 99 }), "The amount must be at least INR 1.00");
    await assertRefused(razorpay, refund({ sum: 100 }), /^sum is\/are not required/);
    assert.equal((await razorpay.call(...refund({}))).body.amount, 30_000);
    assert.deepEqual(pick(await payment(), "status", "refund_status", "captured"), {
      status: "refunded",
      refund_status: "full",
      captured: true,
    });
    await assertRefused(razorpay, refund({}), "The payment has been fully refunded already");
    assert.equal((await razorpay.call("GET", `/v1/orders/${orderId}`)).body.status, "paid");
  }));

Deno.test("payments that are not captured cannot be refunded", () =>
  withRazorpay(async (razorpay) => {
    for (const outcome of ["authorized", "failed"] as const) {
      const { paymentId } = await newPayment(razorpay, outcome);
      await assertRefused(razorpay, ["POST", `/v1/payments/${paymentId}/refund`, {}], /captured/);
    }
  }));

Deno.test("a refund's idempotency key gives the same refund, and refuses another request", () =>
  withRazorpay(async (razorpay) => {
    const { paymentId } = await newPayment(razorpay);
    const refund = (amount: number, key: string) =>
      razorpay.call("POST", `/v1/payments/${paymentId}/refund`, { amount }, {
        "x-refund-idempotency": key,
      });
    const first = await refund(10_000, "refund-key-1");
    assert.deepEqual(await refund(10_000, "refund-key-1"), first);
    const other = await refund(20_000, "refund-key-1");
    assert.equal(other.status, 400);
    assert.equal(
      other.body.error.description,
      "Different request with the same idempotency key has already been processed.",
    );
    assert.notEqual((await refund(10_000, "refund-key-2")).body.id, first.body.id);
    assert.equal((await refund(10_000, "short")).status, 400);

    await razorpay.control.changeSettings({ refund_delay_ms: 200 });
    const answers = await Promise.all([
      refund(10_000, "refund-key-3"),
      refund(10_000, "refund-key-3"),
    ]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409]);
    const { body } = await razorpay.call("GET", `/v1/payments/${paymentId}/refunds`);
    assert.equal(body.count, 3);
  }));

Deno.test("a refund that fails gives the amount back to the payment", () =>
  withRazorpay(async (razorpay) => {
    const { paymentId } = await newPayment(razorpay);
    const refund = await razorpay.control.refund(paymentId, { status: "pending" });
    assert.equal(refund.status, "pending");
    const payment = async () => (await razorpay.call("GET", `/v1/payments/${paymentId}`)).body;
    assert.equal((await payment()).status, "refunded");
    await razorpay.control.changeRefund(refund.id, { status: "failed" });
    assert.equal((await razorpay.call("GET", `/v1/refunds/${refund.id}`)).body.status, "failed");
    assert.deepEqual(pick(await payment(), "status", "refund_status", "amount_refunded"), {
      status: "captured",
      refund_status: null,
      amount_refunded: 0,
    });
    await assert.rejects(
      razorpay.control.changeRefund(refund.id, { status: "processed" }),
      /failed/,
    );

    const stillborn = await razorpay.control.refund(paymentId, { status: "failed" });
    assert.equal(stillborn.amount, 50_000);
    assert.equal((await payment()).amount_refunded, 0);
  }));

Deno.test("only a lost dispute deducts, and winning it gives the amount back", () =>
  withRazorpay(async (razorpay) => {
    const { paymentId } = await newPayment(razorpay);
    const dispute = await razorpay.control.openDispute(paymentId, { amount: 20_000 });
    assert.deepEqual(pick(dispute, "status", "amount", "amount_deducted"), {
      status: "open",
      amount: 20_000,
      amount_deducted: 0,
    });
    const steps = [];
    for (const status of ["under_review", "action_required", "lost", "won", "closed"] as const) {
      const moved = await razorpay.control.changeDispute(dispute.id, { status });
      steps.push([moved.status, moved.amount_deducted]);
    }
    assert.deepEqual(steps, [
      ["under_review", 0],
      ["open", 0],
      ["lost", 20_000],
      ["won", 0],
      ["closed", 0],
    ]);
    assert.equal((await razorpay.call("GET", `/v1/disputes/${dispute.id}`)).body.status, "closed");
  }));

const LINK = { amount: 50_000, currency: "INR", reference_id: "link-1" };

const refusedLinks: [name: string, fields: object, description: string | RegExp][] = [
  ["amount 0", { amount: 0 }, "amount: cannot be blank."],
  ["an amount below one rupee", { amount: 99 }, /^amount: amount should be minimum 1\.00 for INR/],
  ["a huge amount", { amount: 50_000_001 }, "amount exceeds maximum amount allowed."],
  ["a number for a currency", { currency: 1 }, /^currency: wrong input field/],
  ["a reference of 41 characters", { reference_id: "x".repeat(41) }, /no more than 40/],
  ["an expiry in 14 minutes", { expire_by: Math.floor(Date.now() / 1000) + 840 }, /15 minutes/],
  ["an unknown field", { phone: "x" }, /^phone is\/are not required/],
  ["a UPI link in test mode", { upi_link: true }, /Test Mode/],
];

for (const [name, fields, description] of refusedLinks) {
  Deno.test(`a payment link with ${name} is refused`, () =>
    withRazorpay((razorpay) =>
      assertRefused(razorpay, ["POST", "/v1/payment_links", { ...LINK, ...fields }], description)
    ));
}

Deno.test("a payment link's reference is taken forever", () =>
  withRazorpay(async (razorpay) => {
    const { body: link } = await razorpay.call("POST", "/v1/payment_links", LINK);
    await razorpay.control.expirePaymentLink(link.id);
    const { status, body } = await razorpay.call("POST", "/v1/payment_links", LINK);
    assert.equal(status, 400);
    assert.match(body.error.description, /^payment link with given reference_id: link-1 already/);
    assert.equal(body.error.reason, null);
  }));

Deno.test("an unknown payment link is 404 without an error object", () =>
  withRazorpay(async (razorpay) => {
    assert.deepEqual(await razorpay.call("GET", "/v1/payment_links/plink_AAAAAAAAAAAAAA"), {
      status: 404,
      body: {},
    });
  }));

Deno.test("a paid payment link shows its order and payment, which carry its reference and notes", () =>
  withRazorpay(async (razorpay) => {
    const { body: link } = await razorpay.call("POST", "/v1/payment_links", {
      ...LINK,
      notes: { package: "Starter" },
    });
    assert.equal(link.status, "created");
    assert.equal(link.payments, null);
    assert.equal("order_id" in link, false);
    const failed = await razorpay.control.payPaymentLink(link.id, { outcome: "failed" });
    const paid = await razorpay.control.payPaymentLink(link.id, { outcome: "captured" });
    assert.equal(paid.razorpay_order_id, failed.razorpay_order_id);
    assert.equal(paid.razorpay_payment_link_status, "paid");

    const { body } = await razorpay.call("GET", `/v1/payment_links/${link.id}`);
    assert.deepEqual(pick(body, "status", "amount_paid", "order_id"), {
      status: "paid",
      amount_paid: 50_000,
      order_id: paid.razorpay_order_id,
    });
    assert.equal(body.payments[0].payment_id, paid.razorpay_payment_id);
    const order = (await razorpay.call("GET", `/v1/orders/${paid.razorpay_order_id}`)).body;
    assert.deepEqual(pick(order, "receipt", "status", "notes"), {
      receipt: "link-1",
      status: "paid",
      notes: { package: "Starter" },
    });
    const payment = (await razorpay.call("GET", `/v1/payments/${paid.razorpay_payment_id}`)).body;
    assert.deepEqual(pick(payment, "description", "notes"), {
      description: `#${link.id.slice("plink_".length)}`,
      notes: { package: "Starter" },
    });
    await assertRefused(
      razorpay,
      ["POST", `/v1/payment_links/${link.id}/cancel`],
      "cannot cancel or expire an already paid/partially paid link",
    );
  }));

Deno.test("a payment link that is over takes no payment unless it is forced", () =>
  withRazorpay(async (razorpay) => {
    const { body: link } = await razorpay.call("POST", "/v1/payment_links", LINK);
    await razorpay.call("POST", `/v1/payment_links/${link.id}/cancel`);
    const pay = { outcome: "captured" } as const;
    await assert.rejects(razorpay.control.payPaymentLink(link.id, pay), /cancelled/);
    await razorpay.control.payPaymentLink(link.id, { ...pay, force: true });
    const { body } = await razorpay.call("GET", `/v1/payment_links/${link.id}`);
    assert.equal(body.status, "paid");
  }));

Deno.test("a payment link can be paid in parts", () =>
  withRazorpay(async (razorpay) => {
    const { body: link } = await razorpay.call("POST", "/v1/payment_links", {
      ...LINK,
      accept_partial: true,
    });
    const first = await razorpay.control.payPaymentLink(link.id, {
      outcome: "captured",
      amount: 20_000,
    });
    assert.equal(first.razorpay_payment_link_status, "partially_paid");
    const second = await razorpay.control.payPaymentLink(link.id, { outcome: "captured" });
    assert.equal(second.razorpay_payment_link_status, "paid");
    const { body } = await razorpay.call("GET", `/v1/payment_links/${link.id}`);
    assert.equal(body.payments.length, 2);
  }));

Deno.test("the state survives a restart in its file, and another port can be asked for", async () => {
  const folder = await Deno.makeTempDir();
  const stateFile = `${folder}/razorpay.json`;
  try {
    let orderId = "";
    let accountId = "";
    await withRazorpay(async (razorpay) => {
      ({ orderId } = await newPayment(razorpay));
      accountId = razorpay.accountId;
    }, { stateFile });
    await withRazorpay(async (razorpay) => {
      assert.equal(razorpay.accountId, accountId);
      const { body } = await razorpay.call("GET", `/v1/orders/${orderId}/payments`);
      assert.equal(body.items[0].status, "captured");
    }, { stateFile });
    await Deno.writeTextFile(stateFile, "{}");
    await assert.rejects(withRazorpay(() => Promise.resolve(), { stateFile }), /Delete it/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what was answered is in the state file, without a stop", async () => {
  const folder = await Deno.makeTempDir();
  const stateFile = `${folder}/razorpay.json`;
  try {
    await withRazorpay(async (razorpay) => {
      const ids = await Promise.all(Array.from({ length: 20 }, () => newOrder(razorpay)));
      const saved = await Deno.readTextFile(stateFile);
      for (const id of ids) assert.ok(saved.includes(id));
    }, { stateFile });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a taken port is refused", () =>
  withRazorpay(async ({ port }) => {
    await assert.rejects(
      withRazorpay(() => Promise.resolve(), { port }),
      Deno.errors.AddrInUse,
    );
  }));

function pick(
  entity: object,
  ...keys: string[]
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entity).filter(([key]) => keys.includes(key)));
}
