/**
 * What the bot is told: which event each change leads to, once, and in the same transaction.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { EVENTS } from "shared/contract/events.ts";
import { call, dataOf } from "../support/calls.ts";
import { type EventListener, listenForEvents } from "../../local/prove/load/event-listener.ts";
import { deliverTo, forgetEvents, toldAbout, typesToldAbout } from "../support/events.ts";
import { at, one } from "../support/lists.ts";
import {
  deliver,
  deliverAll,
  named,
  PACKAGES,
  spend,
  usePaymentHarness,
} from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, orderPackage, payForPackage, verify } from "../support/purchases.ts";

const shop = await usePaymentHarness();
const { control, sql } = shop;
Deno.test.beforeEach(() => forgetEvents(sql));

const { credits: CREDITS, amountPaise: AMOUNT } = PACKAGES.starter;

async function creditsOf(phone: string): Promise<Record<string, unknown>> {
  return dataOf(await call("GET", `bot-credits/${phone}`));
}

/** Delivers what is new to a bot, and returns what arrived. */
async function arriving(): Promise<EventListener["arrivals"]> {
  await using listener = listenForEvents(shop.secrets.eventsSecret);
  await deliverTo([listener.url]);
  deepStrictEqual(listener.unsigned, []);
  return listener.arrivals;
}

/** A payment link of the bot, and Razorpay's id of it. */
async function linkFor(phone: string, reference: string): Promise<string> {
  const body = { phone_number: phone, package_id: "starter", reference_id: reference };
  const { short_url } = dataOf(await call("POST", "bot-payment-link", { body }));
  const { id } = one(
    await sql<{ id: string }[]>`
    select razorpay_payment_link_id as id from public.payment_orders
    where short_url = ${String(short_url)}`,
  );
  return id;
}

Deno.test("a paid link is told with the bot's reference, the balance, and who it is about", async () => {
  const phone = newPhoneNumber();
  const id = await linkFor(phone, "message-1");
  const { razorpay_payment_id } = await control.payPaymentLink(id, {
    outcome: "captured",
    deliver_webhooks: false,
  });
  await deliverAll(await shop.eventsAbout(razorpay_payment_id));
  const { type, timestamp, data } = one(await arriving());
  const { event_id, user_id, order_id, ...rest } = data;
  strictEqual(type, "credits.granted");
  ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
  const { id: userId } = dataOf(await call("GET", `users/${phone}`));
  strictEqual(user_id, userId);
  ok(event_id && order_id);
  deepStrictEqual(rest, {
    phone_number: phone,
    credits: 3 + CREDITS,
    remaining_credits: 3 + CREDITS,
    sequence_number: 2,
    package_id: "starter",
    reference_id: "message-1",
    source: "payment",
    credits_added: CREDITS,
    payment_id: razorpay_payment_id,
  });
});

Deno.test("a payment that is reported again and again is told once", async () => {
  const purchase = await buyCredits(control, newPhoneNumber(), "starter");
  await verify(purchase);
  await deliverAll(await shop.eventsAbout(purchase.checkout.razorpay_payment_id));
  await shop.reconcile();
  deepStrictEqual(await typesToldAbout(sql, purchase.phone), ["credits.granted"]);
});

Deno.test("a payment that fails is told once, and so is one by somebody who is no user yet", async () => {
  const phone = newPhoneNumber();
  const orderId = await orderPackage(phone, "starter");
  const failed = await control.payOrder(orderId, { outcome: "failed", deliver_webhooks: false });
  ok("error" in failed || "razorpay_payment_id" in failed);
  const events = await shop.eventsAbout(orderId);
  const failure = named(events, "payment.failed");
  await deliver(failure);
  await deliver(failure);
  const { data } = one(await arriving());
  const { event_id, order_id, payment_id, ...rest } = data;
  ok(event_id && order_id && payment_id);
  deepStrictEqual(rest, {
    user_id: null,
    phone_number: phone,
    credits: null,
    remaining_credits: null,
    sequence_number: null,
    package_id: "starter",
  });
});

Deno.test("a failure that is reported after the order was paid is not told", async () => {
  const phone = newPhoneNumber();
  const orderId = await orderPackage(phone, "starter");
  await control.payOrder(orderId, { outcome: "failed", deliver_webhooks: false });
  await control.payOrder(orderId, { outcome: "captured", deliver_webhooks: false });
  const events = await shop.eventsAbout(orderId);
  await deliver(named(events, "payment.captured"));
  await deliver(named(events, "payment.failed"));
  deepStrictEqual(await typesToldAbout(sql, phone), ["credits.granted"]);
});

Deno.test("a refund tells what it took and what is owed, and a refund that fails, what it gave back", async () => {
  const purchase = await buyCredits(control, newPhoneNumber(), "starter");
  const { phone, checkout: { razorpay_payment_id } } = purchase;
  await spend(phone, 13);
  const { id } = await control.refund(razorpay_payment_id, {
    amount: AMOUNT,
    deliver_webhooks: false,
  });
  await deliverAll(await shop.eventsAbout(id));
  await control.changeRefund(id, { status: "failed", deliver_webhooks: false });
  await deliver(named(await shop.eventsAbout(id), "refund.failed"));
  await deliver(named(await shop.eventsAbout(id), "refund.failed"));
  const [granted, taken, exhausted, restored, ...others] = await toldAbout(sql, phone);
  strictEqual(granted?.type, "credits.granted");
  deepStrictEqual(taken, {
    type: "credits.taken_back",
    data: {
      source: "refund",
      credits_taken: CREDITS,
      debt_credits: 10,
      payment_id: razorpay_payment_id,
      reversal_id: id,
    },
  });
  deepStrictEqual(exhausted, { type: "credits.exhausted", data: {} });
  deepStrictEqual(restored, {
    type: "credits.restored",
    data: {
      source: "refund",
      credits_restored: CREDITS,
      debt_credits: 0,
      payment_id: razorpay_payment_id,
      reversal_id: id,
    },
  });
  deepStrictEqual(others, []);
});

Deno.test("a dispute that is lost and then won takes credits and restores them", async () => {
  const purchase = await buyCredits(control, newPhoneNumber(), "starter");
  const { phone, checkout: { razorpay_payment_id } } = purchase;
  const { id } = await control.openDispute(razorpay_payment_id, {
    amount: AMOUNT,
    deliver_webhooks: false,
  });
  for (const status of ["lost", "won"] as const) {
    await control.changeDispute(id, { status, deliver_webhooks: false });
    const events = await shop.eventsAbout(id);
    await deliverAll(events.filter(({ event }) => event === `payment.dispute.${status}`));
  }
  const told = await toldAbout(sql, phone);
  deepStrictEqual(told.map(({ type }) => type), [
    "credits.granted",
    "credits.taken_back",
    "credits.restored",
  ]);
  deepStrictEqual(at(told, 2).data, {
    source: "dispute",
    credits_restored: CREDITS,
    debt_credits: 0,
    payment_id: razorpay_payment_id,
    reversal_id: id,
  });
});

Deno.test("a reservation that expires is told with its reference, however it is noticed", async () => {
  for (const notice of ["a call about the user", "the reconciler"]) {
    await forgetEvents(sql);
    const phone = newPhoneNumber();
    const body = { phone_number: phone, reference_id: "job-1", credits: 2 };
    dataOf(await call("POST", "bot-reserve", { body }));
    await sql`
      update public.holds h set created_at = h.created_at - interval '1 hour',
        expires_at = h.expires_at - interval '1 hour'
      from public.users u where u.id = h.user_id and u.phone_number = ${phone}`;
    await sql`
      update public.users set next_hold_expiry_at = clock_timestamp() - interval '50 minutes'
      where phone_number = ${phone}`;
    if (notice === "the reconciler") await shop.reconcile();
    else await spend(phone, 1);
    const { data } = one(
      (await toldAbout(sql, phone)).filter(({ type }) => type === "hold.expired"),
    );
    deepStrictEqual(data, { reference_id: "job-1", released_credits: 2 }, notice);
  }
});

Deno.test("a release and a capture are not told: the bot did them", async () => {
  const phone = newPhoneNumber();
  for (const [reference_id, end] of [["job-1", "bot-release"], ["job-2", "bot-capture"]] as const) {
    const body = { phone_number: phone, reference_id };
    dataOf(await call("POST", "bot-reserve", { body: { ...body, credits: 1 } }));
    dataOf(await call("POST", end, { body }));
  }
  deepStrictEqual(await typesToldAbout(sql, phone), []);
});

Deno.test("whatever is rolled back is not told", async () => {
  const phone = newPhoneNumber();
  await creditsOf(phone);
  await rejects(sql.begin(async (sql) => {
    await sql`select from public.deduct_credits(${phone}, 3)`;
    strictEqual((await sql`select from public.events`).length, 1);
    throw new Error("no");
  }));
  deepStrictEqual(await typesToldAbout(sql, phone), []);
});

Deno.test("everything that is told fits its contract, and holds no phone number before it is sent", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  await deliverAll(await shop.eventsAbout(purchase.checkout.razorpay_order_id));
  const { phone, checkout: { razorpay_payment_id } } = purchase;
  const failing = await orderPackage(phone, "pro");
  await control.payOrder(failing, { outcome: "failed", deliver_webhooks: false });
  await deliver(named(await shop.eventsAbout(failing), "payment.failed"));
  const dispute = await control.openDispute(razorpay_payment_id, {
    amount: AMOUNT,
    deliver_webhooks: false,
  });
  for (const status of ["lost", "won"] as const) {
    await control.changeDispute(dispute.id, { status, deliver_webhooks: false });
    const events = await shop.eventsAbout(dispute.id);
    await deliverAll(events.filter(({ event }) => event === `payment.dispute.${status}`));
  }
  await spend(phone, CREDITS + 2);
  const body = { phone_number: phone, reference_id: "job-1", credits: 1 };
  dataOf(await call("POST", "bot-reserve", { body }));
  await sql`update public.holds set expires_at = created_at where reference_id = 'job-1'`;
  await sql`update public.users set next_hold_expiry_at = created_at where phone_number = ${phone}`;
  await spend(phone, 1);
  await sql`select private.tell(id, 'user.frozen') from public.users where phone_number = ${phone}`;
  await sql`select private.tell(id, 'user.unfrozen') from public.users where phone_number = ${phone}`;

  const stored = await sql`select to_jsonb(e)::text as row from public.events e`;
  for (const { row } of stored) ok(!row.includes(phone.slice(1)), row);
  const arrived = await arriving();
  for (const { type, text } of arrived) {
    const contract = EVENTS.find((event) => event.type === type);
    ok(contract, type);
    const { error, data } = contract.body.safeParse(JSON.parse(text));
    strictEqual(error, undefined, `${text} ${error}`);
    // Parsing removes what the contract does not name.
    deepStrictEqual(data, JSON.parse(text));
    ok(text.includes(phone));
  }
  deepStrictEqual(
    [...new Set(arrived.map(({ type }) => type))].sort(),
    EVENTS.map(({ type }) => type).sort(),
  );
});
