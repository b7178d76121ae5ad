/**
 * GET sales-report: an operator asks what was sold each day, and what the credits were spent on.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { z } from "zod";
import { salesReport } from "shared/contract/sales-report.ts";
import { deduct, newCustomer, setPrice, userIdOf } from "../support/bot.ts";
import { dataOf, expectError } from "../support/calls.ts";
import { at, first, one } from "../support/lists.ts";
import { act, adjust, ask } from "../support/operators.ts";
import { deliverAll, usePaymentHarness } from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits } from "../support/purchases.ts";

const shop = await usePaymentHarness();
const { sql, control } = shop;

async function report(
  from: string,
  to: string,
): Promise<z.infer<typeof salesReport["data"]>> {
  const answer = await ask(`sales-report?from=${from}&to=${to}`);
  return z.strictObject(salesReport.data.shape).parse(dataOf(answer));
}

const NOTHING = {
  paid_orders: 0,
  amount_paise: 0,
  credits_sold: 0,
  refunded_paise: 0,
  lost_paise: 0,
};

/** Puts what a customer was charged at a moment. */
async function chargedAt(user_id: string, moment: string): Promise<void> {
  await sql.begin(async (sql: postgres.TransactionSql) => {
    await sql`
      alter table public.credit_transactions disable trigger user`;
    await sql`
      update public.credit_transactions set created_at = ${moment}
      where user_id = ${user_id} and action = 'debit'`;
    await sql`
      alter table public.credit_transactions enable trigger user`;
  });
}

/** Sells a package at a moment. */
async function soldAt(moment: string, packageId = "starter") {
  const purchase = await buyCredits(control, newPhoneNumber(), packageId);
  await sql`
    update public.payments set granted_at = ${moment}
    where id = ${purchase.checkout.razorpay_payment_id}`;
  return purchase;
}

Deno.test("a day is a day of India, from its first moment to its last", async () => {
  await soldAt("2024-03-09T18:29:59.999Z");
  await soldAt("2024-03-09T18:30:00Z");
  await soldAt("2024-03-10T18:29:59.999Z", "popular");
  await soldAt("2024-03-10T18:30:00Z");
  const { days } = await report("2024-03-10", "2024-03-11");
  const { date, test, live } = one(days);
  deepStrictEqual([date, live], ["2024-03-10", NOTHING]);
  deepStrictEqual(test, {
    ...NOTHING,
    paid_orders: 2,
    amount_paise: 9_900 + 29_900,
    credits_sold: 95,
  });
});

Deno.test("days without sales are there, with zeros", async () => {
  const { days, actions } = await report("2023-02-27", "2023-03-02");
  deepStrictEqual(actions, []);
  deepStrictEqual(
    days,
    ["2023-02-27", "2023-02-28", "2023-03-01"].map((date) => ({
      date,
      live: NOTHING,
      test: NOTHING,
      charges: 0,
      credits_spent: 0,
    })),
  );
});

Deno.test("money of live and of test keys is told apart", async () => {
  const purchase = await soldAt("2022-05-05T12:00:00Z");
  await soldAt("2022-05-05T12:00:00Z");
  await sql`
    update public.payment_orders set key_mode = 'live' where id = ${await shop.orderIdOf(
    purchase,
  )}`;
  const { live, test } = one((await report("2022-05-05", "2022-05-06")).days);
  deepStrictEqual([live.paid_orders, test.paid_orders], [1, 1]);
  deepStrictEqual([live.credits_sold, test.credits_sold], [20, 20]);
});

Deno.test("what went back counts on the day when Razorpay reported it", async () => {
  const { checkout } = await soldAt("2021-06-01T12:00:00Z");
  const payment_id = checkout.razorpay_payment_id;
  dataOf(await act("refund-payment", { payment_id, amount_paise: 4_000 }));
  const dispute = await control.openDispute(payment_id, {
    amount: 5_000,
    deliver_webhooks: false,
  });
  await deliverAll(await shop.eventsAbout(payment_id));
  await sql`
    update public.payment_reversals set reported_at = '2021-06-02T19:00:00Z'
    where payment_id = ${payment_id}`;
  const days = async () =>
    (await report("2021-06-01", "2021-06-05")).days.map(({ test }) => [
      test.amount_paise,
      test.refunded_paise,
      test.lost_paise,
    ]);
  // A dispute that is open has taken nothing.
  deepStrictEqual(await days(), [[9_900, 0, 0], [0, 0, 0], [0, 4_000, 0], [0, 0, 0]]);

  await control.changeDispute(dispute.id, { status: "lost", deliver_webhooks: false });
  await deliverAll(await shop.eventsAbout(payment_id));
  await sql`
    update public.payment_reversals set reported_at = '2021-06-04T10:00:00Z'
    where payment_id = ${payment_id} and kind = 'dispute'`;
  deepStrictEqual(await days(), [[9_900, 0, 0], [0, 0, 0], [0, 4_000, 0], [0, 0, 5_000]]);
});

Deno.test("money that bought nothing is no sale, and its refund takes nothing from one", async () => {
  const { checkout } = await buyCredits(control, newPhoneNumber(), "starter");
  const second = await control.payOrder(checkout.razorpay_order_id, {
    outcome: "captured",
    force: true,
    deliver_webhooks: false,
  });
  await deliverAll(await shop.eventsAbout(second.razorpay_payment_id));
  dataOf(await act("refund-payment", { payment_id: second.razorpay_payment_id }));
  await sql`
    update public.payments set granted_at = '2020-07-07T07:00:00Z'
    where id = ${checkout.razorpay_payment_id}`;
  await sql`
    update public.payment_reversals set reported_at = '2020-07-07T07:00:00Z'
    where payment_id = ${second.razorpay_payment_id}`;
  const { test } = one((await report("2020-07-07", "2020-07-08")).days);
  deepStrictEqual([test.paid_orders, test.amount_paise, test.refunded_paise], [1, 9_900, 0]);
});

Deno.test("credits are counted by what they were spent on, each day", async () => {
  const moments = ["2019-01-31T12:00:00Z", "2019-02-02T12:00:00Z"];
  for (const moment of moments) {
    const who = await newCustomer(sql, 1_000);
    const user_id = await userIdOf(sql, who);
    dataOf(await deduct({ ...who, action: "video_generation", quantity: 2 }));
    dataOf(await deduct({ ...who, action: "voice_message", quantity: 61 }));
    dataOf(await deduct({ ...who, action: "voice_message", credits: 9 }));
    // What an operator takes was not spent.
    await adjust(user_id, -100);
    await chargedAt(user_id, moment);
  }
  const { days, actions } = await report("2019-01-30", "2019-02-04");
  deepStrictEqual(days.map(({ charges, credits_spent }) => [charges, credits_spent]), [
    [0, 0],
    [3, 22],
    [0, 0],
    [3, 22],
    [0, 0],
  ]);
  deepStrictEqual(actions, [
    {
      action: "voice_message",
      unit: "second",
      charges: 4,
      quantity: 122,
      credits: 24,
      credits_per_day: [0, 12, 0, 12, 0],
    },
    {
      action: "video_generation",
      unit: "video",
      charges: 2,
      quantity: 4,
      credits: 20,
      credits_per_day: [0, 10, 0, 10, 0],
    },
  ]);
});

Deno.test("the 50 actions that most was spent on are listed, and the days count all", async () => {
  const who = await newCustomer(sql, 10_000);
  const user_id = await userIdOf(sql, who);
  for (let n = 1; n <= 60; n++) await setPrice(sql, { credits: 1 }, `action_${n}`);
  await sql.begin(async (sql) => {
    await sql`
      insert into public.credit_transactions
        (user_id, sequence_number, action, credits, source, balance_after, created_at)
      select ${user_id}, n + 1, 'debit', n, 'action_' || n, 10000 - n * (n + 1) / 2,
        '2018-08-08T08:00:00Z'
      from generate_series(1, 60) n`;
    await sql`
      update public.users set credits = 10000 - 1830, transaction_count = 61 where id = ${user_id}`;
  });
  const { days, actions } = await report("2018-08-08", "2018-08-09");
  strictEqual(actions.length, 50);
  deepStrictEqual([first(actions).action, at(actions, 49).action], ["action_60", "action_11"]);
  strictEqual(first(actions).unit, "piece");
  deepStrictEqual([one(days).charges, one(days).credits_spent], [60, 1_830]);
});

Deno.test("a report has up to 400 days, a leap day among them", async () => {
  const { days } = await report("2023-12-01", "2025-01-04");
  strictEqual(days.length, 400);
  ok(days.some(({ date }) => date === "2024-02-29"));
});

Deno.test.each(
  [
    ["", "MISSING_FIELD"],
    ["from=2026-11-01", "MISSING_FIELD"],
    ["to=2026-11-01", "MISSING_FIELD"],
    ["from=2026-11-01&to=2026-11-01", "INVALID_REQUEST"],
    ["from=2026-11-02&to=2026-11-01", "INVALID_REQUEST"],
    ["from=2023-12-01&to=2025-01-05", "INVALID_REQUEST"],
    ["from=2026-11-01T00:00:00Z&to=2026-11-02", "INVALID_REQUEST"],
    ["from=2026-02-29&to=2026-03-01", "INVALID_REQUEST"],
    ["from=0000-01-01&to=0000-01-02", "INVALID_REQUEST"],
    ["from=1999-12-31&to=2000-01-02", "INVALID_REQUEST"],
    ["from=yesterday&to=today", "INVALID_REQUEST"],
    ["from=2026-11-01&to=infinity", "INVALID_REQUEST"],
  ] as const,
)("sales-report refuses %j: %s", async (query, code) => {
  expectError(await ask(`sales-report?${query}`), { httpStatus: 400, code });
});

Deno.test("the last day that there is can be asked for", async () => {
  strictEqual((await report("9999-12-30", "9999-12-31")).days.length, 1);
});
