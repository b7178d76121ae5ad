/**
 * POST refund-payment: an operator has Razorpay return the money of a payment, or a part of it.
 * @module
 */

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { assertBooksAreRight } from "../support/backend.ts";
import { type Answer, dataOf, expectError } from "../support/calls.ts";
import { alteringProxy, closedUrl, whileRazorpayIs } from "../support/faulty-servers.ts";
import { withEnvironment } from "../support/environment.ts";
import { KillableWorker, killAtEveryStep } from "../support/killable-worker.ts";
import { one } from "../support/lists.ts";
import { attentionTo } from "../support/operator-queries.ts";
import { act, newTicket, recordOf } from "../support/operators.ts";
import {
  deliverAll,
  expectBought,
  historyOf,
  named,
  PACKAGES,
  spend,
  usePaymentHarness,
} from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, payForPackage } from "../support/purchases.ts";
import { newPaymentId } from "../support/razorpay-ids.ts";
import { takeTurns } from "../support/turns.ts";

const shop = await usePaymentHarness();
const { control, sql } = shop;
const worker = new KillableWorker({
  dataApiUrl: shop.environment.SUPABASE_URL,
  razorpayUrl: shop.environment.RAZORPAY_API_URL,
});
await worker.start();
Deno.test.afterAll(() => worker.stop());

const { credits: CREDITS, amountPaise: AMOUNT } = PACKAGES.starter;
const EXCEEDS = { httpStatus: 409, code: "REFUND_EXCEEDS_PAYMENT" };
const REFUSED = { httpStatus: 409, code: "REFUND_REFUSED" };

/** A customer who bought a package. */
async function buyer() {
  const { phone, checkout } = await buyCredits(control, newPhoneNumber(), "starter");
  return { phone, payment_id: checkout.razorpay_payment_id };
}

const refund = (fields: Record<string, unknown>) => act("refund-payment", fields);

/** The refunds that Razorpay has of a payment, in paise. */
async function refundsAt(payment_id: string): Promise<number[]> {
  const { RAZORPAY_API_URL, RAZORPAY_KEY_ID, RAZORPAY_KEY_SECRET } = shop.environment;
  const response = await fetch(`${RAZORPAY_API_URL}/v1/payments/${payment_id}/refunds`, {
    headers: { authorization: `Basic ${btoa(`${RAZORPAY_KEY_ID}:${RAZORPAY_KEY_SECRET}`)}` },
  });
  const { items } = await response.json();
  return items.map(({ amount }: { amount: number }) => amount);
}

/** Fails unless it is left open whether there was a refund. */
function expectPending({ httpStatus, body }: Answer): void {
  strictEqual(`${httpStatus} ${body.status}`, "202 PENDING");
  strictEqual(
    body.message,
    "The refund is not confirmed yet. Please repeat the same call in a moment.",
  );
}

Deno.test("a payment is refunded, its credits go at once, and the webhook does no harm", async () => {
  const { phone, payment_id } = await buyer();
  const reference_id = newTicket();
  const answer = await refund({ payment_id, reference_id });
  strictEqual(answer.body.message, "Razorpay made the refund");
  const { refund_id, ...data } = dataOf(answer);
  deepStrictEqual(data, { status: "processed", amount_paise: AMOUNT });
  await expectBought(phone, 0);
  await deliverAll(await shop.eventsAbout(String(refund_id)));
  await expectBought(phone, 0);
  deepStrictEqual((await historyOf(phone)).slice(1), [`-${CREDITS} refund ${refund_id}: 3`]);

  const [asked, done] = await recordOf(sql, reference_id);
  deepStrictEqual(
    [asked?.outcome, asked?.before.left_paise, asked?.after.amount_paise, asked?.result],
    ["asked", AMOUNT, AMOUNT, null],
  );
  deepStrictEqual(
    [done?.outcome, done?.before.credits, done?.after.credits, done?.result],
    ["refunded", 3 + CREDITS, 3, { refund_id, ...data }],
  );
  for (const row of [asked, done]) {
    deepStrictEqual([row?.operator, row?.reason, row?.payment_id], [
      "Asha",
      "The customer called",
      payment_id,
    ]);
  }
});

Deno.test("parts are refunded up to the whole, and no paisa more", async () => {
  const { phone, payment_id } = await buyer();
  dataOf(await refund({ payment_id, amount_paise: 4_950 }));
  await expectBought(phone, CREDITS / 2);
  expectError(await refund({ payment_id, amount_paise: 4_951 }), EXCEEDS);
  strictEqual(dataOf(await refund({ payment_id })).amount_paise, 4_950);
  await expectBought(phone, 0);
  for (const amount_paise of [undefined, 100]) {
    expectError(await refund({ payment_id, amount_paise }), EXCEEDS);
  }
  deepStrictEqual(await refundsAt(payment_id), [4_950, 4_950]);
});

Deno.test("a refund in the dashboard counts, too, as soon as it is reported", async () => {
  const { payment_id } = await buyer();
  const { id } = await control.refund(payment_id, { amount: 9_000, deliver_webhooks: false });
  await deliverAll(await shop.eventsAbout(id));
  expectError(await refund({ payment_id, amount_paise: 901 }), EXCEEDS);
  strictEqual(dataOf(await refund({ payment_id })).amount_paise, 900);
});

Deno.test("a refund is made once, however often and at once it is asked for", async () => {
  const { phone, payment_id } = await buyer();
  const reference_id = newTicket();
  const request = { payment_id, amount_paise: 4_950, reference_id };
  const answers = await Promise.all(Array.from({ length: 6 }, () => refund(request)));
  // Razorpay may still be at work for another of them.
  for (const answer of answers) if (answer.httpStatus !== 200) expectPending(answer);
  const last = await refund(request);
  const { refund_id } = dataOf(last);
  const made = [...answers, last].filter(({ httpStatus }) => httpStatus === 200);
  for (const { body } of made) strictEqual(body.data?.refund_id, refund_id);
  strictEqual(made.filter(({ headers }) => !headers.has("idempotent-replayed")).length, 1);
  deepStrictEqual(await refundsAt(payment_id), [4_950]);
  strictEqual((await recordOf(sql, reference_id)).length, 2);
  await expectBought(phone, CREDITS / 2);
  for (const other of [{ amount_paise: 4_951 }, { amount_paise: null }]) {
    expectError(await refund({ ...request, ...other }), {
      httpStatus: 409,
      code: "REFERENCE_REUSED",
    });
  }
});

Deno.test("two operators who refund one payment at once refund it once", async () => {
  const { phone, payment_id } = await buyer();
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => refund({ payment_id, amount_paise: 6_000 })),
  );
  strictEqual(answers.filter(({ httpStatus }) => httpStatus === 200).length, 1);
  for (const answer of answers) if (answer.httpStatus !== 200) expectError(answer, EXCEEDS);
  deepStrictEqual(await refundsAt(payment_id), [6_000]);
  await expectBought(phone, CREDITS - Math.floor(CREDITS * 6_000 / AMOUNT));
});

Deno.test("a refund that is asked for waits for the one before it, and sees what it asked for", async () => {
  const { payment_id } = await buyer();
  const ask = async (sql: postgres.ISql) => {
    const { outcome, refund_paise } = one(
      await sql`
      select outcome, refund_paise
      from public.ask_refund(${payment_id}, 'Asha', 'Because', ${newTicket()}, 6000)`,
    );
    return { outcome, refund_paise };
  };
  const { first, followers } = await takeTurns(shop.database, ask, [ask, ask]);
  deepStrictEqual(first, { outcome: "asking", refund_paise: 6_000 });
  const refused = { outcome: "refund_exceeds_payment", refund_paise: null };
  deepStrictEqual(followers, [refused, refused]);
});

Deno.test("a refund that is pending takes its credits when the bank has made it", async () => {
  await control.changeSettings({ refund_status: "pending" });
  const { phone, payment_id } = await buyer();
  const { refund_id, status } = dataOf(await refund({ payment_id }));
  await control.changeSettings({ refund_status: "processed" });
  strictEqual(status, "pending");
  await expectBought(phone, CREDITS);
  expectError(await refund({ payment_id, amount_paise: 100 }), EXCEEDS);

  await control.changeRefund(String(refund_id), { status: "processed", deliver_webhooks: false });
  await deliverAll([named(await shop.eventsAbout(String(refund_id)), "refund.processed")]);
  await expectBought(phone, 0);
});

Deno.test("what was spent becomes a debt, as with any refund", async () => {
  const { phone, payment_id } = await buyer();
  await spend(phone, 13);
  dataOf(await refund({ payment_id }));
  await expectBought(phone, -3, 10);
});

Deno.test("money that bought nothing is refunded, and leaves the operator's list", async () => {
  const { phone, checkout } = await payForPackage(control, newPhoneNumber(), "starter");
  const payment_id = checkout.razorpay_payment_id;
  await sql`
    update public.payment_orders set amount_paise = amount_paise + 100
    where razorpay_order_id = ${checkout.razorpay_order_id}`;
  await shop.reconcile();
  strictEqual(one(await attentionTo(shop, payment_id)).kind, "flagged payment");
  dataOf(await refund({ payment_id }));
  deepStrictEqual(await attentionTo(shop, payment_id), []);
  await expectBought(phone, 0);
});

Deno.test("what Razorpay refuses is recorded, with its reason, and stays refused", async () => {
  const { phone, payment_id } = await buyer();
  // Refunded in the dashboard, and not reported yet.
  await control.refund(payment_id, { deliver_webhooks: false });
  const reference_id = newTicket();
  const answer = await refund({ payment_id, reference_id });
  expectError(answer, {
    ...REFUSED,
    message: /^Razorpay refused the refund \(HTTP 400: The payment/,
  });
  deepStrictEqual((await refund({ payment_id, reference_id })).body, answer.body);
  const [asked, refused] = await recordOf(sql, reference_id);
  deepStrictEqual([asked?.outcome, refused?.outcome], ["asked", "refused"]);
  match(refused?.result.refusal, /fully refunded already/);
  await expectBought(phone, CREDITS);
  deepStrictEqual(await attentionTo(shop, reference_id), []);
});

for (
  const kind of [
    "429",
    "500",
    "502_html",
    "200_html",
    "200_cut_off",
    "200_broken_off",
    "drop",
  ] as const
) {
  Deno.test(`while Razorpay answers ${kind} a refund is pending, and is made once in the end`, async () => {
    const { phone, payment_id } = await buyer();
    const request = { payment_id, amount_paise: 4_950, reference_id: newTicket() };
    await control.addFault({ kind, times: 20, method: "POST", path: "/v1/payments/*/refund" });
    expectPending(await refund(request));
    await control.clearFaults();
    strictEqual(dataOf(await refund(request)).amount_paise, 4_950);
    deepStrictEqual(await refundsAt(payment_id), [4_950]);
    await expectBought(phone, CREDITS / 2);
  });
}

Deno.test("a refund that Razorpay's lists do not show yet is not made again", async () => {
  const { payment_id } = await buyer();
  const request = { payment_id, amount_paise: 4_950, reference_id: newTicket() };
  const forgetful = alteringProxy(shop.environment.RAZORPAY_API_URL, {
    answer: (json, method, path) =>
      method === "GET" && path.endsWith("/refunds") ? Object.assign({}, json, { items: [] }) : json,
  });
  await control.addFault({ kind: "200_cut_off", method: "POST", path: "/v1/payments/*/refund" });
  await whileRazorpayIs(forgetful, async () => {
    expectPending(await refund(request));
    strictEqual(dataOf(await refund(request)).amount_paise, 4_950);
  });
  deepStrictEqual(await refundsAt(payment_id), [4_950]);
});

Deno.test("a refund that stays unknown is shown to operators until its call is repeated", async () => {
  const { payment_id } = await buyer();
  const reference_id = newTicket();
  await withEnvironment({ RAZORPAY_API_URL: closedUrl() }, async () => {
    expectPending(await refund({ payment_id, reference_id }));
  });
  expectError(await refund({ payment_id, amount_paise: 100 }), EXCEEDS);
  deepStrictEqual(await attentionTo(shop, reference_id), []);
  await sql.begin(async (sql) => {
    await sql`alter table public.operator_actions disable trigger operator_actions_are_append_only`;
    await sql`
      update public.operator_actions set created_at = created_at - interval '2 minutes'
      where reference_id = ${reference_id}`;
    await sql`alter table public.operator_actions enable trigger operator_actions_are_append_only`;
  });
  const { kind, detail } = one(await attentionTo(shop, reference_id));
  strictEqual(kind, "unfinished refund");
  match(detail, new RegExp(`^Asha asked Razorpay to refund ${AMOUNT} paise of ${payment_id}`));
  dataOf(await refund({ payment_id, reference_id }));
  deepStrictEqual(await attentionTo(shop, reference_id), []);
});

Deno.test("a key that Razorpay does not know refunds nothing, and the same call does afterwards", async () => {
  const { phone, payment_id } = await buyer();
  const request = { payment_id, reference_id: newTicket() };
  await withEnvironment({ RAZORPAY_KEY_SECRET: "wrong" }, async () => {
    expectError(await refund(request), { httpStatus: 502, code: "GATEWAY_ERROR" });
  });
  await withEnvironment({ RAZORPAY_KEY_SECRET: undefined }, async () => {
    expectError(await refund(request), { httpStatus: 500, code: "INTERNAL" });
  });
  await expectBought(phone, CREDITS);
  dataOf(await refund(request));
  await expectBought(phone, 0);
});

Deno.test("refund-payment may be killed at any step: nothing is half done, and a repetition ends it", async () => {
  await killAtEveryStep(async (death) => {
    const { phone, payment_id } = await buyer();
    const request = { payment_id, amount_paise: 4_950, reference_id: newTicket() };
    const result = await worker.runUntil(death, () => refund(request));
    await assertBooksAreRight(sql);
    strictEqual(dataOf(await refund(request)).amount_paise, 4_950);
    deepStrictEqual(await refundsAt(payment_id), [4_950]);
    deepStrictEqual(
      (await recordOf(sql, request.reference_id)).map(({ outcome }) => outcome),
      ["asked", "refunded"],
    );
    await expectBought(phone, CREDITS / 2);
    return result;
  });
});

Deno.test("what has no money, or is no payment of ours, is not refunded", async () => {
  const { checkout } = await payForPackage(control, newPhoneNumber(), "starter", {
    outcome: "authorized",
  });
  const payment_id = checkout.razorpay_payment_id;
  await deliverAll(await shop.eventsAbout(payment_id));
  expectError(await refund({ payment_id }), { httpStatus: 409, code: "PAYMENT_NOT_CAPTURED" });
  expectError(await refund({ payment_id: newPaymentId() }), {
    httpStatus: 404,
    code: "PAYMENT_NOT_FOUND",
  });
});

Deno.test.each(
  [
    [{ amount_paise: 99 }, "INVALID_REQUEST"],
    [{ amount_paise: 100.5 }, "INVALID_REQUEST"],
    [{ amount_paise: "100" }, "INVALID_REQUEST"],
    [{ payment_id: "order_RB58MiP5SPFYyM" }, "INVALID_REQUEST"],
    [{ operator: undefined }, "MISSING_FIELD"],
    [{ reason: undefined }, "MISSING_FIELD"],
    [{ reference_id: undefined }, "MISSING_FIELD"],
  ] as const,
)("refund-payment does nothing for %j: %s", async (fields, code) => {
  const { phone, payment_id } = await buyer();
  expectError(await refund({ payment_id, ...fields }), { httpStatus: 400, code });
  await expectBought(phone, CREDITS);
});
