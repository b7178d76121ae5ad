/**
 * POST reconcile-payments: finds payments that Razorpay knows about and nobody reported, such as those
 * of customers who paid and closed the browser.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { z } from "zod";
import { fundsOf, newCustomer, passExpiry, reserve, userIdOf } from "../support/bot.ts";
import { call, dataOf, expectError, operatorHeaders } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { logOf } from "../support/log.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import {
  buyCredits,
  orderPackage,
  payForPackage,
  type PaymentOptions,
  verify,
} from "../support/purchases.ts";
import {
  deliverAll,
  expectBought,
  historyOf,
  named,
  PACKAGES,
  runReconciler,
  usePaymentHarness,
} from "../support/payment-harness.ts";
import { at, first, one } from "../support/lists.ts";
import { newLiveKeyId, newOrderId } from "../support/razorpay-ids.ts";

const shop = await usePaymentHarness();
const { control } = shop;
Deno.test.beforeEach(() => control.clearRequests());

const { credits: CREDITS } = PACKAGES.starter;
const NOTHING = { checked: 0, settled: 0, flagged: 0, failed: 0, holds_expired: 0 };

const pay = (payment?: PaymentOptions) =>
  payForPackage(control, newPhoneNumber(), "starter", payment);

/** A run as the scheduler starts it, for the orders whose time has come. */
async function run(): Promise<Record<string, unknown>> {
  return dataOf(await runReconciler());
}

/** Shifts an order into the past, as if it had been made `age` ago. */
async function age(orderId: string, age: string): Promise<void> {
  await shop.sql`
    update public.payment_orders
    set created_at = created_at - ${age}::interval, paid_at = paid_at - ${age}::interval,
      next_check_at = clock_timestamp()
    where razorpay_order_id = ${orderId}`;
}

/** The seconds until Razorpay is asked about an order again; null for never. */
async function nextCheckIn(orderId: string): Promise<number | null> {
  const { seconds } = one(
    await shop.sql<{ seconds: number | null }[]>`
    select extract(epoch from next_check_at - clock_timestamp())::float8 as seconds
    from public.payment_orders where razorpay_order_id = ${orderId}`,
  );
  return seconds;
}

Deno.test("a customer who pays and closes the browser has the credits after one run", async () => {
  // No webhook comes either: Razorpay has disabled it.
  await control.changeSettings({ webhooks_enabled: false });
  const purchase = await pay();
  await control.changeSettings({ webhooks_enabled: true });
  await expectBought(purchase.phone, 0);
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 1, settled: 1 });
  await expectBought(purchase.phone, CREDITS);
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 1 });
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("an order is asked about by its id, and not before a few minutes have passed", async () => {
  const purchase = await pay();
  const orderId = purchase.checkout.razorpay_order_id;
  await control.clearRequests();
  deepStrictEqual(await run(), NOTHING);
  deepStrictEqual(await control.requests(), []);
  const firstCheck = await nextCheckIn(orderId);
  ok(firstCheck !== null && firstCheck > 4 * 60 && firstCheck <= 5 * 60);

  await shop.reconcile();
  const request = first(await control.requests());
  strictEqual(request.path, `/v1/orders/${orderId}/payments`);
});

Deno.test("an order that was settled by the page or a webhook is not counted as settled again", async () => {
  const purchase = await pay();
  dataOf(await verify(purchase));
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 1 });
});

Deno.test("an order that nobody paid is asked about again, ever more rarely, until no payment can come", async () => {
  const orderId = await orderPackage(newPhoneNumber(), "starter");
  await shop.reconcile();
  const soon = await nextCheckIn(orderId);
  await age(orderId, "2 days");
  await run();
  const later = await nextCheckIn(orderId);
  ok(soon !== null && later !== null && soon <= 5 * 60 && later > 12 * 3600);
  // A late authorization can arrive for five days.
  await age(orderId, "3 days");
  await run();
  ok(await nextCheckIn(orderId) !== null);
  await age(orderId, "2 days");
  deepStrictEqual(await run(), { ...NOTHING, checked: 1 });
  strictEqual(await nextCheckIn(orderId), null);
});

Deno.test("a late authorization on the fifth day is found", async () => {
  const purchase = await pay({ outcome: "failed" });
  const { razorpay_order_id, razorpay_payment_id } = purchase.checkout;
  await shop.reconcile();
  await age(razorpay_order_id, "5 days");
  await control.payOrder(razorpay_order_id, {
    outcome: "captured",
    payment_id: razorpay_payment_id,
    deliver_webhooks: false,
  });
  deepStrictEqual(await run(), { ...NOTHING, checked: 1, settled: 1 });
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("a paid order is watched on: a refund months later is found", async () => {
  const purchase = await buyCredits(control, newPhoneNumber(), "starter");
  await age(purchase.checkout.razorpay_order_id, "100 days");
  await control.refund(purchase.checkout.razorpay_payment_id, { deliver_webhooks: false });
  await run();
  await expectBought(purchase.phone, 0);
  ok(await nextCheckIn(purchase.checkout.razorpay_order_id) !== null);
});

/** Checks an order as often as it is due, and returns the ages at which that was, in hours. */
async function checkUntilTheEnd(orderId: string): Promise<number[]> {
  const ages: number[] = [];
  let seconds = 0;
  for (;;) {
    const wait = await nextCheckIn(orderId);
    if (wait === null) return ages;
    seconds += wait;
    await age(orderId, `${wait} seconds`);
    deepStrictEqual(await run(), { ...NOTHING, checked: 1 });
    ages.push(seconds / 3_600);
  }
}

Deno.test("an order that nobody tries to pay is asked about six times, the last time after six days", async () => {
  const ages = await checkUntilTheEnd(await orderPackage(newPhoneNumber(), "starter"));
  const planned = [0.1, 0.5, 3, 18, 108, 144];
  strictEqual(ages.length, planned.length, ages.join(", "));
  // The test itself takes a while, and each wait is a multiple of the age.
  for (const [index, hours] of ages.entries()) {
    ok(Math.abs(hours / at(planned, index) - 1) < 0.2, ages.join(", "));
  }
});

Deno.test("an order that somebody tried to pay is asked about more often", async () => {
  const purchase = await pay({ outcome: "failed" });
  const ages = await checkUntilTheEnd(purchase.checkout.razorpay_order_id);
  // Until the first check, nobody knows of the try.
  ok(ages.length > 15, ages.join(", "));
  ok(Math.max(...ages.slice(1).map((hours, index) => hours / (ages[index] ?? 0))) < 2.1);
});

Deno.test("an order that somebody tried to pay is checked before any that nobody touched", async () => {
  const tried = await pay({ outcome: "failed" });
  await shop.reconcile();
  for (let count = 0; count < 12; count++) await orderPackage(newPhoneNumber(), "starter");
  await shop.sql`
    update public.payment_orders set next_check_at = clock_timestamp() - interval '1 hour'
    where tried_at is null and next_check_at < 'infinity'`;
  await age(tried.checkout.razorpay_order_id, "10 minutes");
  // Paid meanwhile, and no webhook came.
  await control.payOrder(tried.checkout.razorpay_order_id, {
    outcome: "captured",
    deliver_webhooks: false,
  });
  await control.clearRequests();
  deepStrictEqual(await run(), { ...NOTHING, checked: 13, settled: 1 });
  const asked = (await control.requests()).map(({ path }) => path);
  ok(asked.slice(0, 10).includes(`/v1/orders/${tried.checkout.razorpay_order_id}/payments`));
  await expectBought(tried.phone, CREDITS);
});

Deno.test("an order that is paid after its watch ended is watched again, because of refunds", async () => {
  const purchase = await pay();
  const { razorpay_order_id, razorpay_payment_id } = purchase.checkout;
  await shop.sql`
    update public.payment_orders
    set created_at = created_at - interval '200 days', next_check_at = null
    where razorpay_order_id = ${razorpay_order_id}`;
  dataOf(await verify(purchase));
  ok(await nextCheckIn(razorpay_order_id) !== null);
  await control.refund(razorpay_payment_id, { deliver_webhooks: false });
  await shop.reconcile();
  await expectBought(purchase.phone, 0);
  ok(await nextCheckIn(razorpay_order_id) !== null);
});

/** Makes an order as old as `age` says, and ends its watch. */
async function abandon(orderId: string, age = "31 days"): Promise<void> {
  await shop.sql`
    update public.payment_orders
    set created_at = created_at - ${age}::interval, paid_at = paid_at - ${age}::interval,
      next_check_at = null
    where razorpay_order_id = ${orderId}`;
}

async function isKept(orderId: string): Promise<boolean> {
  const rows = await shop.sql`
    select from public.payment_orders where razorpay_order_id = ${orderId}`;
  return rows.length > 0;
}

Deno.test("an order that nobody tried to pay is deleted a month later", async () => {
  const orderId = await orderPackage(newPhoneNumber(), "starter");
  await abandon(orderId);
  deepStrictEqual(await run(), NOTHING);
  strictEqual(await isKept(orderId), false);
});

/** Orders by a link that the customer has begun to pay, and returns the Razorpay order. */
async function orderLink(phone: string, reference: string | null): Promise<string> {
  const { order_id } = one(
    await shop.sql`
    select order_id
    from public.place_order('starter', 'test', 'link', ${reference}, phone_number => ${phone})`,
  );
  const { id } = one(
    await shop.sql`select public.attach_razorpay_order(${order_id}, ${newOrderId()}) as id`,
  );
  return id;
}

/** Orders that are kept. Each is made for a number of its own, and its Razorpay order returned. */
const KEPT: Record<string, (phone: string) => Promise<string>> = {
  "somebody tried to pay": async (phone) => {
    const { checkout } = await payForPackage(control, phone, "starter", { outcome: "failed" });
    await shop.reconcile();
    await abandon(checkout.razorpay_order_id);
    return checkout.razorpay_order_id;
  },
  "is paid": async (phone) => {
    const { checkout } = await buyCredits(control, phone, "starter");
    // Until then it is watched for refunds.
    await abandon(checkout.razorpay_order_id, "181 days");
    return checkout.razorpay_order_id;
  },
  "is younger than a month": async (phone) => {
    const orderId = await orderPackage(phone, "starter");
    await abandon(orderId, "29 days");
    return orderId;
  },
  "is still watched": async (phone) => {
    const orderId = await orderPackage(phone, "starter");
    await abandon(orderId);
    await shop.sql`
      update public.payment_orders set next_check_at = clock_timestamp() + interval '1 day'
      where razorpay_order_id = ${orderId}`;
    return orderId;
  },
  "has a reference of the bot": async (phone) => {
    const orderId = await orderLink(phone, "wamid.1");
    await abandon(orderId);
    return orderId;
  },
  "was given a reference of the bot later": async (phone) => {
    const orderId = await orderLink(phone, null);
    strictEqual(await orderLink(phone, "wamid.2"), orderId);
    await abandon(orderId);
    return orderId;
  },
  "an operator has dealt with": async (phone) => {
    const orderId = await orderPackage(phone, "starter");
    await abandon(orderId);
    await shop.sql`
      select public.record_operator_action(id, 'Asha', 'The customer called', 'not_captured')
      from public.payment_orders where razorpay_order_id = ${orderId}`;
    return orderId;
  },
};

Deno.test.each(Object.entries(KEPT))("an old order that %s is kept", async (_, make) => {
  const orderId = await make(newPhoneNumber());
  const abandoned = await orderPackage(newPhoneNumber(), "starter");
  await abandon(abandoned);
  deepStrictEqual(await run(), NOTHING);
  strictEqual(await isKept(orderId), true);
  strictEqual(await isKept(abandoned), false);
});

Deno.test("an order that does not know of its reference keeps no other one from being deleted", async () => {
  const attempt = async () => {
    const phone = newPhoneNumber();
    const { checkout } = await payForPackage(control, phone, "starter", { outcome: "failed" });
    await shop.reconcile();
    return checkout.razorpay_order_id;
  };
  const wrong = [await orderPackage(newPhoneNumber(), "starter"), await attempt()];
  const right = [await orderPackage(newPhoneNumber(), "starter"), await attempt()];
  for (const orderId of [...wrong, ...right]) await abandon(orderId, "200 days");
  await shop.sql`
    update public.payment_orders set tried_at = tried_at - interval '200 days'
    where razorpay_order_id in ${shop.sql([...wrong, ...right])}`;
  await shop.sql`delete from public.events e using public.payment_orders o
    where o.id = e.order_id and o.razorpay_order_id in ${shop.sql([...wrong, ...right])}`;
  await shop.sql`
    insert into public.order_references (user_id, reference_id, order_id)
    select g.user_id, 'wamid.4', o.id from public.payment_orders o, public.get_user(o.phone_number) g
    where o.razorpay_order_id in ${shop.sql(wrong)}`;

  deepStrictEqual(await run(), NOTHING);
  deepStrictEqual(await Promise.all(wrong.map(isKept)), [true, true]);
  deepStrictEqual(await Promise.all(right.map(isKept)), [false, false]);
  // So that the books are right again.
  await shop.sql`
    update public.payment_orders set has_reference = true
    where razorpay_order_id in ${shop.sql(wrong)}`;
});

Deno.test("one run deletes all expired rate counters, however many there are", async () => {
  const expired = 25_000;
  await shop.sql`
    insert into public.rate_counters (action, scope, subject, window_ends_at, count)
    select 'create_order', 'address', 'forged ' || n, clock_timestamp() - interval '1 second', 1
    from generate_series(1, ${expired}::integer) n`;
  const purchase = await pay();
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 1, settled: 1 });
  const { left } = one(
    await shop.sql<{ left: number }[]>`
    select count(*)::int as left from public.rate_counters where subject like 'forged %'`,
  );
  strictEqual(left, 0);
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("one run deletes all abandoned orders, however many there are", async () => {
  const phone = newPhoneNumber();
  const abandoned = await orderPackage(phone, "starter");
  await abandon(abandoned);
  await shop.sql`
    insert into public.payment_orders
    select (jsonb_populate_record(o, jsonb_build_object(
      'id', gen_random_uuid(),
      'razorpay_order_id', 'order_Left' || lpad(n::text, 10, '0')
    ))).*
    from public.payment_orders o, generate_series(1, 2500) n
    where o.razorpay_order_id = ${abandoned}`;
  const recent = await orderPackage(phone, "starter");
  await run();
  const left = await shop.sql`
    select razorpay_order_id from public.payment_orders where phone_number = ${phone}`;
  deepStrictEqual(left.map(({ razorpay_order_id }) => razorpay_order_id), [recent]);
});

Deno.test("a run ends after 350 orders, keeps house, and the next one checks the rest", async () => {
  const phone = newPhoneNumber();
  const orderId = await orderPackage(phone, "starter");
  await shop.makeDue();
  // Razorpay knows none of the copies, so each of them fails, and is due again only minutes later.
  await shop.sql`
    insert into public.payment_orders
    select (jsonb_populate_record(o, jsonb_build_object(
      'id', gen_random_uuid(),
      'razorpay_order_id', 'order_Copy' || lpad(n::text, 10, '0')
    ))).*
    from public.payment_orders o, generate_series(1, 359) n
    where o.razorpay_order_id = ${orderId}`;
  await shop.sql`
    insert into public.rate_counters (action, scope, subject, window_ends_at, count)
    values ('create_order', 'address', 'after 350', clock_timestamp() - interval '1 second', 1)`;
  const sums: number[] = [];
  await logOf(async () => {
    for (let runs = 0; runs < 3; runs++) {
      const { checked, failed } = await run();
      sums.push(Number(checked) + Number(failed));
    }
  });
  deepStrictEqual(sums, [350, 10, 0]);
  const left = await shop.sql`select from public.rate_counters where subject = 'after 350'`;
  strictEqual(left.length, 0);
});

/** Makes the rows of a table as old as a setting says, and a day older or younger. */
async function makeAsOld(
  table: string,
  column: string,
  setting: string,
  days: number,
): Promise<void> {
  await shop.sql.unsafe(`
    update public.${table} set ${column} = clock_timestamp() - make_interval(days => ${days} + (
      select value from public.settings where name = '${setting}'))
    where ${column} is not null`);
}

async function countIn(table: string, condition = "true"): Promise<number> {
  const { count } = one(
    await shop.sql.unsafe<{ count: number }[]>(`
      select count(*)::integer as count from public.${table} where ${condition}`),
  );
  return count;
}

Deno.test("deliveries of the webhook are deleted after their time, but for those that failed", async () => {
  const purchase = await pay();
  await deliverAll(await shop.eventsAbout(purchase.checkout.razorpay_payment_id));
  await shop.sql`
    insert into public.webhook_deliveries (event_id, event, payload, outcome, finished_at)
    values ('1', 'payment.captured', '{}', 'failed', now()), ('2', 'payment.captured', '{}', null, null)`;
  const before = await countIn("webhook_deliveries");
  await makeAsOld("webhook_deliveries", "received_at", "webhook_retention_days", -1);
  await run();
  strictEqual(await countIn("webhook_deliveries"), before);
  await makeAsOld("webhook_deliveries", "received_at", "webhook_retention_days", 1);
  await run();
  strictEqual(await countIn("webhook_deliveries"), 2);
  strictEqual(await countIn("webhook_deliveries", "coalesce(outcome, 'failed') = 'failed'"), 2);
});

Deno.test("orders that somebody tried to pay in vain are deleted after their time, and no others", async () => {
  const attempt = async (outcome: "failed" | "authorized" | "captured") => {
    const phone = newPhoneNumber();
    const { checkout } = await payForPackage(shop.control, phone, "starter", { outcome });
    const reports = await shop.eventsAbout(checkout.razorpay_payment_id);
    await deliverAll([named(reports, `payment.${outcome}`)]);
    return checkout.razorpay_order_id;
  };
  const failed = await attempt("failed");
  const dealtWith = await attempt("failed");
  await shop.sql`
    select public.record_operator_action(id, 'Asha', 'The customer called', 'not_captured')
    from public.payment_orders where razorpay_order_id = ${dealtWith}`;
  const referred = await attempt("failed");
  // Only an older version accepted references at the checkout.
  await shop.sql`
    with o as (
      update public.payment_orders set has_reference = true where razorpay_order_id = ${referred}
      returning id, phone_number
    )
    insert into public.order_references (user_id, reference_id, order_id)
    select g.user_id, 'wamid.3', o.id from o, public.get_user(o.phone_number) g`;
  const kept = [dealtWith, referred, await attempt("authorized"), await attempt("captured")];
  const watched = await attempt("failed");
  const left = async () =>
    (await Promise.all([failed, ...kept, watched].map(isKept))).map(Number).join("");
  const age = (days: number) =>
    shop.sql`
      update public.payment_orders o
      set created_at = at, opened_at = at, tried_at = at,
        next_check_at = case when o.razorpay_order_id = ${watched} then now() + interval '1 day' end
      from (
        select now() - make_interval(days => ${days}::integer + value) as at
        from public.settings where name = 'unpaid_order_retention_days'
      ) old
      where o.razorpay_order_id in ${shop.sql([failed, ...kept, watched])} and o.state <> 'paid'`;

  await age(-1);
  await run();
  strictEqual(await left(), "111111");
  await age(1);
  // The event of the attempt has a time of its own, and the run deletes it last.
  await makeAsOld("events", "created_at", "event_retention_days", 1);
  await run();
  strictEqual(await left(), "111111");
  await run();
  strictEqual(await left(), "011111");
});

Deno.test("holds that ended without a charge are deleted after their time, and no others", async () => {
  const phone_number = newPhoneNumber();
  for (const reference_id of ["released", "captured", "open"]) {
    const body = { phone_number, reference_id };
    dataOf(await call("POST", "bot-reserve", { body }));
    if (reference_id === "released") dataOf(await call("POST", "bot-release", { body }));
    if (reference_id === "captured") dataOf(await call("POST", "bot-capture", { body }));
  }
  await makeAsOld("holds", "ended_at", "hold_retention_days", -1);
  await run();
  strictEqual(await countIn("holds", "reference_id = 'released'"), 1);
  await makeAsOld("holds", "ended_at", "hold_retention_days", 1);
  await run();
  strictEqual(await countIn("holds", "reference_id = 'released'"), 0);
  strictEqual(await countIn("holds", "reference_id in ('captured', 'open')"), 2);
  // What was charged is still a repetition; what was returned is found no more.
  const body = { phone_number, reference_id: "captured" };
  strictEqual(dataOf(await call("POST", "bot-capture", { body })).captured_credits, 1);
  expectError(
    await call("POST", "bot-release", { body: { phone_number, reference_id: "released" } }),
    {
      httpStatus: 404,
      code: "HOLD_NOT_FOUND",
    },
  );
});

Deno.test("events are deleted after their time, but for those that wait or could not be delivered", async () => {
  const phone_number = newPhoneNumber();
  dataOf(await call("POST", "bot-deduct", { body: { phone_number, credits: 3 } }));
  await shop.sql`
    insert into public.event_addresses (url) values ('https://bot.example/')
    on conflict do nothing`;
  await shop.sql`
    insert into public.events (user_id, type, data, credits, remaining_credits, sequence_number)
    select e.user_id, e.type, jsonb_build_object('state', s.state), 0, 0, 2
    from public.events e, unnest('{pending,dead,delivered}'::text[]) s (state)
    where e.type = 'credits.exhausted'`;
  await shop.sql`
    insert into public.event_deliveries (event_id, address_id, state, next_attempt_at, finished_at)
    select e.id, (select min(id) from public.event_addresses), e.data ->> 'state',
      case when e.data ->> 'state' = 'pending' then now() end,
      case when e.data ->> 'state' <> 'pending' then now() end
    from public.events e where e.data ? 'state'`;
  const before = await countIn("events");
  await makeAsOld("events", "created_at", "event_retention_days", -1);
  await run();
  strictEqual(await countIn("events"), before);
  await makeAsOld("events", "created_at", "event_retention_days", 1);
  await run();
  strictEqual(await countIn("events"), 2);
  strictEqual(await countIn("event_deliveries", "state in ('pending', 'dead')"), 2);
  // Nobody is shown what an address was not told that is no longer in use.
  await shop.sql`update public.event_addresses set removed_at = now()`;
  await run();
  strictEqual(await countIn("event_deliveries"), 0);
  await shop.sql`update public.event_addresses set removed_at = null`;
  await shop.sql`delete from public.events`;
});

/** Lets SQL functions fail while `act` runs. */
async function withFailing(names: string[], act: () => Promise<void>): Promise<void> {
  const definitions = await shop.sql<{ definition: string }[]>`
    select pg_get_functiondef(proname::regproc) as definition
    from pg_catalog.pg_proc where proname = any (${names})`;
  strictEqual(definitions.length, names.length);
  for (const { definition } of definitions) {
    const [head] = definition.split("\n LANGUAGE ");
    await shop.sql.unsafe(`${head} LANGUAGE plpgsql AS 'begin raise exception ''broken''; end'`);
  }
  try {
    await act();
  } finally {
    for (const { definition } of definitions) await shop.sql.unsafe(definition);
  }
}

/** The SQL functions that are named as the causes of what `act` logs as errors. */
async function failuresOf(act: () => Promise<void>): Promise<string[]> {
  const lines = await logOf(act);
  // The embedded Data API logs failures of its own, as objects.
  return lines.filter((text) => text.startsWith("{")).map((text) => JSON.parse(text))
    .filter(({ level }) => level === "error")
    .map(({ cause }) => String(cause).split(":", 1)[0] ?? "");
}

Deno.test("a clean-up that fails is logged, and stops neither the reconciler nor what comes after it", async () => {
  const CLEAN_UPS = [
    "delete_expired_rate_counters",
    "delete_abandoned_orders",
    "delete_unpaid_orders",
    "delete_old_webhooks",
    "delete_old_holds",
    "delete_old_events",
    "run_book_check",
  ];
  const purchase = await pay();
  await shop.makeDue();
  await withFailing(CLEAN_UPS, async () => {
    const failures = await failuresOf(async () => {
      deepStrictEqual(await run(), { ...NOTHING, checked: 1, settled: 1 });
    });
    deepStrictEqual(failures, CLEAN_UPS);
  });
  await expectBought(purchase.phone, CREDITS);
});

/** How many runs of the check of the books are recorded. */
async function countBookChecks(): Promise<number> {
  const { count } = one(
    await shop.sql<{ count: number }[]>`select count(*)::int as count from public.book_checks`,
  );
  return count;
}

Deno.test("the books are checked even if no order can be", async () => {
  const before = await countBookChecks();
  await withFailing(["claim_orders_to_check"], async () => {
    expectError(await runReconciler(), { httpStatus: 500, code: "INTERNAL" });
  });
  strictEqual(await countBookChecks(), before + 1);
  // Razorpay's keys are missing.
  await withEnvironment({ RAZORPAY_KEY_ID: undefined }, async () => {
    expectError(await runReconciler(), { httpStatus: 500, code: "INTERNAL" });
  });
  strictEqual(await countBookChecks(), before + 2);
});

Deno.test("a run lists what is wrong with the books", async () => {
  const { phone } = await buyCredits(control, newPhoneNumber(), "starter");
  const change = async (credits: number) => {
    await shop.sql`
      update public.users set credits = credits + ${credits} where phone_number = ${phone}`;
  };
  const broken = () =>
    shop.sql`select detail from public.list_attention() where kind = 'broken invariant'`;
  const before = await broken();
  await change(1);
  await run();
  match(
    (await broken()).filter(({ detail }) => !before.some((old) => old.detail === detail))
      .map(({ detail }) => detail).join(),
    /^the balance is that after the newest entry: /,
  );
  await change(-1);
  await run();
  deepStrictEqual(await broken(), before);
});

Deno.test("after a pause, one run checks all that is new, and in smaller steps if it has to", async () => {
  await shop.sql`
    insert into public.book_checks (is_whole, since, before, complete_until, violation_count)
    select false, moment, moment, moment, 0
    from (select clock_timestamp() - interval '10 days') m (moment)`;
  const { definition } = one(
    await shop.sql<{ definition: string }[]>`
    select pg_get_functiondef('public.run_book_check'::regproc) as definition`,
  );
  // As if the database could check 2,000 changes in time, but no more.
  await shop.sql.unsafe(
    definition.replace(
      "  if run_book_check.max_changes is null",
      "if max_changes > 2000 then raise 'slow'; end if;\n$&",
    ),
  );
  try {
    await run();
  } finally {
    await shop.sql.unsafe(definition);
  }
  const { seconds } = one(
    await shop.sql<{ seconds: number }[]>`
    select extract(epoch from clock_timestamp() - complete_until)::float8 as seconds
    from public.book_checks order by id desc limit 1`,
  );
  ok(seconds < 120, String(seconds));
});

Deno.test("holds that have expired end first, whoever they are of and whatever Razorpay does", async () => {
  const others = one(
    await shop.sql<{ count: number; held: number }[]>`
    select count(*)::int, coalesce(sum(credits), 0)::int as held
    from public.holds where state = 'open'`,
  );
  const holders = await Promise.all(Array.from({ length: 60 }, () => newCustomer(shop.sql, 5)));
  for (const who of holders) {
    dataOf(await reserve({ ...who, reference_id: "job-1", credits: 2 }));
    dataOf(await reserve({ ...who, reference_id: "job-2", credits: 1 }));
    await passExpiry(shop.sql, who, "job-1");
  }
  const openHolds = async () =>
    one(
      await shop.sql<{ count: number; held: number }[]>`
      select count(*)::int - ${others.count} as count,
        (select sum(held_credits)::int from public.users) - ${others.held} as held
      from public.holds where state = 'open'`,
    );
  deepStrictEqual(await openHolds(), { count: 120, held: 180 });

  await withEnvironment({ RAZORPAY_KEY_ID: undefined }, async () => {
    expectError(await runReconciler(), { httpStatus: 500, code: "INTERNAL" });
  });
  deepStrictEqual(await openHolds(), { count: 60, held: 60 });

  for (const who of holders) await passExpiry(shop.sql, who, "job-2");
  deepStrictEqual(await run(), { ...NOTHING, holds_expired: 60 });
  deepStrictEqual(await openHolds(), { count: 0, held: 0 });
  strictEqual(await fundsOf(first(holders)), "5/0");
});

Deno.test("holds that cannot be ended are logged, and stop neither the other holds nor the payments", async () => {
  const [stuck, other] = [await newCustomer(shop.sql, 5), await newCustomer(shop.sql, 5)];
  for (const who of [stuck, other]) {
    dataOf(await reserve({ ...who, reference_id: "job-1" }));
    await passExpiry(shop.sql, who, "job-1");
  }
  const purchase = await pay();
  await shop.makeDue();
  await shop.sql.unsafe(`
    alter table public.holds add constraint stuck
      check (user_id <> '${await userIdOf(shop.sql, stuck)}' or state = 'open') not valid`);
  const causesOf = async (totals: object) => {
    const lines = await logOf(async () => deepStrictEqual(await run(), totals));
    return lines.filter((text) => text.startsWith("{")).map((text) => JSON.parse(text))
      .filter(({ level }) => level === "error").map(({ cause }) => cause);
  };
  try {
    deepStrictEqual(
      await causesOf({ ...NOTHING, holds_expired: 1, checked: 1, settled: 1 }),
      ["1 expired holds could not be ended; the database's log says why"],
    );
    // What has expired blocks nothing all the same.
    strictEqual(await fundsOf(stuck), "5/0");
    strictEqual(await fundsOf(other), "5/0");
  } finally {
    await shop.sql`alter table public.holds drop constraint stuck`;
  }
  await expectBought(purchase.phone, CREDITS);
  deepStrictEqual(await causesOf({ ...NOTHING, holds_expired: 1 }), []);
});

Deno.test("if holds cannot be looked for at all, that is logged, and the payments are settled", async () => {
  const purchase = await pay();
  await shop.makeDue();
  await shop.sql`alter function public.expire_holds rename to expire_no_holds`;
  try {
    const lines = await logOf(async () => {
      deepStrictEqual(await run(), { ...NOTHING, checked: 1, settled: 1 });
    });
    const failures = lines.filter((text) => text.startsWith("{")).map((text) => JSON.parse(text))
      .filter(({ level }) => level === "error");
    match(one(failures).cause, /^expire_holds: /);
  } finally {
    await shop.sql`alter function public.expire_no_holds rename to expire_holds`;
  }
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("one run works through more orders than fit into a batch", async () => {
  const purchases = await Promise.all(Array.from({ length: 23 }, () => pay()));
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 23, settled: 23 });
  await Promise.all(purchases.map(({ phone }) => expectBought(phone, CREDITS)));
});

Deno.test("two runs at once share the orders, and each payment counts once", async () => {
  const purchases = await Promise.all(Array.from({ length: 12 }, () => pay()));
  await shop.makeDue();
  const runs = await Promise.all([run(), run(), run()]);
  const total = (key: string) => runs.reduce((sum, totals) => sum + z.int().parse(totals[key]), 0);
  deepStrictEqual([total("checked"), total("settled"), total("failed")], [12, 12, 0]);
  for (const { phone, checkout } of purchases) {
    deepStrictEqual(await historyOf(phone), [
      `+${CREDITS} payment ${checkout.razorpay_payment_id}: ${3 + CREDITS}`,
    ]);
  }
});

Deno.test("an order that Razorpay gives no answer about is counted as failed, and comes again", async () => {
  const [stuck, other] = [await pay(), await pay()];
  const { razorpay_order_id } = stuck.checkout;
  const path = `/v1/orders/${razorpay_order_id}/payments`;
  await control.addFault({ kind: "500", path });
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 1, settled: 1, failed: 1 });
  await expectBought(stuck.phone, 0);
  await expectBought(other.phone, CREDITS);
  const again = await nextCheckIn(razorpay_order_id);
  ok(again !== null && again <= 2 * 60);
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 2, settled: 1 });
  await expectBought(stuck.phone, CREDITS);
});

Deno.test("the reason why an order could not be checked is in the log, once", async () => {
  const { checkout } = await pay();
  await control.addFault({
    kind: "500",
    path: `/v1/orders/${checkout.razorpay_order_id}/payments`,
  });
  const lines = (await logOf(() => shop.reconcile())).map((text) => JSON.parse(text));
  const { function: name, cause } = one(lines.filter(({ level }) => level === "error"));
  strictEqual(name, "reconcile-payments");
  match(cause, /500/);
});

Deno.test("an order that another transaction works on does not hold up the others", async () => {
  const [busy, other] = [await pay(), await pay()];
  await shop.makeDue();
  await shop.sql.begin(async (sql) => {
    await sql`
      select from public.payment_orders
      where razorpay_order_id = ${busy.checkout.razorpay_order_id} for update`;
    deepStrictEqual(await run(), { ...NOTHING, checked: 1, settled: 1 });
  });
  await expectBought(other.phone, CREDITS);
  deepStrictEqual(await run(), { ...NOTHING, checked: 1, settled: 1 });
  await expectBought(busy.phone, CREDITS);
});

Deno.test("an order that Razorpay does not know does not hold up the others, and is asked about ever more rarely", async () => {
  const lost = await orderPackage(newPhoneNumber(), "starter");
  const unknown = newOrderId();
  await shop.sql`
    update public.payment_orders set razorpay_order_id = ${unknown}
    where razorpay_order_id = ${lost}`;
  const purchase = await pay();
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 1, settled: 1, failed: 1 });
  await expectBought(purchase.phone, CREDITS);
  await age(unknown, "10 days");
  await run();
  const again = await nextCheckIn(unknown);
  ok(again !== null && again > 10 * 3600);
});

Deno.test("orders of the other kind of key are left to that key", async () => {
  const purchase = await pay();
  await shop.makeDue();
  await withEnvironment(
    { RAZORPAY_KEY_ID: newLiveKeyId() },
    async () => deepStrictEqual(await run(), NOTHING),
  );
  deepStrictEqual(await run(), { ...NOTHING, checked: 1, settled: 1 });
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("payments that need an operator are counted", async () => {
  const wrong = await pay({ outcome: "captured", amount: 100 });
  const twice = await buyCredits(control, newPhoneNumber(), "starter");
  await control.payOrder(twice.checkout.razorpay_order_id, {
    outcome: "captured",
    force: true,
    deliver_webhooks: false,
  });
  deepStrictEqual(await shop.reconcile(), { ...NOTHING, checked: 2, flagged: 2 });
  await expectBought(wrong.phone, 0);
  await expectBought(twice.phone, CREDITS);
});

Deno.test("the reconciler is for the holder of the secret key", async () => {
  const { SUPABASE_PUBLISHABLE_KEY, BOT_SECRET } = shop.environment;
  const { apikey } = operatorHeaders();
  const strangers: Record<string, string>[] = [
    {},
    { apikey: "" },
    { apikey: SUPABASE_PUBLISHABLE_KEY },
    { authorization: `Bearer ${SUPABASE_PUBLISHABLE_KEY}` },
    { "x-bot-secret": BOT_SECRET },
    { apikey: apikey.slice(0, -1) },
  ];
  for (const headers of strangers) {
    expectError(await call("POST", "reconcile-payments", { body: {}, headers }), {
      httpStatus: 401,
      code: "INVALID_SECRET_KEY",
    });
  }
  const headers = { authorization: `Bearer ${apikey}` };
  dataOf(await call("POST", "reconcile-payments", { body: {}, headers }));
});

Deno.test("the reconciler needs no body, but what is sent has to be JSON", async () => {
  const headers = operatorHeaders();
  for (const body of [undefined, "", "{}"]) {
    deepStrictEqual(
      dataOf(await call("POST", "reconcile-payments", { body, headers })),
      NOTHING,
    );
  }
  for (const body of [" ", "[]", "null", "checked=1"]) {
    expectError(await call("POST", "reconcile-payments", { body, headers }), {
      httpStatus: 400,
      code: "INVALID_JSON",
    });
  }
});
