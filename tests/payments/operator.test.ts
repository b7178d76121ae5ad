/**
 * What an operator sees and does: an order's whole life in one look, what needs attention, and a
 * stuck order settled by hand under a name.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { z } from "zod";
import { assertBooksAreRight } from "../support/backend.ts";
import { type Answer, call, dataOf, expectError } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, orderPackage, payForPackage, type Purchase } from "../support/purchases.ts";
import {
  deliverAll,
  expectBought,
  openShop,
  operatorHeaders,
  PACKAGES,
  post,
} from "../support/payment-harness.ts";

const shop = await openShop();
const { control } = shop;
Deno.test.afterAll(() => shop.stop());
Deno.test.beforeEach(() => shop.forgetOrders());
Deno.test.afterEach(async () => {
  await control.clearFaults();
  await assertBooksAreRight(shop.sql);
});

const { credits: CREDITS } = PACKAGES.starter;

const life = z.object({
  order: z.looseObject({ id: z.uuid(), state: z.string(), amount_paise: z.int() }),
  phone_number: z.string(),
  balance: z.int(),
  debt_credits: z.int(),
  payments: z.array(z.looseObject({
    id: z.string(),
    status: z.string(),
    credits_granted: z.int(),
    flag: z.string().nullable(),
    reversals: z.array(z.looseObject({ id: z.string(), credits_taken: z.int() })),
  })),
  transactions: z.array(z.looseObject({ action: z.string(), credits: z.int() })),
  webhook_deliveries: z.array(z.looseObject({ event: z.string(), outcome: z.string().nullable() })),
  operator_actions: z.array(
    z.looseObject({ operator: z.string(), reason: z.string(), outcome: z.string() }),
  ),
});

/** Calls a database function with the project's secret key, as an operator's script does. */
async function rpc(name: string, args: Record<string, unknown>): Promise<unknown> {
  const response = await fetch(`${shop.environment.SUPABASE_URL}/rest/v1/rpc/${name}`, {
    method: "POST",
    headers: { ...operatorHeaders(), "content-type": "application/json" },
    body: JSON.stringify(args),
  });
  strictEqual(response.status, 200);
  return await response.json();
}

async function find(search: string): Promise<z.infer<typeof life>[]> {
  const rows = await rpc("find_payments", { search });
  return z.array(z.object({ life })).parse(rows).map((row) => row.life);
}

const attentionRow = z.object({
  kind: z.string(),
  subject: z.string(),
  since: z.iso.datetime({ offset: true }),
  detail: z.string(),
});

/** What is said about these subjects. */
async function attentionTo(...subjects: string[]): Promise<z.infer<typeof attentionRow>[]> {
  const rows = z.array(attentionRow).parse(await rpc("list_attention", {}));
  return rows.filter(({ subject }) => subjects.includes(subject));
}

function settle(
  fields: Record<string, unknown>,
  headers: Record<string, string> = operatorHeaders(),
): Promise<Answer> {
  return post(
    "settle-order",
    { operator: "Asha", reason: "The customer called", ...fields },
    headers,
  );
}

async function orderIdOf({ checkout }: Purchase): Promise<string> {
  const [{ id }] = await shop.sql<{ id: string }[]>`
    select id from public.payment_orders where razorpay_order_id = ${checkout.razorpay_order_id}`;
  return id;
}

Deno.test("an order is found by every id that anybody may have, with its whole life", async () => {
  const phone = newPhoneNumber();
  const reference_id = randomUUID();
  const { BOT_SECRET } = shop.environment;
  await post(
    "bot-payment-link",
    { phone_number: phone, package_id: "starter", reference_id },
    { "x-bot-secret": BOT_SECRET },
  );
  const [{ id, razorpay_payment_link_id }] = await shop.sql`
    select o.id, o.razorpay_payment_link_id
    from public.payment_orders o
    join public.order_references r on r.order_id = o.id
    where r.reference_id = ${reference_id}`;
  const paid = await control.payPaymentLink(razorpay_payment_link_id, {
    outcome: "captured",
    deliver_webhooks: false,
  });
  const refund = await control.refund(paid.razorpay_payment_id, {
    amount: 4_950,
    deliver_webhooks: false,
  });
  const dispute = await control.openDispute(paid.razorpay_payment_id, { deliver_webhooks: false });
  await deliverAll(await shop.eventsAbout(paid.razorpay_payment_id));
  dataOf(await settle({ order: id }));

  const [expected] = await find(id);
  for (
    const search of [
      id.replaceAll("-", ""),
      paid.razorpay_order_id,
      paid.razorpay_payment_id,
      razorpay_payment_link_id,
      refund.id,
      dispute.id,
      reference_id,
      phone,
    ]
  ) {
    deepStrictEqual(await find(search), [expected], search);
  }

  const { order, payments: [payment], transactions, webhook_deliveries, operator_actions } =
    expected;
  strictEqual(expected.phone_number, phone);
  strictEqual(expected.balance, 13);
  strictEqual(order.state, "paid");
  strictEqual(payment.id, paid.razorpay_payment_id);
  deepStrictEqual(
    payment.reversals.map((reversal) => [reversal.id, reversal.credits_taken]),
    [[refund.id, 10], [dispute.id, 0]],
  );
  deepStrictEqual(transactions.map(({ action, credits }) => `${action} ${credits}`), [
    "credit 20",
    "debit 10",
  ]);
  deepStrictEqual(
    new Set(webhook_deliveries.map(({ event }) => event)),
    new Set([
      "payment.authorized",
      "payment.captured",
      "order.paid",
      "payment_link.paid",
      "refund.created",
      "refund.processed",
      "payment.dispute.created",
    ]),
  );
  strictEqual(operator_actions[0].operator, "Asha");
});

Deno.test("a phone number finds all orders of a user, the newest first, and nobody else's", async () => {
  const phone = newPhoneNumber();
  const first = await buyCredits(control, phone, "starter");
  const second = await buyCredits(control, phone, "popular");
  await buyCredits(control, newPhoneNumber(), "starter");
  deepStrictEqual(
    (await find(phone)).map(({ payments }) => payments[0].id),
    [second, first].map(({ checkout }) => checkout.razorpay_payment_id),
  );
});

Deno.test("what nobody knows finds nothing", async () => {
  for (const search of ["", "%", "'; --", "order_00000000000000", randomUUID(), "+919800000000"]) {
    deepStrictEqual(await find(search), []);
  }
});

Deno.test("a payment that bought nothing needs attention until its money went back", async () => {
  const wrong = await payForPackage(control, newPhoneNumber(), "starter", {
    outcome: "captured",
    amount: 5_000,
  });
  const paid = await buyCredits(control, newPhoneNumber(), "starter");
  const second = await control.payOrder(paid.checkout.razorpay_order_id, {
    outcome: "captured",
    force: true,
    deliver_webhooks: false,
  });
  const ids = [wrong.checkout.razorpay_payment_id, second.razorpay_payment_id];
  for (const id of ids) await deliverAll(await shop.eventsAbout(id));
  deepStrictEqual(
    (await attentionTo(...ids)).map(({ kind, subject, detail }) => [
      kind,
      subject,
      detail.split(":")[0],
    ]),
    [
      ["flagged payment", ids[0], "amount_mismatch"],
      ["flagged payment", ids[1], "second_payment"],
    ],
  );

  for (const id of ids) {
    await control.refund(id, { amount: 2_000, deliver_webhooks: false });
    await deliverAll(await shop.eventsAbout(id));
  }
  strictEqual((await attentionTo(...ids)).length, 2);
  for (const id of ids) {
    await control.refund(id, { deliver_webhooks: false });
    await deliverAll(await shop.eventsAbout(id));
  }
  deepStrictEqual(await attentionTo(...ids), []);
  await expectBought(paid.phone, CREDITS);
});

Deno.test("a debt needs attention until it is paid", async () => {
  const purchase = await buyCredits(control, newPhoneNumber(), "starter");
  const { phone } = purchase;
  await call("POST", "bot-deduct", { body: { phone_number: phone, credits: 23 } });
  await control.refund(purchase.checkout.razorpay_payment_id, { deliver_webhooks: false });
  await shop.reconcile();
  const [{ kind, detail }] = await attentionTo(phone);
  strictEqual(kind, "debt");
  ok(detail.startsWith("20 credits"));
  await buyCredits(control, phone, "starter");
  deepStrictEqual(await attentionTo(phone), []);
});

Deno.test("an order that is open for long needs attention until it is paid or no longer watched", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const id = await orderIdOf(purchase);
  deepStrictEqual(await attentionTo(id), []);
  await shop.sql`
    update public.payment_orders set created_at = created_at - interval '20 minutes'
    where id = ${id}`;
  strictEqual((await attentionTo(id))[0].kind, "open order");
  await shop.reconcile();
  deepStrictEqual(await attentionTo(id), []);
});

Deno.test("a delivery that failed needs attention until the same event got through", async () => {
  const eventId = randomBytes(7).toString("hex");
  const send = (body: string) =>
    post("razorpay-webhook", body, {
      "x-razorpay-event-id": eventId,
      "x-razorpay-signature": createHmac("sha256", shop.environment.RAZORPAY_WEBHOOK_SECRET)
        .update(body).digest("hex"),
    });
  const failing = '{"event":"payment.captured","payload":{"payment":{"entity":{"id":"pay_1"}}}}';
  strictEqual((await send(failing)).httpStatus, 500);
  const [{ id }] = await shop.sql`
    select id::text from public.webhook_deliveries where event_id = ${eventId}`;
  const [{ kind, detail }] = await attentionTo(id);
  strictEqual(kind, "failed delivery");
  strictEqual(detail, `payment.captured ${eventId}: failed`);

  await send('{"event":"payment.captured"}');
  deepStrictEqual(await attentionTo(id), []);
});

Deno.test("a delivery that was cut off needs attention after a minute", async () => {
  const insert = (age: string) =>
    shop.sql<{ id: string }[]>`
    insert into public.webhook_deliveries (event_id, event, payload, received_at)
    values (${randomUUID()}, 'payment.captured', '{}', clock_timestamp() - ${age}::interval)
    returning id::text`;
  const [[{ id: young }], [{ id: old }]] = [await insert("10 seconds"), await insert("2 minutes")];
  const rows = await attentionTo(young, old);
  deepStrictEqual(rows.map(({ subject }) => subject), [old]);
  ok(rows[0].detail.endsWith("cut off"));
});

Deno.test("a stuck order is settled by hand, under the operator's name and reason", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const id = await orderIdOf(purchase);
  const answer = await settle({ order: purchase.checkout.razorpay_order_id });
  strictEqual(answer.body.message, "Razorpay was asked");
  deepStrictEqual(dataOf(answer), { order_id: id, outcomes: ["settled"] });
  await expectBought(purchase.phone, CREDITS);
  deepStrictEqual(dataOf(await settle({ order: id, operator: "Bela" })).outcomes, ["replayed"]);

  const [{ operator_actions }] = await find(id);
  deepStrictEqual(
    operator_actions.map(({ operator, reason, outcome }) => [operator, reason, outcome]),
    [
      ["Asha", "The customer called", "settled"],
      ["Bela", "The customer called", "replayed"],
    ],
  );
});

Deno.test("an order that nobody paid is settled by nothing, and the question is kept", async () => {
  const orderId = await orderPackage(newPhoneNumber(), "starter");
  deepStrictEqual(dataOf(await settle({ order: orderId })).outcomes, []);
  const [{ operator_actions }] = await find(orderId);
  strictEqual(operator_actions[0].outcome, "no payment");
});

Deno.test("an order that is no longer watched can still be settled by hand", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  await shop.sql`
    update public.payment_orders
    set created_at = created_at - interval '30 days', next_check_at = null
    where razorpay_order_id = ${purchase.checkout.razorpay_order_id}`;
  await shop.reconcile();
  await expectBought(purchase.phone, 0);
  dataOf(await settle({ order: purchase.checkout.razorpay_order_id }));
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("an operator who names no order, or more than one, is told so", async () => {
  const phone = newPhoneNumber();
  await buyCredits(control, phone, "starter");
  await buyCredits(control, phone, "starter");
  expectError(await settle({ order: randomUUID() }), {
    httpStatus: 404,
    code: "ORDER_NOT_FOUND",
    message: "Order not found",
  });
  expectError(await settle({ order: phone }), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: "order names more than one order; give an id of the one you mean",
  });
});

Deno.test.each(
  [
    ["order", undefined, "MISSING_FIELD"],
    ["operator", undefined, "MISSING_FIELD"],
    ["reason", "", "MISSING_FIELD"],
    ["operator", "   ", "INVALID_REQUEST"],
    ["reason", "\n", "INVALID_REQUEST"],
    ["order", "x".repeat(101), "INVALID_REQUEST"],
  ] as const,
)("settle-order does nothing for the %s %j: %s", async (field, value, code) => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const order = purchase.checkout.razorpay_order_id;
  expectError(await settle({ order, [field]: value }), { httpStatus: 400, code });
  await expectBought(purchase.phone, 0);
});

Deno.test("settle-order is for the holder of the secret key", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const { SUPABASE_PUBLISHABLE_KEY, BOT_SECRET } = shop.environment;
  const strangers: Record<string, string>[] = [
    {},
    { apikey: SUPABASE_PUBLISHABLE_KEY },
    { authorization: `Bearer ${SUPABASE_PUBLISHABLE_KEY}` },
    { "x-bot-secret": BOT_SECRET },
  ];
  for (const headers of strangers) {
    expectError(await settle({ order: purchase.checkout.razorpay_order_id }, headers), {
      httpStatus: 401,
      code: "INVALID_SECRET_KEY",
    });
  }
  await expectBought(purchase.phone, 0);
});

Deno.test("while Razorpay cannot be asked, settle-order says so and books nothing", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const order = purchase.checkout.razorpay_order_id;
  await control.addFault({ kind: "500" });
  expectError(await settle({ order }), { httpStatus: 503, code: "GATEWAY_UNAVAILABLE" });
  await expectBought(purchase.phone, 0);
  deepStrictEqual(dataOf(await settle({ order })).outcomes, ["settled"]);
});

Deno.test("what an operator did cannot be changed or taken off the record", async () => {
  const orderId = await orderPackage(newPhoneNumber(), "starter");
  dataOf(await settle({ order: orderId }));
  for (
    const statement of [
      "update public.operator_actions set operator = 'Nobody'",
      "delete from public.operator_actions",
      "truncate public.operator_actions",
    ]
  ) {
    await rejects(shop.sql.unsafe(statement), /append-only/);
  }
});

Deno.test.each(["anon", "authenticated"])(
  "the role %s can neither look up payments nor see what needs attention",
  async (role) => {
    for (
      const query of [
        "select public.find_payments('+919800000000')",
        "select public.list_attention()",
        "select public.record_operator_action(gen_random_uuid(), 'x', 'y', 'z')",
        "select public.claim_orders_to_check(1, 'test')",
        "select public.settle_payment('order_1', 'pay_1', 'captured', 100, 'INR')",
        "select * from public.payments",
        "select * from public.webhook_deliveries",
      ]
    ) {
      const asRole = shop.sql.begin(async (sql) => {
        await sql.unsafe(`set local role ${role}`);
        await sql.unsafe(query);
      });
      await rejects(asRole, /permission denied/, query);
    }
  },
);
