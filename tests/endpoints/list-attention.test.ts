/**
 * GET list-attention: what needs an operator's attention. tests/payments/operator.test.ts has what is
 * listed and when.
 * @module
 */

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { z } from "zod";
import { listAttention } from "shared/contract/list-attention.ts";
import { newCustomer, passExpiry, reserve, userIdOf } from "../support/bot.ts";
import { dataOf } from "../support/calls.ts";
import { forgetEvents } from "../support/events.ts";
import { one } from "../support/lists.ts";
import { act, adjust, ask, newTicket } from "../support/operators.ts";
import { deliverAll, usePaymentHarness } from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, payForPackage } from "../support/purchases.ts";

const shop = await usePaymentHarness();
const { sql, control } = shop;

async function list() {
  const answer = await ask("list-attention");
  strictEqual(answer.httpStatus, 200);
  return z.strictObject(listAttention.data.shape).parse(dataOf(answer)).items;
}

Deno.test("when all is well the list is empty", async () => {
  deepStrictEqual(await list(), []);
});

Deno.test("what needs attention is listed, oldest first, until it needs none", async () => {
  const who = await newCustomer(sql, 3);
  const user_id = await userIdOf(sql, who);
  await adjust(user_id, -5, { allow_debt: true });
  const { checkout } = await payForPackage(control, newPhoneNumber(), "starter");
  const payment_id = checkout.razorpay_payment_id;
  await sql`
    update public.payment_orders set amount_paise = amount_paise + 100
    where razorpay_order_id = ${checkout.razorpay_order_id}`;
  await shop.reconcile();
  deepStrictEqual(
    (await list()).map(({ kind, subject, detail }) => [kind, subject, detail.split(":")[0]]),
    [
      ["debt", who.phone_number, "2 credits were spent before they were taken back"],
      ["flagged payment", payment_id, "amount_mismatch"],
    ],
  );

  dataOf(await act("forgive-debt", { user_id }));
  dataOf(await act("refund-payment", { payment_id }));
  deepStrictEqual(await list(), []);
});

Deno.test("an item says what it is about and what helps, so that a page can link to both", async () => {
  const who = await newCustomer(sql, 3);
  const user_id = await userIdOf(sql, who);
  await adjust(user_id, -5, { allow_debt: true });
  const paid = await buyCredits(control, newPhoneNumber(), "starter");
  const second = await control.payOrder(paid.checkout.razorpay_order_id, {
    outcome: "captured",
    force: true,
    deliver_webhooks: false,
  });
  await deliverAll(await shop.eventsAbout(second.razorpay_payment_id));
  const failed = await payForPackage(control, paid.phone, "popular", { outcome: "failed" });
  await deliverAll(await shop.eventsAbout(failed.checkout.razorpay_payment_id));
  const open_order_id = await shop.orderIdOf(failed);
  await sql`
    update public.payment_orders
    set created_at = created_at - interval '1 hour', next_check_at = clock_timestamp()
    where id = ${open_order_id}`;
  const payment_id = paid.checkout.razorpay_payment_id;
  const reference_id = newTicket();
  const refund = { payment_id, amount_paise: 100, reference_id };
  await control.addFault({ kind: "500", method: "POST", path: "/v1/payments/*/refund" });
  strictEqual((await act("refund-payment", refund)).httpStatus, 202);
  await sql.begin(async (sql) => {
    await sql`alter table public.operator_actions disable trigger user`;
    await sql`
      update public.operator_actions set created_at = created_at - interval '1 hour'
      where reference_id = ${reference_id}`;
    await sql`alter table public.operator_actions enable trigger user`;
  });
  await sql`
    insert into public.webhook_deliveries
      (event_id, event, payload, razorpay_order_id, razorpay_payment_id, outcome, finished_at)
    values
      ('trouble', 'payment.captured', '{}', ${paid.checkout.razorpay_order_id}, ${payment_id},
        'failed', clock_timestamp()),
      ('foreign', 'payment.captured', '{}', 'order_ofAnotherShop', 'pay_ofAnotherShop0', 'not_ours',
        clock_timestamp())`;

  const buyer = await userIdOf(sql, { phone_number: paid.phone });
  const order_id = await shop.orderIdOf(paid);
  const about = {
    remedy: null,
    user_id: null,
    order_id: null,
    payment_id: null,
    reference_id: null,
    amount_paise: null,
    events_from: null,
  };
  const found = Object.fromEntries((await list()).map(
    ({ kind, subject: _subject, since: _since, detail: _detail, ...rest }) => [kind, rest],
  ));
  deepStrictEqual(found, {
    "debt": { ...about, remedy: "forgive-debt", user_id },
    "flagged payment": {
      ...about,
      remedy: "refund-payment",
      user_id: buyer,
      order_id,
      payment_id: second.razorpay_payment_id,
      amount_paise: 9_900,
    },
    "open order": {
      ...about,
      remedy: "settle-order",
      user_id: buyer,
      order_id: open_order_id,
      payment_id: failed.checkout.razorpay_payment_id,
      amount_paise: 29_900,
    },
    "unfinished refund": {
      ...about,
      remedy: "refund-payment",
      user_id: buyer,
      order_id,
      payment_id,
      reference_id,
      amount_paise: 100,
    },
    "failed delivery": { ...about, remedy: "settle-order", user_id: buyer, order_id, payment_id },
    "payment of no order": { ...about, payment_id: "pay_ofAnotherShop0" },
  });

  // What the item says is enough to use the remedy.
  await control.clearFaults();
  dataOf(await act("refund-payment", refund));
  dataOf(await act("refund-payment", { payment_id: second.razorpay_payment_id }));
  dataOf(await act("forgive-debt", { user_id }));
  await sql`delete from public.webhook_deliveries where event_id in ('trouble', 'foreign')`;
  await shop.forgetOrders();
  await sql`
    update public.payment_orders set created_at = clock_timestamp() where id = ${open_order_id}`;
  deepStrictEqual(await list(), []);
});

Deno.test("events that were given up say since when they have to be sent again", async () => {
  await forgetEvents(sql);
  await buyCredits(control, newPhoneNumber(), "starter");
  const address = "https://bot.example/events";
  await sql`insert into public.event_addresses (url) values (${`${address}?token=secret`})`;
  const { created_at } = one(
    await sql`
    with given_up as (
      insert into public.event_deliveries
        (event_id, address_id, state, next_attempt_at, finished_at)
      select e.id, a.id, 'dead', null, clock_timestamp() from public.events e, public.event_addresses a
    )
    select min(created_at)::text as created_at from public.events`,
  );
  await sql`update public.events set state = 'handed_out', handed_out_at = clock_timestamp()`;
  const { kind, subject, remedy, events_from } = one(await list());
  deepStrictEqual([kind, subject, remedy], ["undelivered events", address, "resend-events"]);
  strictEqual(Date.parse(events_from ?? ""), Date.parse(created_at));
  const to = new Date(Date.now() + 60_000).toISOString();
  dataOf(await act("resend-events", { from: events_from, to }));
  deepStrictEqual(await list(), []);
  await forgetEvents(sql);
});

Deno.test("reservations that nothing has ended are listed a quarter of an hour after their expiry", async () => {
  const who = await newCustomer(sql, 3);
  const user_id = await userIdOf(sql, who);
  const references = ["job-1", "job-2"];
  for (const reference_id of references) dataOf(await reserve({ ...who, reference_id }));
  deepStrictEqual(await list(), []);
  for (const reference_id of references) await passExpiry(sql, who, reference_id);
  const { kind, subject, detail } = one(await list());
  deepStrictEqual([kind, subject], ["expired holds", "every user"]);
  match(detail, new RegExp(`^2 of 1 users have not been ended, first that of user ${user_id}: `));

  // Its moment has come, but not long ago.
  await sql`
    update public.holds set expires_at = clock_timestamp() - interval '14 minutes'
    where user_id = ${user_id}`;
  deepStrictEqual(await list(), []);
  await shop.reconcile();
});
