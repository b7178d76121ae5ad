/**
 * The official `razorpay` package works against the stand-in, unchanged but for its base URL.
 * @module
 */

import assert from "node:assert/strict";
import Razorpay from "razorpay";
import { type RazorpayFixture, withRazorpay } from "../support/razorpay-fixture.ts";

function packageFor({ url, keyId, keySecret }: RazorpayFixture): Razorpay {
  const razorpay = new Razorpay({ key_id: keyId, key_secret: keySecret });
  // The package has no option for its base URL, and its types do not show the HTTP client.
  Object.assign(Reflect.get(razorpay.api, "rq").defaults, { baseURL: url });
  return razorpay;
}

Deno.test("the package creates, fetches, lists and edits orders", () =>
  withRazorpay(async (standIn) => {
    const razorpay = packageFor(standIn);
    const order = await razorpay.orders.create({
      amount: 50_000,
      currency: "INR",
      receipt: "receipt-1",
      notes: { package: "Starter" },
      payment: {
        capture: "automatic",
        capture_options: {
          automatic_expiry_period: 12,
          manual_expiry_period: 7200,
          refund_speed: "normal",
        },
      },
    });
    assert.match(order.id, /^order_[A-Za-z0-9]{14}$/);
    assert.equal(order.status, "created");
    assert.deepEqual(await razorpay.orders.fetch(order.id), order);
    const listed = await razorpay.orders.all({ receipt: "receipt-1" });
    assert.deepEqual(listed.items, [order]);
    assert.deepEqual((await razorpay.orders.all({ receipt: "another" })).items, []);
    const edited = await razorpay.orders.edit(order.id, { notes: { package: "Pro" } });
    assert.deepEqual(edited.notes, { package: "Pro" });
  }));

Deno.test("the package fetches an order's payments and a payment, and captures it", () =>
  withRazorpay(async (standIn) => {
    const razorpay = packageFor(standIn);
    const order = await razorpay.orders.create({ amount: 50_000, currency: "INR" });
    const { razorpay_payment_id: paymentId } = await standIn.control.payOrder(order.id, {
      outcome: "authorized",
    });
    const { items } = await razorpay.orders.fetchPayments(order.id);
    assert.deepEqual(items.map(({ id, status }) => ({ id, status })), [
      { id: paymentId, status: "authorized" },
    ]);
    const captured = await razorpay.payments.capture(paymentId, 50_000, "INR");
    assert.equal(captured.status, "captured");
    assert.deepEqual(await razorpay.payments.fetch(paymentId), captured);
    assert.equal((await razorpay.orders.fetch(order.id)).status, "paid");
    await assert.rejects(razorpay.payments.capture(paymentId, 50_000, "INR"), {
      statusCode: 400,
      error: {
        code: "BAD_REQUEST_ERROR",
        description: "This payment has already been captured",
        source: "business",
        step: "payment_initiation",
        reason: "input_validation_failed",
        metadata: {},
      },
    });
  }));

Deno.test("the package refunds, and fetches refunds in every way it knows", () =>
  withRazorpay(async (standIn) => {
    const razorpay = packageFor(standIn);
    const order = await razorpay.orders.create({ amount: 50_000, currency: "INR" });
    const { razorpay_payment_id: paymentId } = await standIn.control.payOrder(order.id, {
      outcome: "captured",
    });
    const refund = await razorpay.payments.refund(paymentId, {
      amount: 20_000,
      notes: { reason: "asked" },
    });
    assert.match(refund.id, /^rfnd_[A-Za-z0-9]{14}$/);
    assert.equal(refund.status, "processed");
    assert.deepEqual(await razorpay.refunds.fetch(refund.id), refund);
    assert.deepEqual(await razorpay.refunds.fetch(refund.id, { payment_id: paymentId }), refund);
    assert.deepEqual(await razorpay.payments.fetchRefund(paymentId, refund.id), refund);
    const { items } = await razorpay.payments.fetchMultipleRefund(paymentId, { count: 5 });
    assert.deepEqual(items, [refund]);
    assert.equal((await razorpay.payments.fetch(paymentId)).amount_refunded, 20_000);
  }));

Deno.test("the package creates, fetches, lists, edits, notifies and cancels payment links", () =>
  withRazorpay(async (standIn) => {
    const razorpay = packageFor(standIn);
    const link = await razorpay.paymentLink.create({
      amount: 50_000,
      currency: "INR",
      reference_id: "link-1",
      description: "100 credits",
      customer: { name: "", contact: "", email: "" },
      notify: { sms: false, email: false },
      reminder_enable: false,
      expire_by: Math.floor(Date.now() / 1000) + 20 * 60,
    });
    assert.match(link.id, /^plink_[A-Za-z0-9]{14}$/);
    assert.match(link.short_url, new RegExp(`^${standIn.url}/rzp/\\w{7}$`));
    assert.deepEqual(await razorpay.paymentLink.fetch(link.id), link);
    const { payment_links: links } = await razorpay.paymentLink.all({ count: 5 });
    assert.deepEqual(links, [link]);
    assert.deepEqual(await razorpay.paymentLink.notifyBy(link.id, "sms"), { success: true });
    const edited = await razorpay.paymentLink.edit(link.id, { reference_id: "link-2" });
    assert.equal(edited.reference_id, "link-2");
    assert.equal((await razorpay.paymentLink.cancel(link.id)).status, "cancelled");
    await assert.rejects(razorpay.paymentLink.fetch("plink_AAAAAAAAAAAAAA"), {
      statusCode: 404,
      error: undefined,
    });
  }));

Deno.test("the package meets 401 with another key's secret", () =>
  withRazorpay(async (standIn) => {
    const razorpay = packageFor({ ...standIn, keySecret: `${standIn.keySecret}x` });
    await assert.rejects(razorpay.orders.create({ amount: 50_000, currency: "INR" }), {
      statusCode: 401,
      error: { code: "BAD_REQUEST_ERROR", description: "Authentication failed" },
    });
  }));

Deno.test("the package's own checks accept the signatures of Checkout and payment links", () =>
  withRazorpay(async (standIn) => {
    const razorpay = packageFor(standIn);
    const order = await razorpay.orders.create({ amount: 50_000, currency: "INR" });
    const paid = await standIn.control.payOrder(order.id, { outcome: "captured" });
    // The helper for webhooks checks an HMAC over any text with any secret.
    assert.ok(Razorpay.validateWebhookSignature(
      `${paid.razorpay_order_id}|${paid.razorpay_payment_id}`,
      paid.razorpay_signature,
      standIn.keySecret,
    ));
    const link = await razorpay.paymentLink.create({
      amount: 50_000,
      currency: "INR",
      reference_id: "link-1",
      description: "100 credits",
      customer: { name: "", contact: "", email: "" },
    });
    const callback = await standIn.control.payPaymentLink(link.id, { outcome: "captured" });
    assert.equal(callback.razorpay_payment_link_status, "paid");
    assert.ok(Razorpay.validateWebhookSignature(
      `${link.id}|link-1|paid|${callback.razorpay_payment_id}`,
      callback.razorpay_signature,
      standIn.keySecret,
    ));
  }));
