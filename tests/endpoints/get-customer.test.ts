/**
 * GET get-customer: an operator opens the page of one customer.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { getCustomer } from "shared/contract/get-customer.ts";
import {
  deduct,
  newCustomer,
  newReference,
  passExpiry,
  reserve,
  userIdOf,
} from "../support/bot.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { deliverTo, forgetEvents } from "../support/events.ts";
import { at, first, one } from "../support/lists.ts";
import { act, adjust, ask, newTicket } from "../support/operators.ts";
import { deliverAll, spend, usePaymentHarness } from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import {
  buyCredits,
  orderPackage,
  payForPackage,
  placeOrders,
  verify,
} from "../support/purchases.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";

const shop = await usePaymentHarness();
const { sql, control } = shop;

async function get(
  user_id: string,
  order_id?: string,
): Promise<z.infer<typeof getCustomer["data"]>> {
  const answer = await ask(
    `get-customer?user_id=${user_id}${order_id ? `&order_id=${order_id}` : ""}`,
  );
  return z.strictObject(getCustomer.data.shape).parse(dataOf(answer));
}

Deno.test("get-customer returns everything about one customer", async () => {
  const who = await newCustomer(sql, 10, {
    phone_number: newPhoneNumber(),
    whatsapp_user_id: newWhatsappId(),
  });
  const user_id = await userIdOf(sql, who);
  const hold = newReference();
  dataOf(await reserve({ ...who, reference_id: hold, action: "voice_message", quantity: 90 }));
  const reference_id = newTicket();
  await adjust(user_id, 2, { reference_id });

  const { created_at, entries, balance_points, holds, events, actions, ...rest } = await get(
    user_id,
  );
  ok(Date.parse(created_at) <= Date.now());
  deepStrictEqual(rest, {
    user_id,
    phone_number: who.phone_number,
    credits: 12,
    remaining_credits: 9,
    reserved_credits: 3,
    debt_credits: 0,
    frozen: false,
    frozen_at: null,
    erased_at: null,
    flags: [],
    identities: [
      { kind: "phone", value: who.phone_number },
      { kind: "whatsapp_user_id", value: who.whatsapp_user_id },
    ],
    merged_user_ids: [],
    total_entries: 2,
    next_cursor: null,
    orders: [],
  });
  deepStrictEqual(
    entries.map(({ source, credits, balance_after, remaining_after }) => [
      source,
      credits,
      balance_after,
      remaining_after,
    ]),
    [["adjustment", 2, 12, 9], ["system", 10, 10, 10]],
  );
  deepStrictEqual(
    balance_points.map(({ sequence_number, balance_after }) => [sequence_number, balance_after]),
    [[1, 10], [2, 12]],
  );
  const { created_at: opened_at, expires_at, ...reserved } = one(holds);
  ok(opened_at < expires_at);
  deepStrictEqual(reserved, {
    reference_id: hold,
    action: "voice_message",
    quantity: 90,
    credits: 3,
    is_expired: false,
  });
  deepStrictEqual(one(events).type, "credits.granted");
  const { operator, reason, ...done } = one(actions);
  deepStrictEqual([operator, reason, done.action, done.reference_id], [
    "Asha",
    "The customer called",
    "adjust-credits",
    reference_id,
  ]);
});

Deno.test("an order has each payment's whole life: what it bought, what went back, what followed", async () => {
  const phone_number = newPhoneNumber();
  const reference_id = newReference();
  const link = { phone_number, package_id: "starter", reference_id };
  dataOf(await call("POST", "bot-payment-link", { body: link }));
  const { razorpay_payment_link_id } = one(
    await sql`
    select o.razorpay_payment_link_id from public.payment_orders o
    join public.order_references r on r.order_id = o.id
    where r.reference_id = ${reference_id}`,
  );
  const failed = await control.payPaymentLink(razorpay_payment_link_id, {
    outcome: "failed",
    deliver_webhooks: false,
  });
  const paid = await control.payPaymentLink(razorpay_payment_link_id, {
    outcome: "captured",
    deliver_webhooks: false,
  });
  const payment_id = paid.razorpay_payment_id;
  await deliverAll(await shop.eventsAbout(failed.razorpay_payment_id));
  await deliverAll(await shop.eventsAbout(payment_id));
  await spend(phone_number, 23);
  const refund = await control.refund(payment_id, { amount: 4_950, deliver_webhooks: false });
  const dispute = await control.openDispute(payment_id, { deliver_webhooks: false });
  await deliverAll(await shop.eventsAbout(payment_id));

  const { orders, debt_credits, flags } = await get(await userIdOf(sql, { phone_number }));
  deepStrictEqual([debt_credits, flags], [10, ["debt"]]);
  const { payments, created_at, paid_at, tried_at, ...order } = one(orders);
  ok(created_at < (tried_at ?? "") && (tried_at ?? "") <= (paid_at ?? ""));
  deepStrictEqual(
    [order.state, order.channel, order.package_id, order.package_name, order.key_mode],
    ["paid", "link", "starter", "Starter", "test"],
  );
  deepStrictEqual(
    [order.amount_paise, order.credits, order.reference_ids, order.razorpay_payment_id],
    [9_900, 20, [reference_id], payment_id],
  );
  strictEqual(order.razorpay_payment_link_id, razorpay_payment_link_id);

  const [captured, failure] = payments;
  deepStrictEqual(
    [failure?.payment_id, failure?.status, failure?.granted_at, failure?.entries],
    [failed.razorpay_payment_id, "failed", null, []],
  );
  deepStrictEqual(
    [captured?.payment_id, captured?.status, captured?.credits_granted, captured?.returned_paise],
    [payment_id, "captured", 20, 4_950],
  );
  ok(captured?.granted_at);
  deepStrictEqual(
    captured.reversals.map(({ reversal_id, kind, is_money_gone, credits_taken, credits_owed }) => [
      reversal_id,
      kind,
      is_money_gone,
      credits_taken,
      credits_owed,
    ]).sort(),
    [
      [dispute.id, "dispute", false, 0, 0],
      [refund.id, "refund", true, 10, 10],
    ].sort(),
  );
  deepStrictEqual(
    captured.entries.map(({ source, credits, balance_after }) => [source, credits, balance_after]),
    [["payment", 20, 23]],
  );
});

Deno.test("orders that wait for a payment are there, newest first", async () => {
  const { phone } = await buyCredits(control, newPhoneNumber(), "starter");
  const waiting = await orderPackage(phone, "popular");
  const { orders } = await get(await userIdOf(sql, { phone_number: phone }));
  deepStrictEqual(orders.map(({ state, package_id }) => [state, package_id]), [
    ["open", "popular"],
    ["paid", "starter"],
  ]);
  strictEqual(first(orders).razorpay_order_id, waiting);
});

Deno.test("an older order is there if it is asked for, and is theirs", async () => {
  const { phone } = await buyCredits(control, newPhoneNumber(), "starter");
  const user_id = await userIdOf(sql, { phone_number: phone });
  const { order_id } = one((await get(user_id)).orders);
  deepStrictEqual((await get(user_id, order_id)).orders, (await get(user_id)).orders);
  await placeOrders(sql, phone, 20);
  const newest = (await get(user_id)).orders;
  strictEqual(newest.length, 20);
  ok(newest.every((order) => order.order_id !== order_id));
  const { orders } = await get(user_id, order_id);
  deepStrictEqual(orders.slice(0, 20), newest);
  strictEqual(orders.length, 21);
  deepStrictEqual([orders[20]?.order_id, orders[20]?.payments.length], [order_id, 1]);

  const another = await buyCredits(control, newPhoneNumber(), "starter");
  const theirs = await get(await userIdOf(sql, { phone_number: another.phone }));
  deepStrictEqual((await get(user_id, one(theirs.orders).order_id)).orders, newest);
});

Deno.test("events show whether the bot was told, and why not", async () => {
  await forgetEvents(sql);
  const { phone } = await buyCredits(control, newPhoneNumber(), "starter");
  const user_id = await userIdOf(sql, { phone_number: phone });
  const untold = one((await get(user_id)).events);
  deepStrictEqual([untold.type, untold.state, untold.deliveries], ["credits.granted", "new", []]);
  deepStrictEqual([untold.credits, untold.data.credits_added], [23, 20]);

  await using bot = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(null, { status: 503 }),
  );
  const address = `http://127.0.0.1:${bot.addr.port}/events`;
  await deliverTo([`${address}?token=secret`]);
  const { state, deliveries } = one((await get(user_id)).events);
  const { last_attempt_at, next_attempt_at, ...delivery } = one(deliveries);
  ok(last_attempt_at !== null && next_attempt_at !== null && last_attempt_at < next_attempt_at);
  deepStrictEqual([state, delivery], ["handed_out", {
    address,
    state: "pending",
    attempts: 1,
    last_failure: "status 503",
    finished_at: null,
  }]);
  await forgetEvents(sql);
});

Deno.test("a payment that failed before there was a user is told of once there is one", async () => {
  await forgetEvents(sql);
  const failed = await payForPackage(control, newPhoneNumber(), "starter", { outcome: "failed" });
  await deliverAll(await shop.eventsAbout(failed.checkout.razorpay_payment_id));
  const { phone } = failed;
  dataOf(await call("GET", `bot-credits/${phone}`));
  const { events } = await get(await userIdOf(sql, { phone_number: phone }));
  strictEqual(one(events).type, "payment.failed");
});

Deno.test("a merged account leads to the one that stayed, with what happened to both", async () => {
  const [old, current] = [await newCustomer(sql, 3), await newCustomer(sql, 4)];
  const [from_user_id, into_user_id] = [await userIdOf(sql, old), await userIdOf(sql, current)];
  await forgetEvents(sql);
  dataOf(await act("freeze-user", { user_id: from_user_id }));
  dataOf(await act("unfreeze-user", { user_id: from_user_id }));
  dataOf(await act("merge-users", { from_user_id, into_user_id }));
  const customer = await get(from_user_id);
  deepStrictEqual(customer, await get(into_user_id));
  deepStrictEqual(
    [customer.user_id, customer.merged_user_ids, customer.credits],
    [into_user_id, [from_user_id], 7],
  );
  deepStrictEqual(
    customer.identities.map(({ value }) => value).sort(),
    [
      old.phone_number,
      current.phone_number,
    ].sort(),
  );
  deepStrictEqual(customer.actions.map(({ action }) => action), [
    "merge-users",
    "unfreeze-user",
    "freeze-user",
  ]);
  deepStrictEqual(customer.events.map(({ type }) => type), ["user.unfrozen", "user.frozen"]);
});

Deno.test("of somebody who was erased, the books are shown, and nothing that names them", async () => {
  const { phone, checkout } = await buyCredits(control, newPhoneNumber(), "starter");
  const user_id = await userIdOf(sql, { phone_number: phone });
  const reference_id = newReference();
  dataOf(await deduct({ phone_number: phone, reference_id }));
  await adjust(user_id, 1, { reason: `For ${phone}`, reference_id: `of ${phone}` });
  dataOf(await act("erase-user", { user_id }));
  const customer = await get(user_id);
  ok(customer.erased_at !== null);
  deepStrictEqual([customer.phone_number, customer.identities, customer.events], [null, [], []]);
  deepStrictEqual([customer.credits, customer.total_entries], [23, 4]);
  strictEqual(one(one(customer.orders).payments).payment_id, checkout.razorpay_payment_id);
  for (const word of [phone.slice(1), reference_id]) ok(!JSON.stringify(customer).includes(word));
});

Deno.test("whatever others can write about a customer is returned exactly as it was written", async () => {
  const hostile = "<script>alert(1)</script>'; drop table users; -- \u202E";
  const who = await newCustomer(sql, 20);
  const user_id = await userIdOf(sql, who);
  dataOf(await deduct({ ...who, reference_id: hostile }));
  dataOf(await reserve({ ...who, reference_id: `${hostile} held` }));
  const link = { ...who, package_id: "starter", reference_id: `${hostile} link` };
  dataOf(await call("POST", "bot-payment-link", { body: link }));
  await adjust(user_id, 1, { operator: hostile, reason: hostile, reference_id: hostile });
  const { entries, holds, orders, actions } = await get(user_id);
  strictEqual(at(entries, 1).reference_id, hostile);
  strictEqual(one(holds).reference_id, `${hostile} held`);
  deepStrictEqual(one(orders).reference_ids, [`${hostile} link`]);
  const { operator, reason } = one(actions);
  deepStrictEqual([operator, reason], [hostile, hostile]);
});

Deno.test("a reservation that has expired and was not ended is marked, and reserves nothing", async () => {
  const who = await newCustomer(sql, 10);
  const reference_id = newReference();
  dataOf(await reserve({ ...who, reference_id }));
  await passExpiry(sql, who, reference_id);
  const { holds, reserved_credits } = await get(await userIdOf(sql, who));
  deepStrictEqual([one(holds).is_expired, reserved_credits], [true, 0]);
});

Deno.test("what bought nothing is flagged", async () => {
  const { phone } = await buyCredits(control, newPhoneNumber(), "starter");
  const user_id = await userIdOf(sql, { phone_number: phone });
  const { orders } = await get(user_id);
  const again = await control.payOrder(one(orders).razorpay_order_id ?? "", {
    outcome: "captured",
    force: true,
    deliver_webhooks: false,
  });
  await deliverAll(await shop.eventsAbout(again.razorpay_payment_id));
  const customer = await get(user_id);
  deepStrictEqual(customer.flags, ["flagged_payment"]);
  deepStrictEqual(
    one(customer.orders).payments.map(({ flag, credits_granted }) => [flag, credits_granted]),
    [["second_payment", 0], [null, 20]],
  );
});

/** Gives a customer many debits, with a purchase of 1,000 credits at each of some numbers. */
async function longHistory(entries: number, leapEvery: number): Promise<string> {
  const start = 50;
  const who = await newCustomer(sql, start);
  const user_id = await userIdOf(sql, who);
  await sql.begin(async (sql) => {
    await sql`
      insert into public.credit_transactions
        (user_id, sequence_number, action, credits, source, reference_id, balance_after, created_at)
      select ${user_id}, n,
        case when n % ${leapEvery} = 0 then 'credit' else 'debit' end,
        case when n % ${leapEvery} = 0 then ${leapEvery - 1}::integer else 1 end,
        case when n % ${leapEvery} = 0 then 'payment' else 'image_generation' end,
        'bulk ' || n || ${user_id},
        ${start} + ${leapEvery}::integer - 1 - n % ${leapEvery},
        clock_timestamp() + n * interval '1 millisecond'
      from generate_series(2, ${entries}::integer) n`;
    await sql`
      update public.users set transaction_count = ${entries},
        credits = ${start} + ${leapEvery}::integer - 1 - ${entries % leapEvery}::integer
      where id = ${user_id}`;
  });
  return user_id;
}

Deno.test("the picture of a long history has its leaps and its newest entry, in 200 points", async () => {
  const leapEvery = 90;
  const user_id = await longHistory(9_999, leapEvery);
  const { balance_points, entries, next_cursor, total_entries } = await get(user_id);
  const numbers = balance_points.map(({ sequence_number }) => sequence_number);
  ok(numbers.length <= 200 && numbers.length > 150, String(numbers.length));
  deepStrictEqual(numbers, numbers.toSorted((one, other) => one - other));
  strictEqual(numbers.at(-1), 9_999);
  for (let leap = 50; leap > 0; leap--) {
    const number = Math.floor(9_999 / leapEvery - leap + 1) * leapEvery;
    ok(numbers.includes(number) && numbers.includes(number - 1), String(number));
  }
  // The spaces between the others are equal.
  ok(Math.max(...numbers.map((number, index) => number - (numbers[index - 1] ?? 0))) <= 100);
  for (const { sequence_number, balance_after } of balance_points.slice(1)) {
    strictEqual(balance_after, 50 + leapEvery - 1 - sequence_number % leapEvery);
  }
  deepStrictEqual([entries.length, next_cursor, total_entries], [50, "9950", 9_999]);
  await forget(user_id);
});

Deno.test("a history of 200 entries is drawn whole", async () => {
  const user_id = await longHistory(200, 150);
  const { balance_points } = await get(user_id);
  deepStrictEqual(
    balance_points.map(({ sequence_number }) => sequence_number),
    Array.from({ length: 200 }, (_, index) => index + 1),
  );
  await forget(user_id);
});

/** Takes made-up payments away, which the check of the books would find. */
async function forget(user_id: string): Promise<void> {
  await sql.begin(async (sql) => {
    await sql`
      alter table public.credit_transactions disable trigger user`;
    await sql`delete from public.credit_transactions where user_id = ${user_id}`;
    await sql`delete from public.identities where user_id = ${user_id}`;
    await sql`delete from public.users where id = ${user_id}`;
    await sql`
      alter table public.credit_transactions enable trigger user`;
  });
}

Deno.test("an answer is bounded, however much has happened", async () => {
  const { phone } = await buyCredits(control, newPhoneNumber(), "starter");
  const user_id = await userIdOf(sql, { phone_number: phone });
  await placeOrders(sql, phone, 25);
  await sql`
    insert into public.events (user_id, type, data, credits, remaining_credits, sequence_number)
    select ${user_id}, 'credits.low', '{}', 1, 1, 1 from generate_series(1, 25)`;
  for (let count = 1; count <= 21; count++) await adjust(user_id, 1);
  const { orders, events, actions } = await get(user_id);
  deepStrictEqual([orders.length, events.length, actions.length], [20, 20, 20]);
});

Deno.test("what was refunded is among what followed a payment", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  dataOf(await verify(purchase));
  const payment_id = purchase.checkout.razorpay_payment_id;
  dataOf(await act("refund-payment", { payment_id }));
  const { orders } = await get(await userIdOf(sql, { phone_number: purchase.phone }));
  const { entries, reversals, returned_paise } = one(one(orders).payments);
  deepStrictEqual(entries.map(({ source, action, credits }) => [source, action, credits]), [
    ["refund", "debit", 20],
    ["payment", "credit", 20],
  ]);
  deepStrictEqual([one(reversals).status, returned_paise], ["processed", 9_900]);
});

Deno.test.each(
  [["", "MISSING_FIELD"], ["user_id=", "MISSING_FIELD"], ["user_id=somebody", "INVALID_REQUEST"]],
)("get-customer refuses %j: %s", async (query, code) => {
  expectError(await ask(`get-customer?${query}`), { httpStatus: 400, code });
});

Deno.test("an unknown user is USER_NOT_FOUND", async () => {
  expectError(await ask(`get-customer?user_id=${randomUUID()}`), {
    httpStatus: 404,
    code: "USER_NOT_FOUND",
  });
});
