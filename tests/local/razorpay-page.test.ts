/**
 * The page of the stand-in's payment links: what a customer sees and presses.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { type RazorpayFixture, withRazorpay } from "../support/razorpay-fixture.ts";

async function newLink(razorpay: RazorpayFixture): Promise<{ id: string; short_url: string }> {
  const link = { amount: 9_900, currency: "INR", description: 'Starter: 20 <b>"credits"</b>' };
  return (await razorpay.call("POST", "/v1/payment_links", link)).body;
}

/** Presses a button of the form, as a browser does that shows the page. */
function press(url: string, outcome: string, origin = new URL(url).origin): Promise<Response> {
  return fetch(url, {
    method: "POST",
    body: new URLSearchParams({ outcome }),
    headers: { origin },
  });
}

async function eventsOf(razorpay: RazorpayFixture): Promise<string[]> {
  return (await razorpay.control.webhookEvents()).map(({ event }) => event);
}

Deno.test("the address of a link opens a page that says what it is and shows the price", () =>
  withRazorpay(async (razorpay) => {
    const { short_url } = await newLink(razorpay);
    const response = await fetch(short_url);
    strictEqual(response.headers.get("content-type"), "text/html");
    match(response.headers.get("content-security-policy") ?? "", /default-src 'none'/);
    const page = await response.text();
    match(page, /stand-in for Razorpay\. No money moves\./);
    match(page, /Starter: 20 &#60;b&#62;&#34;credits&#34;/);
    match(page, /value="captured">Pay ₹99<[\s\S]*value="failed">Fail</);
  }));

Deno.test("a payment that fails can be tried again, and one that succeeds closes the page", () =>
  withRazorpay(async (razorpay) => {
    const { id, short_url } = await newLink(razorpay);
    const failed = await press(short_url, "failed");
    ok(failed.redirected);
    match(await failed.text(), /The payment failed\. You can try again\.[\s\S]*<form/);
    deepStrictEqual(await eventsOf(razorpay), ["payment.failed"]);

    const paid = await (await press(short_url, "captured")).text();
    match(paid, /₹99 are paid/);
    strictEqual(paid.includes("<form"), false);
    const { body } = await razorpay.call("GET", `/v1/payment_links/${id}`);
    strictEqual(body.status, "paid");

    // Somebody else had the page open.
    const events = await eventsOf(razorpay);
    match(await (await press(short_url, "captured")).text(), /₹99 are paid/);
    deepStrictEqual(await eventsOf(razorpay), events);
  }));

Deno.test("an expired link says so", () =>
  withRazorpay(async (razorpay) => {
    const { id, short_url } = await newLink(razorpay);
    await razorpay.control.expirePaymentLink(id);
    const page = await (await fetch(short_url)).text();
    match(page, /This payment link is expired\./);
    strictEqual(page.includes("<form"), false);
  }));

Deno.test("another site, an unknown button and an unknown link change nothing", () =>
  withRazorpay(async (razorpay) => {
    const { short_url } = await newLink(razorpay);
    strictEqual((await press(short_url, "captured", "https://evil.example")).status, 403);
    strictEqual((await press(short_url, "authorized")).status, 400);
    strictEqual((await fetch(short_url, { method: "DELETE" })).status, 405);
    strictEqual((await press(`${razorpay.url}/rzp/nothing`, "captured")).status, 404);
    deepStrictEqual(await eventsOf(razorpay), []);
  }));
