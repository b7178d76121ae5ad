/**
 * The stand-in's webhooks look, arrive, repeat and end as Razorpay's do.
 * @module
 */

import assert from "node:assert/strict";
import Razorpay from "razorpay";
import {
  type Delivery,
  type RazorpayFixture,
  type ReceiverResponse,
  withRazorpay,
  withReceiver,
} from "../support/razorpay-fixture.ts";
import type { RazorpayOptions } from "../../local/razorpay/server.ts";
import { at, first } from "../support/lists.ts";

/** Shortens Razorpay's day of retries to a fifth of a second. */
const FAST = { webhook_time_factor: 0.000_002_5 };

type Receive = (delivery: Delivery, earlier: number) => ReceiverResponse;

/** Runs a test with a stand-in that delivers to a receiver. */
function withDeliveries(
  { receive = () => 200, settings = FAST }: {
    receive?: Receive;
    settings?: RazorpayOptions["settings"];
  },
  test: (razorpay: RazorpayFixture, deliveries: Delivery[], url: string) => Promise<void>,
): Promise<void> {
  return withReceiver(
    receive,
    ({ url, deliveries }) =>
      withRazorpay((razorpay) => test(razorpay, deliveries, url), { webhookUrl: url, settings }),
  );
}

async function newOrder(razorpay: RazorpayFixture): Promise<string> {
  const { body } = await razorpay.call("POST", "/v1/orders", { amount: 50_000, currency: "INR" });
  return body.id;
}

async function payNewOrder(razorpay: RazorpayFixture): Promise<string> {
  const orderId = await newOrder(razorpay);
  const paid = await razorpay.control.payOrder(orderId, { outcome: "captured" });
  return paid.razorpay_payment_id;
}

function names(deliveries: Delivery[]): string[] {
  return deliveries.map(({ event }) => event);
}

Deno.test("a delivery has Razorpay's headers, compact bytes and a signature over them", () =>
  withDeliveries({}, async (razorpay, deliveries) => {
    const orderId = await newOrder(razorpay);
    const { razorpay_payment_id: paymentId } = await razorpay.control.payOrder(orderId, {
      outcome: "captured",
      notes: { path: "a/b", city: "मुंबई" },
    });
    await razorpay.control.webhooksDelivered();
    assert.deepEqual(names(deliveries), ["payment.authorized", "payment.captured", "order.paid"]);
    assert.equal(new Set(deliveries.map(({ eventId }) => eventId)).size, 3);
    for (const { headers, body, eventId, signature } of deliveries) {
      const ofSender = headers.filter(([name]) => !/^(host|connection)$/i.test(name));
      assert.deepEqual(ofSender, [
        ["User-Agent", "Razorpay-Webhook/v1"],
        ["Content-Length", String(new TextEncoder().encode(body).length)],
        ["Accept-Encoding", "gzip"],
        ["Content-Type", "application/json"],
        ["Request-Id", eventId],
        ["X-Razorpay-Event-Id", eventId],
        ["X-Razorpay-Signature", signature],
      ]);
      assert.match(eventId, /^[A-Za-z0-9]{14}$/);
      assert.ok(Razorpay.validateWebhookSignature(body, signature, razorpay.webhookSecret));
      assert.equal(body, JSON.stringify(JSON.parse(body)));
      assert.ok(body.includes('"path":"a/b"') && body.includes("मुंबई"));
    }
    const [, captured, paid] = deliveries.map(({ body }) => JSON.parse(body));
    assert.deepEqual(Object.keys(captured), [
      "entity",
      "account_id",
      "event",
      "contains",
      "payload",
      "created_at",
    ]);
    assert.equal(captured.account_id, razorpay.accountId);
    assert.equal(captured.payload.payment.entity.id, paymentId);
    assert.equal(captured.payload.payment.entity.base_amount, 50_000);
    assert.deepEqual(paid.contains, ["payment", "order"]);
    assert.equal(paid.payload.order.entity.id, orderId);
    assert.equal(paid.payload.order.entity.status, "paid");
    assert.equal(paid.payload.order.entity.amount_due, 0);
  }));

Deno.test("an event shows its entities as they were when it happened", () =>
  withDeliveries({}, async (razorpay, deliveries) => {
    await payNewOrder(razorpay);
    await razorpay.control.webhooksDelivered();
    const payment = JSON.parse(first(deliveries).body).payload.payment.entity;
    assert.equal(payment.status, "authorized");
    assert.equal(payment.captured, false);
    assert.equal(payment.fee, null);
  }));

Deno.test("events of refunds and payment links have their keys in alphabetical order", () =>
  withDeliveries({}, async (razorpay, deliveries) => {
    const paymentId = await payNewOrder(razorpay);
    await razorpay.control.refund(paymentId, { amount: 10_000 });
    const { body: link } = await razorpay.call("POST", "/v1/payment_links", {
      amount: 50_000,
      reference_id: "link-1",
    });
    await razorpay.control.payPaymentLink(link.id, { outcome: "captured" });
    await razorpay.control.webhooksDelivered();
    assert.deepEqual(names(deliveries).slice(3), [
      "refund.created",
      "refund.processed",
      "payment.authorized",
      "payment.captured",
      "order.paid",
      "payment_link.paid",
    ]);
    for (const index of [3, 4, 8]) {
      const event = JSON.parse(at(deliveries, index).body);
      assert.deepEqual(Object.keys(event), [
        "account_id",
        "contains",
        "created_at",
        "entity",
        "event",
        "payload",
      ]);
    }
    const { payload } = JSON.parse(at(deliveries, 8).body);
    assert.match(payload.order.entity.id, /^order_/);
    assert.equal(payload.order.entity.receipt, "link-1");
    assert.equal(payload.payment_link.entity.order_id, payload.order.entity.id);
    assert.equal(payload.payment_link.entity.notes, null);
  }));

Deno.test("refunds, disputes and payment links tell of each of their steps", () =>
  withDeliveries({}, async (razorpay, deliveries) => {
    const { control } = razorpay;
    const paymentId = await payNewOrder(razorpay);
    const refund = await control.refund(paymentId, { amount: 10_000, status: "pending" });
    await control.changeRefund(refund.id, { speed_processed: "instant", status: "processed" });
    await control.changeRefund(refund.id, { status: "failed" });
    const dispute = await control.openDispute(paymentId);
    for (const status of ["under_review", "action_required", "lost", "won", "closed"] as const) {
      await control.changeDispute(dispute.id, { status });
    }
    const link = async (reference: string) => {
      const { body } = await razorpay.call("POST", "/v1/payment_links", {
        amount: 50_000,
        reference_id: reference,
      });
      return body.id;
    };
    await control.expirePaymentLink(await link("link-1"));
    await razorpay.call("POST", `/v1/payment_links/${await link("link-2")}/cancel`);
    await control.webhooksDelivered();
    assert.deepEqual(names(deliveries).slice(3).sort(), [
      "payment.dispute.action_required",
      "payment.dispute.closed",
      "payment.dispute.created",
      "payment.dispute.lost",
      "payment.dispute.under_review",
      "payment.dispute.won",
      "payment_link.cancelled",
      "payment_link.expired",
      "refund.created",
      "refund.failed",
      "refund.processed",
      "refund.speed_changed",
    ]);
    const lost = deliveries.find(({ event }) => event === "payment.dispute.lost");
    assert.equal(JSON.parse(lost?.body ?? "").payload.dispute.entity.amount_deducted, 50_000);
  }));

Deno.test("a second payment that comes too late is authorized and refunded, and never captured", () =>
  withDeliveries({}, async (razorpay, deliveries) => {
    const orderId = await newOrder(razorpay);
    await razorpay.control.payOrder(orderId, { outcome: "captured" });
    await razorpay.control.payOrder(orderId, { outcome: "late_authorized" });
    await razorpay.control.webhooksDelivered();
    assert.deepEqual(names(deliveries).slice(3), [
      "payment.authorized",
      "refund.created",
      "refund.processed",
    ]);
  }));

Deno.test("an API capture and an API refund send their events too", () =>
  withDeliveries({}, async (razorpay, deliveries) => {
    const orderId = await newOrder(razorpay);
    const { razorpay_payment_id: paymentId } = await razorpay.control.payOrder(orderId, {
      outcome: "authorized",
      deliver_webhooks: false,
    });
    await razorpay.call("POST", `/v1/payments/${paymentId}/capture`, {
      amount: 50_000,
      currency: "INR",
    });
    await razorpay.control.webhooksDelivered();
    await razorpay.call("POST", `/v1/payments/${paymentId}/refund`, {});
    await razorpay.control.webhooksDelivered();
    assert.deepEqual(names(deliveries), [
      "payment.captured",
      "order.paid",
      "refund.created",
      "refund.processed",
    ]);
  }));

Deno.test("any 2xx ends the retries, and anything else begins them", () =>
  withDeliveries({
    receive: (_delivery, earlier) => [302, 400, 404, 204][earlier] ?? 200,
    settings: { ...FAST, webhook_events: ["payment.failed"] },
  }, async (razorpay, deliveries) => {
    await razorpay.control.payOrder(await newOrder(razorpay), { outcome: "failed" });
    await razorpay.control.webhooksDelivered();
    assert.equal(deliveries.length, 4);
    assert.equal(new Set(deliveries.map(({ body }) => body)).size, 1);
    assert.equal(new Set(deliveries.map(({ eventId }) => eventId)).size, 1);
    assert.equal(new Set(deliveries.map(({ signature }) => signature)).size, 1);
    const event = first(await razorpay.control.webhookEvents());
    assert.equal(event.state, "delivered");
    assert.deepEqual(event.attempts.map(({ kind, status }) => [kind, status]), [
      ["first", 302],
      ["retry", 400],
      ["retry", 404],
      ["retry", 204],
    ]);
  }));

const ladders: [
  event: "payment.captured" | "payment.failed",
  ReceiverResponse,
  attempts: number,
][] = [
  ["payment.captured", 500, 16],
  ["payment.captured", "drop", 16],
  ["payment.captured", 400, 15],
  ["payment.failed", 500, 15],
];

for (const [name, answer, attempts] of ladders) {
  Deno.test(`${name} that always meets ${answer} is sent ${attempts} times, then the webhook is off`, () =>
    withDeliveries({
      receive: () => answer,
      settings: { ...FAST, webhook_events: [name] },
    }, async (razorpay, deliveries) => {
      const orderId = await newOrder(razorpay);
      const outcome = name === "payment.captured" ? "captured" : "failed";
      await razorpay.control.payOrder(orderId, { outcome });
      await razorpay.control.webhooksDelivered();
      assert.equal(deliveries.length, attempts);
      const event = first(await razorpay.control.webhookEvents());
      assert.equal(event.state, "failed");
      assert.equal((await razorpay.control.settings()).webhooks_enabled, false);

      await payNewOrder(razorpay);
      await razorpay.control.webhooksDelivered();
      assert.equal(deliveries.length, attempts);
    }));
}

Deno.test("the waits grow as Razorpay's, from 6 seconds to 22.8 hours after the event", () =>
  withDeliveries({
    receive: () => 500,
    settings: { webhook_time_factor: 0.000_01, webhook_events: ["payment.failed"] },
  }, async (razorpay) => {
    await razorpay.control.payOrder(await newOrder(razorpay), { outcome: "failed" });
    await razorpay.control.webhooksDelivered();
    const { attempts, started_at_ms } = first(await razorpay.control.webhookEvents());
    const hours = attempts.slice(-2).map(({ at_ms }) =>
      (at_ms - started_at_ms) / 0.000_01 / 3_600_000
    );
    assert.ok(at(hours, 0) > 11, `${hours}`);
    assert.ok(at(hours, 1) > 22, `${hours}`);
  }));

Deno.test("an answer that takes too long counts as none", () =>
  withDeliveries({
    receive: (_delivery, earlier) => earlier === 0 ? "hang" : 200,
    settings: { ...FAST, webhook_timeout_ms: 40, webhook_events: ["payment.captured"] },
  }, async (razorpay) => {
    await payNewOrder(razorpay);
    await razorpay.control.webhooksDelivered();
    const { attempts } = first(await razorpay.control.webhookEvents());
    // On a busy machine the answer to a retry may take too long as well.
    const outcomes = attempts.map(({ status, error }) => [status, error]);
    assert.deepEqual([first(outcomes), outcomes.at(-1)], [[null, "timeout"], [200, null]]);
  }));

Deno.test("held events are kept, and are delivered later in any order", () =>
  withDeliveries({}, async (razorpay, deliveries) => {
    await razorpay.control.payOrder(await newOrder(razorpay), {
      outcome: "captured",
      deliver_webhooks: false,
    });
    await razorpay.control.webhooksDelivered();
    assert.deepEqual(deliveries, []);
    const events = await razorpay.control.webhookEvents();
    assert.deepEqual(events.map(({ state }) => state), ["held", "held", "held"]);
    const reversed = events.map(({ id }) => id).reverse();
    assert.deepEqual(await razorpay.control.deliverWebhooks({ event_ids: reversed }), reversed);
    await razorpay.control.webhooksDelivered();
    assert.deepEqual(names(deliveries), ["order.paid", "payment.captured", "payment.authorized"]);
  }));

Deno.test("a delivered event is sent again with the same bytes, or under another event id", () =>
  withDeliveries({
    settings: { ...FAST, webhook_events: ["payment.captured"] },
  }, async (razorpay, deliveries) => {
    await payNewOrder(razorpay);
    await razorpay.control.webhooksDelivered();
    const { id } = first(await razorpay.control.webhookEvents());
    await razorpay.control.deliverWebhooks({ event_ids: [id] });
    const [copy] = await razorpay.control.deliverWebhooks({ event_ids: [id], new_event_ids: true });
    await razorpay.control.webhooksDelivered();
    assert.deepEqual(deliveries.map(({ eventId }) => eventId).sort(), [id, id, copy].sort());
    assert.equal(new Set(deliveries.map(({ body }) => body)).size, 1);
    assert.equal(new Set(deliveries.map(({ signature }) => signature)).size, 1);
    await assert.rejects(razorpay.control.deliverWebhooks({ event_ids: ["unknown"] }), /no event/);
  }));

Deno.test("duplicates follow each event, whatever the receiver returns", () =>
  withDeliveries({
    settings: { ...FAST, webhook_duplicates: 2, webhook_events: ["payment.captured"] },
  }, async (razorpay, deliveries) => {
    await payNewOrder(razorpay);
    await razorpay.control.webhooksDelivered();
    assert.equal(deliveries.length, 3);
    assert.equal(new Set(deliveries.map(({ eventId, body }) => eventId + body)).size, 1);
  }));

Deno.test("copies tell of one fact under several event ids", () =>
  withDeliveries({
    settings: { ...FAST, webhook_event_copies: 2, webhook_events: ["payment.captured"] },
  }, async (razorpay, deliveries) => {
    const paymentId = await payNewOrder(razorpay);
    await razorpay.control.webhooksDelivered();
    await razorpay.control.emitWebhook({ event: "payment.captured", entity_id: paymentId });
    await razorpay.control.webhooksDelivered();
    assert.equal(new Set(deliveries.map(({ eventId }) => eventId)).size, 4);
  }));

Deno.test("the events of one action can come reversed, shuffled or at once", () =>
  withDeliveries({}, async (razorpay, deliveries) => {
    const order = ["payment.authorized", "payment.captured", "order.paid"];
    const played = async (webhook_order: "reversed" | "shuffled" | "at_once") => {
      deliveries.length = 0;
      await razorpay.control.changeSettings({ webhook_order });
      await payNewOrder(razorpay);
      await razorpay.control.webhooksDelivered();
      return names(deliveries);
    };
    assert.deepEqual(await played("reversed"), [...order].reverse());
    assert.deepEqual((await played("shuffled")).sort(), [...order].sort());
    assert.deepEqual((await played("at_once")).sort(), [...order].sort());
  }));

Deno.test("non-ASCII characters can be escaped, and the signature fits the bytes", () =>
  withDeliveries({
    settings: { ...FAST, webhook_escape_non_ascii: true },
  }, async (razorpay, deliveries) => {
    await razorpay.control.payOrder(await newOrder(razorpay), {
      outcome: "failed",
      notes: { city: "मुंबई 😀" },
    });
    await razorpay.control.webhooksDelivered();
    const { body, signature } = first(deliveries);
    assert.match(body, /\\u092e\\u0941.*\\ud83d\\ude00/);
    assert.equal(JSON.parse(body).payload.payment.entity.notes.city, "मुंबई 😀");
    assert.ok(Razorpay.validateWebhookSignature(body, signature, razorpay.webhookSecret));
  }));

Deno.test("after a change of the secret new events carry the new signature, retries the old one", () =>
  withDeliveries({
    receive: (_delivery, earlier) => earlier === 0 ? 400 : 200,
    settings: { webhook_time_factor: 0.02, webhook_events: ["payment.captured"] },
  }, async (razorpay, deliveries) => {
    await payNewOrder(razorpay);
    await razorpay.control.webhooksDelivered({ until: "attempted" });
    const newSecret = crypto.randomUUID();
    await razorpay.control.changeSettings({ webhook_secret: newSecret });
    await payNewOrder(razorpay);
    await razorpay.control.webhooksDelivered();
    const signedWith = deliveries.map(({ body, signature }) =>
      [razorpay.webhookSecret, newSecret].findIndex((secret) =>
        Razorpay.validateWebhookSignature(body, signature, secret)
      )
    );
    // The retry may come before the new event.
    const old = first(deliveries).eventId;
    assert.equal(deliveries.length, 3);
    assert.deepEqual(signedWith, deliveries.map(({ eventId }) => eventId === old ? 0 : 1));
    const { id } = first(await razorpay.control.webhookEvents());
    await razorpay.control.deliverWebhooks({ event_ids: [id], signature: "original" });
    await razorpay.control.deliverWebhooks({ event_ids: [id] });
    await razorpay.control.webhooksDelivered();
    const again = deliveries.slice(3).map(({ body, signature }) =>
      Razorpay.validateWebhookSignature(body, signature, newSecret)
    );
    assert.deepEqual(again.sort(), [false, true]);
  }));

Deno.test("nothing is delivered without a URL, to a disabled webhook, or when not subscribed", () =>
  withDeliveries({}, async (razorpay, deliveries, url) => {
    const { control } = razorpay;
    await control.changeSettings({ webhook_url: null });
    await payNewOrder(razorpay);
    await control.changeSettings({ webhook_url: url, webhooks_enabled: false });
    await payNewOrder(razorpay);
    const held = await control.webhookEvents();
    assert.deepEqual(held.map(({ state }) => state), Array(6).fill("held"));
    await assert.rejects(control.deliverWebhooks({ event_ids: [first(held).id] }), /disabled/);
    await control.changeSettings({ webhooks_enabled: true, webhook_events: ["order.paid"] });
    await payNewOrder(razorpay);
    await control.webhooksDelivered();
    assert.deepEqual(names(deliveries), ["order.paid"]);
    assert.equal((await control.webhookEvents()).length, 7);
    await control.forgetWebhookEvents();
    assert.deepEqual(await control.webhookEvents(), []);
  }));

Deno.test("settling says so when events are still on their way", () =>
  withDeliveries({ receive: () => 500, settings: {} }, async (razorpay) => {
    await payNewOrder(razorpay);
    await razorpay.control.webhooksDelivered({ until: "attempted" });
    await assert.rejects(razorpay.control.webhooksDelivered({ timeout_ms: 50 }), /on their way/);
  }));

Deno.test("retries go on after a restart", async () => {
  const folder = await Deno.makeTempDir();
  const stateFile = `${folder}/razorpay.json`;
  let status = 500;
  try {
    await withReceiver(() => status, async ({ url, deliveries }) => {
      const options: Partial<RazorpayOptions> = {
        webhookUrl: url,
        stateFile,
        settings: { webhook_time_factor: 0.01, webhook_events: ["payment.failed"] },
      };
      await withRazorpay(async (razorpay) => {
        await razorpay.control.payOrder(await newOrder(razorpay), { outcome: "failed" });
        await razorpay.control.webhooksDelivered({ until: "attempted" });
      }, options);
      status = 200;
      const earlier = deliveries.length;
      await withRazorpay(async (razorpay) => {
        await razorpay.control.webhooksDelivered();
        const event = first(await razorpay.control.webhookEvents());
        assert.equal(event.state, "delivered");
      }, options);
      assert.equal(deliveries.length, earlier + 1);
      assert.deepEqual(deliveries.at(-1)?.body, first(deliveries).body);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a receiver that refuses connections is retried, and a payment does not wait for it", () =>
  withRazorpay(async (razorpay) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    await razorpay.control.changeSettings({ webhook_url: `http://127.0.0.1:${port}/` });
    await payNewOrder(razorpay);
    await razorpay.control.webhooksDelivered({ until: "attempted" });
    const { attempts } = first(await razorpay.control.webhookEvents());
    assert.equal(first(attempts).error, "connection");
  }));

Deno.test("a payment without an order tells of itself alone", () =>
  withDeliveries({}, async (razorpay, deliveries) => {
    const payment = await razorpay.control.payWithoutOrder({ outcome: "captured", amount: 5_000 });
    assert.equal(payment.order_id, null);
    await razorpay.control.webhooksDelivered();
    assert.deepEqual(names(deliveries), ["payment.authorized", "payment.captured"]);
  }));
