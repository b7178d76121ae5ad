/**
 * What an operator sees: everything about an order in one look, and what needs attention.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { call, dataOf } from "../support/calls.ts";
import { attentionTo, findPayments } from "../support/operator-queries.ts";
import {
  deliver,
  deliverAll,
  expectBought,
  PACKAGES,
  settleByHand,
  signedEvent,
  usePaymentHarness,
} from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, orderPackage, payForPackage } from "../support/purchases.ts";
import { sign } from "../support/signing.ts";
import { one } from "../support/lists.ts";
import { withLimit } from "../support/rate-limits.ts";
import { newEventId, newOrderId, newPaymentId } from "../support/razorpay-ids.ts";

const shop = await usePaymentHarness();
const { control } = shop;

const { credits: CREDITS } = PACKAGES.starter;

const find = (search: string) => findPayments(shop, search);

Deno.test("an order is found by every id that anybody may have, with everything recorded about it", async () => {
  const phone = newPhoneNumber();
  const reference_id = randomUUID();
  const body = { phone_number: phone, package_id: "starter", reference_id };
  await call("POST", "bot-payment-link", { body });
  const { id, razorpay_payment_link_id } = one(
    await shop.sql`
    select o.id, o.razorpay_payment_link_id
    from public.payment_orders o
    join public.order_references r on r.order_id = o.id
    where r.reference_id = ${reference_id}`,
  );
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
  dataOf(await settleByHand({ order: id }));

  const expected = one(await find(id));
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

  const { order, payments, transactions, webhook_deliveries, operator_actions } = expected;
  const payment = one(payments);
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
  strictEqual(one(operator_actions).operator, "Asha");
});

Deno.test("a phone number finds all orders of a user, the newest first, and nobody else's", async () => {
  const phone = newPhoneNumber();
  const first = await buyCredits(control, phone, "starter");
  const second = await buyCredits(control, phone, "popular");
  await buyCredits(control, newPhoneNumber(), "starter");
  deepStrictEqual(
    (await find(phone)).map(({ payments }) => one(payments).id),
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
    (await attentionTo(shop, ...ids)).map(({ kind, subject, detail }) => [
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
  strictEqual((await attentionTo(shop, ...ids)).length, 2);
  for (const id of ids) {
    await control.refund(id, { deliver_webhooks: false });
    await deliverAll(await shop.eventsAbout(id));
  }
  deepStrictEqual(await attentionTo(shop, ...ids), []);
  await expectBought(paid.phone, CREDITS);
});

Deno.test("a debt needs attention until it is paid", async () => {
  const purchase = await buyCredits(control, newPhoneNumber(), "starter");
  const { phone } = purchase;
  await call("POST", "bot-deduct", { body: { phone_number: phone, credits: 23 } });
  await control.refund(purchase.checkout.razorpay_payment_id, { deliver_webhooks: false });
  await shop.reconcile();
  const { kind, detail } = one(await attentionTo(shop, phone));
  strictEqual(kind, "debt");
  ok(detail.startsWith("20 credits"));
  await buyCredits(control, phone, "starter");
  deepStrictEqual(await attentionTo(shop, phone), []);
});

Deno.test("the entries of an order are found after its account was merged into another one", async () => {
  const [from, into] = [newPhoneNumber(), newPhoneNumber()];
  const purchase = await buyCredits(control, from, "starter");
  await call("POST", "bot-deduct", { body: { phone_number: into } });
  await control.refund(purchase.checkout.razorpay_payment_id, {
    amount: 4_950,
    deliver_webhooks: false,
  });
  await shop.reconcile();
  await shop.sql`
    select public.merge_users(a.user_id, b.user_id)
    from public.identities a, public.identities b
    where a.value = ${from} and b.value = ${into}`;
  const { transactions, balance } = one(await find(purchase.checkout.razorpay_payment_id));
  deepStrictEqual(transactions.map(({ action, credits }) => `${action} ${credits}`), [
    "credit 20",
    "debit 10",
  ]);
  strictEqual(balance, 2 + 3 + 10);
});

/** Returns a signed event about the payment of a starter package. */
function paymentEvent(name: string, orderId: string, paymentId: string, more: object = {}) {
  const entity = {
    id: paymentId,
    order_id: orderId,
    amount: PACKAGES.starter.amountPaise,
    currency: "INR",
    status: name.startsWith("payment.") ? name.split(".")[1] : "captured",
    ...more,
  };
  return signedEvent(
    { event: name, payload: { payment: { entity } } },
    shop.environment.RAZORPAY_WEBHOOK_SECRET,
  );
}

Deno.test("an event with characters that no text can hold hides nothing from an operator", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const { razorpay_order_id, razorpay_payment_id } = purchase.checkout;
  // Text that anyone who opens Checkout may choose.
  const notes = { nul: "a\u0000b", half: "\ud800" };
  const captured = (orderId: string, paymentId: string) =>
    paymentEvent("payment.captured", orderId, paymentId, { notes });
  const event = captured(razorpay_order_id, razorpay_payment_id);
  ok(event.body.includes("\\u0000") && event.body.includes("\\ud800"));
  deepStrictEqual(await deliverAll([event]), ["settled"]);
  for (const search of [purchase.phone, razorpay_order_id, razorpay_payment_id]) {
    const { webhook_deliveries } = one(await find(search));
    deepStrictEqual(webhook_deliveries.map(({ outcome }) => outcome), ["settled"]);
  }

  const stray = newPaymentId();
  deepStrictEqual(await deliverAll([captured(newOrderId(), stray)]), ["not_ours"]);
  strictEqual(one(await attentionTo(shop, stray)).kind, "payment of no order");
});

Deno.test("an order that somebody tried to pay needs attention until it is paid or no longer watched", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter", { outcome: "failed" });
  const untouched = await orderPackage(newPhoneNumber(), "starter");
  const { razorpay_order_id, razorpay_payment_id } = purchase.checkout;
  const id = await shop.orderIdOf(purchase);
  const untouchedId = await shop.orderIdOf({
    checkout: { ...purchase.checkout, razorpay_order_id: untouched },
  });
  await deliverAll(await shop.eventsAbout(razorpay_payment_id));
  deepStrictEqual(await attentionTo(shop, id, untouchedId), []);
  await shop.sql`
    update public.payment_orders set created_at = created_at - interval '20 minutes'
    where id in ${shop.sql([id, untouchedId])}`;
  const { kind, detail } = one(await attentionTo(shop, id, untouchedId));
  strictEqual(kind, "open order");
  ok(detail.endsWith(`${razorpay_payment_id} failed`));

  await control.payOrder(razorpay_order_id, { outcome: "captured", deliver_webhooks: false });
  await shop.reconcile();
  deepStrictEqual(await attentionTo(shop, id, untouchedId), []);
});

Deno.test("captured money of no order needs attention until it is booked or refunded, for 30 days", async () => {
  const strayOrder = newOrderId();
  const [booked, refunded, old, failed] = [
    newPaymentId(),
    newPaymentId(),
    newPaymentId(),
    newPaymentId(),
  ] as const;
  for (const id of [booked, refunded, old]) {
    deepStrictEqual(
      await deliverAll([
        paymentEvent("payment.captured", strayOrder, id),
        paymentEvent("order.paid", strayOrder, id),
      ]),
      ["not_ours", "not_ours"],
    );
  }
  await deliverAll([paymentEvent("payment.failed", strayOrder, failed)]);
  deepStrictEqual(
    (await attentionTo(shop, booked, refunded, old, failed)).map(({ kind, subject }) => [
      kind,
      subject,
    ]),
    [booked, refunded, old].map((id) => ["payment of no order", id]),
  );

  // The order turns out to be ours.
  const ours = await orderPackage(newPhoneNumber(), "starter");
  await shop.sql`
    update public.payment_orders set razorpay_order_id = ${strayOrder}
    where razorpay_order_id = ${ours}`;
  deepStrictEqual(await deliverAll([paymentEvent("payment.captured", strayOrder, booked)]), [
    "settled",
  ]);
  await deliverAll([paymentEvent("refund.processed", newOrderId(), refunded)]);
  await shop.sql`
    update public.webhook_deliveries set received_at = received_at - interval '31 days'
    where razorpay_payment_id = ${old}`;
  deepStrictEqual(await attentionTo(shop, booked, refunded, old), []);
});

Deno.test("a limit for everybody together needs attention as soon as it is reached", async () => {
  await withLimit(shop.sql, "create_order", 2, async () => {
    await orderPackage(newPhoneNumber(), "starter");
    deepStrictEqual(await attentionTo(shop, "create_order"), []);
    await orderPackage(newPhoneNumber(), "starter");
    strictEqual(one(await attentionTo(shop, "create_order")).kind, "limit reached");
    await shop.sql`update public.rate_counters set window_ends_at = clock_timestamp()`;
    deepStrictEqual(await attentionTo(shop, "create_order"), []);
  });
});

Deno.test("a delivery that failed needs attention until the same event got through", async () => {
  const eventId = newEventId();
  const send = (body: string) =>
    deliver({
      id: eventId,
      body,
      signature: sign(body, shop.environment.RAZORPAY_WEBHOOK_SECRET),
    });
  const failing = '{"event":"payment.captured","payload":{"payment":{"entity":{"id":"pay_1"}}}}';
  strictEqual((await send(failing)).httpStatus, 500);
  const { id } = one(
    await shop.sql`
    select id::text from public.webhook_deliveries where event_id = ${eventId}`,
  );
  const { kind, detail } = one(await attentionTo(shop, id));
  strictEqual(kind, "failed delivery");
  strictEqual(detail, `payment.captured ${eventId}: failed`);

  await send('{"event":"payment.captured"}');
  deepStrictEqual(await attentionTo(shop, id), []);
});

Deno.test("a delivery that failed and has no event id is not taken for a later one", async () => {
  const [failed] = await shop.sql<{ id: string }[]>`
    insert into public.webhook_deliveries (event_id, event, payload, outcome, finished_at)
    values ('', 'payment.captured', '{}', 'failed', clock_timestamp()),
      ('', 'payment.captured', '{}', 'settled', clock_timestamp())
    returning id::text`;
  strictEqual(one(await attentionTo(shop, failed?.id ?? "")).kind, "failed delivery");
});

Deno.test("a delivery that was cut off needs attention after a minute", async () => {
  const insert = (age: string) =>
    shop.sql<{ id: string }[]>`
    insert into public.webhook_deliveries (event_id, event, payload, received_at)
    values (${randomUUID()}, 'payment.captured', '{}', clock_timestamp() - ${age}::interval)
    returning id::text`;
  const young = one(await insert("10 seconds")).id;
  const old = one(await insert("2 minutes")).id;
  const rows = await attentionTo(shop, young, old);
  deepStrictEqual(rows.map(({ subject }) => subject), [old]);
  ok(one(rows).detail.endsWith("cut off"));
});

Deno.test("what an operator did cannot be changed or taken off the record", async () => {
  const orderId = await orderPackage(newPhoneNumber(), "starter");
  dataOf(await settleByHand({ order: orderId }));
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
