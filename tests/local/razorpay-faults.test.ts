/**
 * The stand-in fails as instructed, for the requests that match and no others.
 * @module
 */

import assert from "node:assert/strict";
import { type RazorpayFixture, withRazorpay } from "../support/razorpay-fixture.ts";
import { first } from "../support/lists.ts";
import { basicAuthorization } from "../support/razorpay-auth.ts";

const ORDER = { amount: 50_000, currency: "INR" };

/**
 * Makes an order on a new connection. On a reused one, Deno repeats a request when the server closes
 * the connection instead of responding.
 */
async function order(razorpay: RazorpayFixture, signal?: AbortSignal): Promise<Answered> {
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const options: RequestInit & { client: Deno.HttpClient } = {
    client,
    method: "POST",
    headers: { authorization: basicAuthorization(razorpay.keyId, razorpay.keySecret) },
    body: JSON.stringify(ORDER),
    signal: signal ?? null,
  };
  const response = await fetch(`${razorpay.url}/v1/orders`, options);
  return { status: response.status, text: await response.text() };
}

interface Answered {
  status: number;
  text: string;
}

async function ordersMade(razorpay: RazorpayFixture): Promise<number> {
  return (await razorpay.call("GET", "/v1/orders?count=100")).body.count;
}

const answers: [kind: "401" | "429" | "500" | "502_html" | "504_empty" | "200_html", RegExp][] = [
  ["401", /Authentication failed/],
  ["429", /Too many requests/],
  ["500", /SERVER_ERROR/],
  ["502_html", /^<html>/],
  ["504_empty", /^$/],
  ["200_html", /^<html>/],
];

for (const [kind, text] of answers) {
  Deno.test(`the fault ${kind} is answered once, and makes no order`, () =>
    withRazorpay(async (razorpay) => {
      await razorpay.control.addFault({ kind });
      const faulty = await order(razorpay);
      assert.equal(faulty.status, Number(kind.slice(0, 3)));
      assert.match(faulty.text, text);
      assert.equal(await ordersMade(razorpay), 0);
      assert.equal((await order(razorpay)).status, 200);
    }));
}

Deno.test("an answer that is cut off is half of the JSON of an order that was made", () =>
  withRazorpay(async (razorpay) => {
    await razorpay.control.addFault({ kind: "200_cut_off" });
    const { status, text } = await order(razorpay);
    assert.equal(status, 200);
    assert.match(text, /^\{"id":"order_/);
    assert.throws(() => JSON.parse(text), SyntaxError);
    assert.equal(await ordersMade(razorpay), 1);
  }));

Deno.test("an answer that breaks off ends in an error of the connection", () =>
  withRazorpay(async (razorpay) => {
    await razorpay.control.addFault({ kind: "200_broken_off" });
    await assert.rejects(order(razorpay), /body/);
    assert.equal(await ordersMade(razorpay), 1);
  }));

Deno.test("a dropped connection hides that the order was made, or not made", () =>
  withRazorpay(async (razorpay) => {
    await razorpay.control.addFault({ kind: "drop", method: "POST" });
    await assert.rejects(order(razorpay));
    assert.equal(await ordersMade(razorpay), 1);
    await razorpay.control.addFault({ kind: "drop", method: "POST", applied: false });
    await assert.rejects(order(razorpay));
    assert.equal(await ordersMade(razorpay), 1);
  }));

Deno.test("a hanging request ends when the caller gives up, or when the stand-in stops", async () => {
  let abandoned: Promise<unknown> = Promise.resolve();
  await withRazorpay(async (razorpay) => {
    await razorpay.control.addFault({ kind: "hang", times: 2 });
    await assert.rejects(order(razorpay, AbortSignal.timeout(50)), { name: "TimeoutError" });
    abandoned = assert.rejects(order(razorpay));
    while ((await razorpay.control.requests({ path: "/v1/orders" })).length < 2);
    assert.equal(await ordersMade(razorpay), 0);
  });
  await abandoned;
});

Deno.test("a delayed answer is the right one", () =>
  withRazorpay(async (razorpay) => {
    await razorpay.control.addFault({ kind: "delay", delay_ms: 60 });
    const started = performance.now();
    assert.match((await order(razorpay)).text, /^\{"id":"order_/);
    assert.ok(performance.now() - started >= 55);
  }));

Deno.test("a fault hits the method and path it names, as often as it says, in the order given", () =>
  withRazorpay(async (razorpay) => {
    await razorpay.control.addFault({ kind: "429", method: "GET", path: "/v1/orders/*", times: 2 });
    await razorpay.control.addFault({ kind: "500", path: "/v1/orders/*/payments" });
    const { body: made } = await razorpay.call("POST", "/v1/orders", ORDER);
    const statuses = [];
    for (const path of ["/payments", "", "", ""]) {
      const answer = await razorpay.call("GET", `/v1/orders/${made.id}${path}`);
      statuses.push(answer.status);
    }
    assert.deepEqual(statuses, [500, 429, 429, 200]);
    assert.deepEqual(await razorpay.control.faults(), []);
  }));

Deno.test("faults in waiting are listed and cleared, and unknown ones refused", () =>
  withRazorpay(async (razorpay) => {
    await razorpay.control.addFault({ kind: "drop", path: "/v1/payments/*", times: 3 });
    assert.deepEqual(await razorpay.control.faults(), [
      { kind: "drop", path: "/v1/payments/*", times: 3, delay_ms: 0, applied: true },
    ]);
    await razorpay.control.clearFaults();
    assert.deepEqual(await razorpay.control.faults(), []);
    const response = await fetch(`${razorpay.url}/_control/faults`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ kind: "earthquake" }),
    });
    assert.equal(response.status, 400);
    await response.body?.cancel();
  }));

Deno.test("the log shows each request, its answer and its fault, and no credentials", () =>
  withRazorpay(async (razorpay) => {
    await razorpay.control.addFault({ kind: "429" });
    await razorpay.call("POST", "/v1/orders", ORDER);
    await razorpay.call("GET", "/v1/orders?receipt=r1");
    const requests = await razorpay.control.requests();
    assert.deepEqual(
      requests.map((
        { method, path, query, status, fault },
      ) => [method, path, query, status, fault]),
      [
        ["POST", "/v1/orders", "", 429, "429"],
        ["GET", "/v1/orders", "receipt=r1", 200, null],
      ],
    );
    assert.equal(first(requests).body, JSON.stringify(ORDER));
    assert.ok(first(requests).headers.includes("authorization"));
    assert.equal(JSON.stringify(requests).includes(btoa(razorpay.keyId).slice(0, 12)), false);
    assert.equal((await razorpay.control.requests({ method: "GET" })).length, 1);
    await razorpay.control.clearRequests();
    assert.deepEqual(await razorpay.control.requests(), []);
  }));
