/**
 * POST razorpay-webhook: what Razorpay signed is recorded, booked once and acknowledged; what it did
 * not sign changes nothing.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { z } from "zod";
import { blankedPayload } from "shared/payments/blanked-payload.ts";
import type { WebhookEvent } from "../../local/razorpay/webhooks.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { closedUrl } from "../support/faulty-servers.ts";
import { logLine, logOf } from "../support/log.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { payForPackage, type PaymentOptions, type Purchase } from "../support/purchases.ts";
import { newSecret, sign, webhookSignature } from "../support/signing.ts";
import {
  deliver,
  deliverAll,
  expectBought,
  historyOf,
  named,
  PACKAGES,
  signedEvent,
  usePaymentHarness,
} from "../support/payment-harness.ts";
import { first, one } from "../support/lists.ts";
import { newEventId } from "../support/razorpay-ids.ts";
import { basicAuthorization } from "../support/razorpay-auth.ts";

const shop = await usePaymentHarness();
const { control } = shop;

const { credits: CREDITS } = PACKAGES.starter;
const { RAZORPAY_WEBHOOK_SECRET, RAZORPAY_KEY_SECRET } = shop.environment;

const pay = (payment?: PaymentOptions) =>
  payForPackage(control, newPhoneNumber(), "starter", payment);

async function eventsOf({ checkout }: Purchase): Promise<WebhookEvent[]> {
  return await shop.eventsAbout(checkout.razorpay_payment_id);
}

async function capturedEvent(purchase: Purchase): Promise<WebhookEvent> {
  return named(await eventsOf(purchase), "payment.captured");
}

const signed = (body: unknown) => signedEvent(body, RAZORPAY_WEBHOOK_SECRET);

async function deliveryCount(): Promise<number> {
  const { count } = one(
    await shop.sql<{ count: number }[]>`
    select count(*)::integer as count from public.webhook_deliveries`,
  );
  return count;
}

/** The recorded deliveries of an event, oldest first. */
async function deliveriesOf(eventId: string) {
  return [
    ...await shop.sql<{ event: string; payload: string; outcome: string | null }[]>`
    select event, payload::text as payload, outcome from public.webhook_deliveries
    where event_id = ${eventId} order by id`,
  ];
}

Deno.test("a customer whose browser is gone gets the credits by webhook, within Razorpay's time limit", async () => {
  const purchase = await pay({ outcome: "captured", deliver_webhooks: true });
  await control.webhooksDelivered();
  await expectBought(purchase.phone, CREDITS);
  for (const { state, attempts } of await eventsOf(purchase)) {
    strictEqual(state, "delivered");
    deepStrictEqual(attempts.map(({ status, error }) => ({ status, error })), [
      { status: 200, error: null },
    ]);
  }
});

Deno.test("duplicates, further events of the same fact and any order bring the credits once", async () => {
  for (const webhook_order of ["in_order", "reversed", "shuffled", "at_once"] as const) {
    await control.changeSettings({ webhook_order, webhook_duplicates: 2, webhook_event_copies: 2 });
    const purchase = await pay({ outcome: "captured", deliver_webhooks: true });
    await control.webhooksDelivered();
    await expectBought(purchase.phone, CREDITS);
    strictEqual((await historyOf(purchase.phone)).length, 1);
  }
  await control.changeSettings({
    webhook_order: "in_order",
    webhook_duplicates: 0,
    webhook_event_copies: 1,
  });
});

interface Forgery {
  name: string;
  forge(event: WebhookEvent): { body: string; signature: string };
}

const FORGERIES: Forgery[] = [
  { name: "without a signature", forge: ({ body }) => ({ body, signature: "" }) },
  {
    name: "with a signature of its own invention",
    forge: ({ body }) => ({ body, signature: randomBytes(32).toString("hex") }),
  },
  {
    name: "signed with another secret",
    forge: ({ body }) => ({ body, signature: sign(body, newSecret()) }),
  },
  {
    name: "signed with the API key's secret",
    forge: ({ body }) => ({ body, signature: sign(body, RAZORPAY_KEY_SECRET) }),
  },
  {
    name: "signed in upper case",
    forge: ({ body, signature }) => ({ body, signature: signature.toUpperCase() }),
  },
  {
    name: "with half of the signature",
    forge: ({ body, signature }) => ({ body, signature: signature.slice(0, 32) }),
  },
  {
    name: "with the signature of another event",
    forge: ({ body }) => ({
      body,
      signature: sign('{"event":"payment.captured"}', RAZORPAY_WEBHOOK_SECRET),
    }),
  },
  {
    name: "for a larger amount",
    forge: ({ body, signature }) => ({
      body: body.replaceAll('"amount":9900', '"amount":9901'),
      signature,
    }),
  },
  {
    name: "that was parsed and written again",
    forge: ({ body, signature }) => ({
      body: JSON.stringify(JSON.parse(body), null, 1),
      signature,
    }),
  },
  {
    name: "that was cut off",
    forge: ({ body, signature }) => ({ body: body.slice(0, -1), signature }),
  },
  {
    name: "with a line end behind it",
    forge: ({ body, signature }) => ({ body: `${body}\n`, signature }),
  },
  { name: "without a body", forge: ({ signature }) => ({ body: "", signature }) },
];

Deno.test.each(FORGERIES)("an event $name changes nothing", async ({ forge }) => {
  const purchase = await pay();
  const event = await capturedEvent(purchase);
  const before = await deliveryCount();
  expectError(await deliver({ id: event.id, ...forge(event) }), {
    httpStatus: 401,
    code: "INVALID_WEBHOOK_SIGNATURE",
    message: "Invalid webhook signature",
  });
  strictEqual(await deliveryCount(), before);
  await expectBought(purchase.phone, 0);
});

Deno.test.each([
  ["empty", ""],
  ["not JSON", "payment.captured"],
  ["cut off before it was signed", '{"event":"payment.captured","payload":{'],
  ["a list", "[]"],
  ["without an event", "{}"],
  ["with an event that is no text", '{"event":1}'],
  ["with a payload that is no object", '{"event":"payment.captured","payload":"x"}'],
])("a signed body that is %s is refused and changes nothing", async (_, body) => {
  const before = await deliveryCount();
  const answer = await deliver(signed(body));
  strictEqual(answer.httpStatus, 400);
  strictEqual(await deliveryCount(), before);
});

Deno.test("without a configured secret nothing gets in, not even what is signed with an empty one", async () => {
  const purchase = await pay();
  const { id, body } = await capturedEvent(purchase);
  const emptySecrets = [undefined, "", "   "];
  for (const secret of emptySecrets) {
    const variables = {
      RAZORPAY_WEBHOOK_SECRET: secret,
      RAZORPAY_WEBHOOK_SECRET_PREVIOUS: secret,
    };
    await withEnvironment(variables, async () => {
      for (
        const signature of [
          sign(body, RAZORPAY_WEBHOOK_SECRET),
          sign(body, ""),
          sign(body, "   "),
          "",
        ]
      ) {
        expectError(await deliver({ id, body, signature }), {
          httpStatus: 401,
          code: "INVALID_WEBHOOK_SIGNATURE",
        });
      }
    });
  }
  await expectBought(purchase.phone, 0);
});

Deno.test("while the secret is changed the old and the new one are good, and afterwards the new one", async () => {
  const [before, during, after] = [await pay(), await pay(), await pay()];
  const secret = newSecret();
  const withSecret = async (purchase: Purchase, secret: string) => {
    const { id, body } = await capturedEvent(purchase);
    return deliver({ id, body, signature: sign(body, secret) });
  };
  const rotation = {
    RAZORPAY_WEBHOOK_SECRET: secret,
    RAZORPAY_WEBHOOK_SECRET_PREVIOUS: RAZORPAY_WEBHOOK_SECRET,
  };
  await withEnvironment(rotation, async () => {
    dataOf(await withSecret(before, RAZORPAY_WEBHOOK_SECRET));
    dataOf(await withSecret(during, secret));
  });
  await withEnvironment(
    { ...rotation, RAZORPAY_WEBHOOK_SECRET_PREVIOUS: undefined },
    async () => {
      expectError(await withSecret(after, RAZORPAY_WEBHOOK_SECRET), {
        httpStatus: 401,
        code: "INVALID_WEBHOOK_SIGNATURE",
      });
      dataOf(await withSecret(after, secret));
    },
  );
  for (const { phone } of [before, during, after]) await expectBought(phone, CREDITS);
});

Deno.test("a captured delivery that is sent again under other event ids, or none, counts once", async () => {
  const purchase = await pay();
  const event = await capturedEvent(purchase);
  const outcomes = await deliverAll([
    event,
    ...Array.from({ length: 3 }, () => ({ ...event, id: newEventId() })),
    { body: event.body, signature: event.signature },
  ]);
  deepStrictEqual(outcomes, ["settled", "replayed", "replayed", "replayed", "replayed"]);
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("what Razorpay's dashboard replays counts once", async () => {
  const purchase = await pay();
  const ids = (await eventsOf(purchase)).map(({ id }) => id);
  for (const new_event_ids of [false, true]) {
    await control.deliverWebhooks({ event_ids: ids, new_event_ids });
    await control.webhooksDelivered();
  }
  await expectBought(purchase.phone, CREDITS);
  strictEqual((await historyOf(purchase.phone)).length, 1);
});

Deno.test("every signed delivery is kept, with what became of it and of the money, and with no name", async () => {
  const payer = {
    contact: newPhoneNumber(),
    email: "payer@shop.example",
    notes: { name: "Priya" },
  };
  const purchase = await pay({ outcome: "captured", ...payer });
  const { id, body, signature } = await capturedEvent(purchase);
  await deliverAll([{ id, body, signature }, { id, body, signature }]);
  const deliveries = await deliveriesOf(id);
  deepStrictEqual(deliveries.map(({ event, outcome }) => [event, outcome]), [
    ["payment.captured", "settled"],
    ["payment.captured", "replayed"],
  ]);
  for (const { payload } of deliveries) {
    const sent = JSON.parse(body);
    const kept = JSON.parse(payload);
    const entity = sent.payload.payment.entity;
    deepStrictEqual(kept, {
      ...sent,
      payload: {
        payment: {
          entity: {
            ...Object.fromEntries(Object.keys(entity).map((name) => [name, null])),
            id: purchase.checkout.razorpay_payment_id,
            order_id: purchase.checkout.razorpay_order_id,
            entity: "payment",
            amount: PACKAGES.starter.amountPaise,
            base_amount: entity.base_amount,
            amount_refunded: 0,
            currency: "INR",
            status: "captured",
            method: entity.method,
            captured: true,
            international: false,
            fee: entity.fee,
            tax: entity.tax,
            created_at: entity.created_at,
          },
        },
      },
    });
    strictEqual(entity.email, payer.email);
  }
});

Deno.test("a body is kept by what its fields mean, whatever they hold", () => {
  const kept = (entity: unknown) =>
    JSON.parse(blankedPayload(JSON.stringify({ payload: { payment_link: { entity } } })))
      .payload.payment_link.entity;
  deepStrictEqual(
    kept({
      id: "plink_RB58MiP5SPFYyM",
      status: "+919876543210",
      receipt: "9876543210",
      reference_id: "0123456789abcdef0123456789abcdef",
      order_id: { contact: "+919876543210" },
      contains: ["payment", "+919876543210", { name: "Priya" }],
      customer: { name: "Priya", amount: 1 },
      "+919876543210": 1,
      amount: 9_900,
      expire_by: null,
      short_url: "https://rzp.io/i/priya",
      error_reason: "payment_failed\u0000",
    }),
    {
      id: "plink_RB58MiP5SPFYyM",
      status: null,
      receipt: null,
      reference_id: "0123456789abcdef0123456789abcdef",
      order_id: null,
      contains: ["payment", null, null],
      customer: null,
      amount: 9_900,
      expire_by: null,
      short_url: null,
      error_reason: null,
    },
  );
});

Deno.test.each(["Priya", "priya_sharma", 919876543210, "9876543210", ["Priya"]])(
  "a receipt that is not ours is not kept: %j",
  (receipt) => {
    const body = { payload: { order: { entity: { receipt, reference_id: receipt } } } };
    deepStrictEqual(
      JSON.parse(blankedPayload(JSON.stringify(body))),
      { payload: { order: { entity: { receipt: null, reference_id: null } } } },
    );
  },
);

Deno.test.each([false, true])(
  "notes in any script change nothing and are not kept, escaped: %s",
  async (webhook_escape_non_ascii) => {
    await control.changeSettings({ webhook_escape_non_ascii });
    const purchase = await pay({
      outcome: "captured",
      notes: { name: "प्रिया \u0000 🙂 </script>", "'; drop table users; --": "1" },
    });
    await control.changeSettings({ webhook_escape_non_ascii: false });
    const event = await capturedEvent(purchase);
    dataOf(await deliver(event));
    const { payload } = first(await deliveriesOf(event.id));
    strictEqual(JSON.parse(payload).payload.payment.entity.notes, null);
    await expectBought(purchase.phone, CREDITS);
  },
);

Deno.test.each([
  "payment.downtime.started",
  "settlement.processed",
  "subscription.charged",
  "an event that does not exist yet",
])("the event %s is kept and acknowledged", async (name) => {
  const event = signed({
    entity: "event",
    event: name,
    contains: ["something"],
    payload: { something: { entity: { id: "some_00000000000000" } } },
    created_at: 1_750_000_000,
  });
  deepStrictEqual(await deliverAll([event]), ["ignored"]);
  deepStrictEqual(await deliveriesOf(event.id), [
    {
      event: name,
      payload: JSON.stringify({
        entity: "event",
        event: /^[a-z.]+$/.test(name) ? name : null,
        contains: ["something"],
        payload: { something: null },
        created_at: 1_750_000_000,
      }),
      outcome: "ignored",
    },
  ]);
});

Deno.test("an event without a payload is kept and acknowledged", async () => {
  deepStrictEqual(
    await deliverAll([signed({ event: "x" }), signed({ event: "x", payload: null })]),
    ["ignored", "ignored"],
  );
});

Deno.test("payments that are not for this system are kept and acknowledged", async () => {
  const { id: withoutOrder } = await control.payWithoutOrder({
    outcome: "captured",
    amount: 9_900,
    deliver_webhooks: false,
  });
  const ofAnotherShop = await otherShopsOrder();
  const { razorpay_payment_id } = await control.payOrder(ofAnotherShop, {
    outcome: "captured",
    deliver_webhooks: false,
  });
  for (const paymentId of [withoutOrder, razorpay_payment_id]) {
    for (const event of await shop.eventsAbout(paymentId)) {
      deepStrictEqual(await deliverAll([event]), ["not_ours"]);
      strictEqual(one(await deliveriesOf(event.id)).outcome, "not_ours");
    }
  }
});

/** An order that another system made with the same Razorpay account, whose receipt looks like ours. */
async function otherShopsOrder(): Promise<string> {
  const { RAZORPAY_KEY_ID } = shop.environment;
  const response = await fetch(`${shop.razorpay.url}/v1/orders`, {
    method: "POST",
    headers: { authorization: basicAuthorization(RAZORPAY_KEY_ID, RAZORPAY_KEY_SECRET) },
    body: JSON.stringify({
      amount: 9_900,
      currency: "INR",
      receipt: randomBytes(16).toString("hex"),
    }),
  });
  return z.object({ id: z.string() }).parse(await response.json()).id;
}

Deno.test("a payment event that cannot be understood is kept, and Razorpay is asked to send it again", async () => {
  const event = signed({
    event: "payment.captured",
    payload: { payment: { entity: { id: "pay_00000000000000", amount: "9900" } } },
  });
  expectError(await deliver(event), { httpStatus: 500, code: "INTERNAL" });
  strictEqual(one(await deliveriesOf(event.id)).outcome, "failed");
});

Deno.test("an id that no database could hold does not keep the event from being kept", async () => {
  const event = signed({
    event: "payment.captured",
    payload: { payment: { entity: { id: "pay_\0", order_id: "\0" } } },
  });
  expectError(await deliver(event), { httpStatus: 500, code: "INTERNAL" });
  strictEqual(one(await deliveriesOf(event.id)).outcome, "failed");
});

Deno.test("what another system sells for more than any order of ours can be for is ignored", async () => {
  const amount = 3_000_000_000;
  const payment = {
    id: `pay_${"1".repeat(14)}`,
    order_id: await otherShopsOrder(),
    amount,
    currency: "INR",
    status: "refunded",
  };
  const refund = {
    id: `rfnd_${"1".repeat(14)}`,
    amount,
    status: "processed",
    created_at: 1_795_419_082,
  };
  const event = signed({
    event: "refund.processed",
    payload: { payment: { entity: payment }, refund: { entity: refund } },
  });
  const whileRazorpayIsAway = { RAZORPAY_API_URL: closedUrl() };
  await withEnvironment(whileRazorpayIsAway, async () => {
    strictEqual(dataOf(await deliver(event)).outcome, "ignored");
  });
});

/** The documented sample of a mandate that is registered: a payment of nothing. */
const MANDATE = {
  id: "pay_FHf9a7AO0iXM9I",
  order_id: "order_FHf9OwSeyetnKC",
  amount: 0,
  currency: "INR",
  method: "emandate",
};

Deno.test.each([
  ["payment.authorized", { ...MANDATE, status: "authorized" }],
  ["payment.captured", { ...MANDATE, status: "captured" }],
  ["payment.failed", { ...MANDATE, status: "failed" }],
  ["payment.pending", { ...MANDATE, amount: 9_900, method: "cod", status: "pending" }],
])(
  "%s of another system's free or unpaid payment is kept and acknowledged",
  async (name, entity) => {
    const event = signed({ event: name, payload: { payment: { entity } } });
    deepStrictEqual(await deliverAll([event]), ["ignored"]);
    const kept = one(
      await shop.sql`
    select outcome, razorpay_order_id, razorpay_payment_id from public.webhook_deliveries
    where event_id = ${event.id}`,
    );
    deepStrictEqual(
      { ...kept },
      { outcome: "ignored", razorpay_order_id: MANDATE.order_id, razorpay_payment_id: MANDATE.id },
    );
  },
);

Deno.test("the log names the event by a name such as Razorpay's, and by nothing else", async () => {
  const lines = await logOf(async () => {
    await deliver(signed({ event: "payment.captured" }));
    await deliver(signed({ event: "+919876543210" }));
  });
  const [named, other] = lines.map((line) => logLine.parse(JSON.parse(line)));
  strictEqual(named?.event, "payment.captured");
  deepStrictEqual([other?.outcome, other?.event], ["ignored", undefined]);
});

Deno.test("an event as large as Razorpay's limit for notes is taken, and a larger body is refused", async () => {
  const padded = (size: number) => signed(`{"event":"x","padding":"${"x".repeat(size)}"}`);
  dataOf(await deliver(padded(200 * 1024)));
  expectError(await deliver(padded(256 * 1024)), { httpStatus: 413, code: "BODY_TOO_LARGE" });
});

Deno.test("a body without the form of a signature is not waited for, nor one that says it is too large", async () => {
  const neverEnding = () => new ReadableStream({ pull: () => new Promise(() => {}) });
  const refusal = { httpStatus: 401, code: "INVALID_WEBHOOK_SIGNATURE" };
  for (const signature of [undefined, "", "x", "0".repeat(63), "F".repeat(64)]) {
    const headers = signature === undefined ? {} : { "x-razorpay-signature": signature };
    const body = neverEnding();
    expectError(await call("POST", "razorpay-webhook", { body, headers }), refusal);
  }
  const headers = { "x-razorpay-signature": "0".repeat(64), "content-length": "90000000" };
  const body = neverEnding();
  expectError(await call("POST", "razorpay-webhook", { body, headers }), {
    httpStatus: 413,
    code: "BODY_TOO_LARGE",
  });
});

Deno.test("an event in many small pieces verifies as the whole", async () => {
  const text = `{"event":"x","padding":"${"é".repeat(40_000)}"}`;
  const bytes = new TextEncoder().encode(text);
  const headers = {
    ...webhookSignature(text, RAZORPAY_WEBHOOK_SECRET),
    "x-razorpay-event-id": newEventId(),
  };
  for (const size of [1_000, 2_048, 4_097, 70_000]) {
    const pieces = Array.from(
      { length: Math.ceil(bytes.length / size) },
      (_, index) => bytes.slice(index * size, (index + 1) * size),
    );
    const body = ReadableStream.from(pieces);
    dataOf(await call("POST", "razorpay-webhook", { body, headers }));
  }
});

Deno.test("while the database is away Razorpay is told to come back, and its retry brings the credits", async () => {
  const purchase = await pay();
  const event = await capturedEvent(purchase);
  await withEnvironment({ SUPABASE_URL: closedUrl() }, async () => {
    expectError(await deliver(event), { httpStatus: 503, code: "UNAVAILABLE" });
    await control.deliverWebhooks({ event_ids: [event.id] });
    await control.webhooksDelivered({ until: "attempted" });
  });
  await control.webhooksDelivered();
  await expectBought(purchase.phone, CREDITS);
  const delivered = await capturedEvent(purchase);
  strictEqual(delivered.state, "delivered");
  ok(delivered.attempts.length > 1);
  strictEqual(first(delivered.attempts).status, 503);
});

Deno.test("the webhook is only for POST, and needs no other proof than the signature", async () => {
  const response = await fetch(shop.webhookUrl);
  await response.body?.cancel();
  strictEqual(response.status, 405);
  const event = signed({ event: "x" });
  const headers = { "x-razorpay-signature": event.signature, authorization: "Bearer nonsense" };
  dataOf(await call("POST", "razorpay-webhook", { body: event.body, headers }));
});

Deno.test("bytes that are not UTF-8 are refused, signed or not", async () => {
  const bytes = new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]);
  const headers = webhookSignature(bytes, RAZORPAY_WEBHOOK_SECRET);
  expectError(await call("POST", "razorpay-webhook", { body: bytes, headers }), {
    httpStatus: 400,
    code: "INVALID_JSON",
  });
});
