/**
 * Money that goes back takes its credits along: refunds and lost disputes, reported in any order, and
 * what happens to credits that were already spent.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { WebhookEvent } from "../../local/razorpay/webhooks.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, payForPackage, type Purchase, verify } from "../support/purchases.ts";
import {
  deliver,
  deliverAll,
  expectBought,
  FREE_CREDITS,
  historyOf,
  named,
  PACKAGES,
  signedEvent,
  spend,
  usePaymentHarness,
} from "../support/payment-harness.ts";
import { at, one } from "../support/lists.ts";

const shop = await usePaymentHarness();
const { control } = shop;

const { credits: CREDITS, amountPaise: AMOUNT } = PACKAGES.starter;
const FULL = FREE_CREDITS + CREDITS;

const buy = () => buyCredits(control, newPhoneNumber(), "starter");

const paymentOf = ({ checkout }: Purchase) => checkout.razorpay_payment_id;

type RefundOptions = Parameters<typeof control.refund>[1];

/** Refunds, and delivers the refund's events. */
async function refund(purchase: Purchase, options: RefundOptions = {}): Promise<string> {
  const { id } = await control.refund(paymentOf(purchase), { deliver_webhooks: false, ...options });
  await deliverAll(await shop.eventsAbout(id));
  return id;
}

async function changeRefund(id: string, status: "processed" | "failed"): Promise<void> {
  await control.changeRefund(id, { status, deliver_webhooks: false });
  await deliver(named(await shop.eventsAbout(id), `refund.${status}`));
}

/** Opens a dispute, and delivers its event. */
async function dispute(purchase: Purchase, amount = AMOUNT): Promise<string> {
  const { id } = await control.openDispute(paymentOf(purchase), {
    amount,
    deliver_webhooks: false,
  });
  await deliverAll(await shop.eventsAbout(id));
  return id;
}

type DisputeStep = Parameters<typeof control.changeDispute>[1]["status"];

/** Moves a dispute at Razorpay, and returns the events of this step. */
async function moveDispute(
  id: string,
  status: DisputeStep,
  deduction: { amount_deducted?: number } = {},
): Promise<WebhookEvent[]> {
  await control.changeDispute(id, { status, ...deduction, deliver_webhooks: false });
  const name = `payment.dispute.${status}`;
  return (await shop.eventsAbout(id)).filter(({ event }) => event === name);
}

/** Moves a dispute, and delivers the event of this step. */
async function changeDispute(
  id: string,
  status: DisputeStep,
  deduction: { amount_deducted?: number } = {},
): Promise<WebhookEvent> {
  const event = one(await moveDispute(id, status, deduction));
  dataOf(await deliver(event));
  return event;
}

Deno.test("a full refund takes all credits back, as an entry of its own", async () => {
  const purchase = await buy();
  const id = await refund(purchase);
  await expectBought(purchase.phone, 0);
  deepStrictEqual(await historyOf(purchase.phone), [
    `+${CREDITS} payment ${paymentOf(purchase)}: ${FULL}`,
    `-${CREDITS} refund ${id}: ${FREE_CREDITS}`,
  ]);
});

Deno.test("a refund takes credits back once, however often it is reported", async () => {
  const purchase = await buy();
  const id = await refund(purchase, { amount: AMOUNT / 2 });
  const events = await shop.eventsAbout(id);
  await Promise.all([...events, ...events, ...events].map(deliver));
  await shop.reconcile();
  await expectBought(purchase.phone, CREDITS / 2);
});

Deno.test("partial refunds take their share, rounded down, and together no more and no less than all", async () => {
  const purchase = await buy();
  // Of 20 credits for 9900 paise, each third is worth 6 credits and two thirds of one.
  await refund(purchase, { amount: AMOUNT / 3 });
  await expectBought(purchase.phone, CREDITS - 6);
  await refund(purchase, { amount: AMOUNT / 3 });
  await expectBought(purchase.phone, CREDITS - 13);
  await refund(purchase, { amount: AMOUNT / 3 });
  await expectBought(purchase.phone, 0);
});

Deno.test("a refund that is worth less than a credit takes none", async () => {
  const purchase = await buy();
  await refund(purchase, { amount: 100 });
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("refunds and a lost dispute that add up to more than the payment take no more than it granted", async () => {
  const purchase = await buy();
  await refund(purchase, { amount: 6_930 });
  const id = await dispute(purchase);
  await changeDispute(id, "lost");
  await refund(purchase);
  await expectBought(purchase.phone, 0);
  deepStrictEqual((await historyOf(purchase.phone)).map((entry) => entry.split(" ")[0]), [
    "+20",
    "-14",
    "-6",
  ]);
});

Deno.test("a refund takes nothing until the bank has processed it", async () => {
  const purchase = await buy();
  const id = await refund(purchase, { status: "pending" });
  await shop.reconcile();
  await expectBought(purchase.phone, CREDITS);
  await changeRefund(id, "processed");
  await expectBought(purchase.phone, 0);
});

Deno.test("a refund that failed from the start takes nothing", async () => {
  const purchase = await buy();
  await refund(purchase, { status: "failed" });
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("a refund that fails after it was processed is undone", async () => {
  const purchase = await buy();
  const id = await refund(purchase);
  await changeRefund(id, "failed");
  await expectBought(purchase.phone, CREDITS);
  deepStrictEqual((await historyOf(purchase.phone)).slice(1), [
    `-${CREDITS} refund ${id}: ${FREE_CREDITS}`,
    `+${CREDITS} refund ${id}: ${FULL}`,
  ]);
  // The report of the earlier state may arrive late.
  await deliver(named(await shop.eventsAbout(id), "refund.processed"));
  await shop.reconcile();
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("a report that a refund has begun, and arrives after the refund's end, gives nothing back", async () => {
  const purchase = await buy();
  const id = await refund(purchase, { status: "pending" });
  const begun = named(await shop.eventsAbout(id), "refund.created");
  await changeRefund(id, "processed");
  await expectBought(purchase.phone, 0);
  dataOf(await deliver(begun));
  await expectBought(purchase.phone, 0);
});

Deno.test("a failed refund leaves the other refunds of its payment as they are", async () => {
  const purchase = await buy();
  await refund(purchase, { amount: 4_950 });
  const id = await refund(purchase, { amount: 2_475 });
  await changeRefund(id, "failed");
  await expectBought(purchase.phone, CREDITS / 2);
});

Deno.test("a refund that is known before its payment is leaves nothing to spend", async () => {
  for (const withCapture of [false, true]) {
    const purchase = await payForPackage(control, newPhoneNumber(), "starter");
    await refund(purchase);
    await expectBought(purchase.phone, 0);
    if (withCapture) await deliverAll(await shop.eventsAbout(paymentOf(purchase)));
    await shop.reconcile();
    await expectBought(purchase.phone, 0);
    expectError(await verify(purchase), {
      httpStatus: 400,
      code: "ORDER_MISMATCH",
      message: "The payment was refunded",
    });
  }
});

Deno.test("a partial refund that is known before its payment leaves the rest to spend", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  await refund(purchase, { amount: AMOUNT / 2 });
  await expectBought(purchase.phone, CREDITS / 2);
  dataOf(await verify(purchase));
  await deliverAll(await shop.eventsAbout(paymentOf(purchase)));
  await expectBought(purchase.phone, CREDITS / 2);
});

Deno.test("a refund that fails after it was known before its payment brings the credits after all", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const id = await refund(purchase);
  await changeRefund(id, "failed");
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("a refund made in the dashboard is found by the reconciler when no webhook tells of it", async () => {
  const purchase = await buy();
  await control.refund(paymentOf(purchase), { amount: AMOUNT / 2, deliver_webhooks: false });
  await shop.reconcile();
  await expectBought(purchase.phone, CREDITS / 2);
  await control.refund(paymentOf(purchase), { deliver_webhooks: false });
  await shop.reconcile();
  await expectBought(purchase.phone, 0);
});

Deno.test("several refunds that are found at once are entries of their own", async () => {
  const purchase = await buy();
  const refunds: string[] = [];
  for (let count = 0; count < 2; count++) {
    const { id } = await control.refund(paymentOf(purchase), {
      amount: AMOUNT / 2,
      deliver_webhooks: false,
    });
    refunds.push(id);
  }
  await shop.reconcile();
  const entries = (await historyOf(purchase.phone)).slice(1).map((entry) => entry.split(":")[0]);
  deepStrictEqual(entries.sort(), refunds.map((id) => `-${CREDITS / 2} refund ${id}`).sort());
});

Deno.test("a dispute takes credits when it is lost, not while it lasts", async () => {
  const purchase = await buy();
  const id = await dispute(purchase);
  await changeDispute(id, "under_review");
  await changeDispute(id, "action_required");
  await expectBought(purchase.phone, CREDITS);
  await changeDispute(id, "lost");
  await expectBought(purchase.phone, 0);
  deepStrictEqual((await historyOf(purchase.phone)).slice(1), [
    `-${CREDITS} dispute ${id}: ${FREE_CREDITS}`,
  ]);
});

Deno.test("a dispute that is won, or closed without a deduction, takes nothing", async () => {
  for (const end of ["won", "closed"] as const) {
    const purchase = await buy();
    await changeDispute(await dispute(purchase), end);
    await expectBought(purchase.phone, CREDITS);
  }
});

Deno.test("a dispute over a part takes that part", async () => {
  const purchase = await buy();
  await changeDispute(await dispute(purchase, AMOUNT / 4), "lost");
  await expectBought(purchase.phone, CREDITS * 3 / 4);
});

Deno.test("a lost dispute that is won after all gives its credits back, whatever comes late", async () => {
  const purchase = await buy();
  const id = await dispute(purchase);
  const lost = await changeDispute(id, "lost");
  await changeDispute(id, "won");
  await expectBought(purchase.phone, CREDITS);
  dataOf(await deliver(lost));
  await deliverAll(await shop.eventsAbout(id));
  await expectBought(purchase.phone, CREDITS);
});

Deno.test("a dispute that costs less than was disputed takes its share of what it cost", async () => {
  const purchase = await buy();
  const id = await dispute(purchase);
  await changeDispute(id, "lost", { amount_deducted: AMOUNT / 2 });
  await expectBought(purchase.phone, CREDITS / 2);
});

Deno.test("of the reports of a dispute the newest counts, however many are older", async () => {
  const purchase = await buy();
  const id = await dispute(purchase);
  const steps: [DisputeStep, sentAfterSeconds: number, bought: number][] = [
    ["lost", 10, 0],
    ["won", 30, CREDITS],
    // Newer than the first loss, and older than the win.
    ["lost", 20, CREDITS],
  ];
  for (const [status, seconds, bought] of steps) {
    const { body } = at(await moveDispute(id, status), -1);
    const event = JSON.parse(body);
    event.created_at += seconds;
    dataOf(await deliver(signedEvent(event, shop.environment.RAZORPAY_WEBHOOK_SECRET)));
    await expectBought(purchase.phone, bought);
  }
});

Deno.test("lost, refunded, then won: the refund alone counts", async () => {
  const purchase = await buy();
  const id = await dispute(purchase);
  await changeDispute(id, "lost");
  await refund(purchase, { amount: AMOUNT / 2 });
  await expectBought(purchase.phone, 0);
  await changeDispute(id, "won");
  await expectBought(purchase.phone, CREDITS / 2);
});

Deno.test("credits that were spent become a debt: the balance goes to 0 and no further", async () => {
  const purchase = await buy();
  await spend(purchase.phone, 15);
  const id = await refund(purchase);
  await expectBought(purchase.phone, -FREE_CREDITS, CREDITS - (FULL - 15));
  strictEqual((await historyOf(purchase.phone)).at(-1), `-8 refund ${id}: 0`);
});

Deno.test("a user who spent everything gets no entry, and a debt of everything", async () => {
  const purchase = await buy();
  await spend(purchase.phone, FULL);
  const before = await historyOf(purchase.phone);
  await refund(purchase);
  await expectBought(purchase.phone, -FREE_CREDITS, CREDITS);
  deepStrictEqual(await historyOf(purchase.phone), before);
});

Deno.test("later credits pay the debt first, and the history shows it", async () => {
  const purchase = await buy();
  await spend(purchase.phone, FULL);
  const id = await refund(purchase);
  const second = await payForPackage(control, purchase.phone, "popular");
  strictEqual(
    dataOf(await verify(second)).remaining_credits,
    PACKAGES.popular.credits - CREDITS,
  );
  await expectBought(purchase.phone, PACKAGES.popular.credits - CREDITS - FREE_CREDITS);
  deepStrictEqual((await historyOf(purchase.phone)).slice(-2), [
    `+75 payment ${paymentOf(second)}: 75`,
    `-20 refund ${id}: 55`,
  ]);
});

Deno.test("a debt that is larger than the next purchase is paid in parts, the oldest first", async () => {
  const phone = newPhoneNumber();
  const large = await buyCredits(control, phone, "popular");
  const small = await buyCredits(control, phone, "starter");
  await spend(phone, 98);
  const [first, second] = [await refund(large), await refund(small)];
  await expectBought(phone, -FREE_CREDITS, 95);
  await buyCredits(control, phone, "starter");
  await expectBought(phone, -FREE_CREDITS, 75);
  await buyCredits(control, phone, "popular");
  await expectBought(phone, -FREE_CREDITS);
  deepStrictEqual(
    (await historyOf(phone)).filter((entry) => entry.startsWith("-")).slice(1),
    [`-20 refund ${first}: 0`, `-55 refund ${first}: 20`, `-20 refund ${second}: 0`],
  );
});

Deno.test("a dispute that is won forgives its debt before it gives credits back", async () => {
  const purchase = await buy();
  await spend(purchase.phone, 15);
  const id = await dispute(purchase);
  await changeDispute(id, "lost");
  await expectBought(purchase.phone, -FREE_CREDITS, 12);
  await changeDispute(id, "won");
  await expectBought(purchase.phone, CREDITS - 15);
});

Deno.test("of a failed refund and a processed one that are found at once, the failed one comes first, so that nothing is owed in between", async () => {
  const purchase = await buy();
  const half = CREDITS / 2;
  const failed = await refund(purchase, { amount: AMOUNT / 2 });
  await spend(purchase.phone, FULL - half - 1);
  await control.changeRefund(failed, { status: "failed", deliver_webhooks: false });
  const processed = await control.refund(paymentOf(purchase), {
    amount: AMOUNT / 2,
    deliver_webhooks: false,
  });
  await shop.reconcile();
  deepStrictEqual((await historyOf(purchase.phone)).slice(-2), [
    `+${half} refund ${failed}: ${half + 1}`,
    `-${half} refund ${processed.id}: 1`,
  ]);
});

Deno.test("what comes back of one payment pays the debt of another", async () => {
  const phone = newPhoneNumber();
  const first = await buyCredits(control, phone, "starter");
  const second = await buyCredits(control, phone, "starter");
  const id = await dispute(first);
  await changeDispute(id, "lost");
  await spend(phone, FULL);
  await refund(second, { amount: AMOUNT / 2 });
  await expectBought(phone, -FREE_CREDITS, 10);
  await changeDispute(id, "won");
  await expectBought(phone, 10 - FREE_CREDITS);
});

Deno.test("a refund and a deduction at the same moment leave no credit uncounted", async () => {
  for (let round = 0; round < 5; round++) {
    const purchase = await buy();
    const { id } = await control.refund(paymentOf(purchase), { deliver_webhooks: false });
    const events = await shop.eventsAbout(id);
    const deductions = [3, 2].map((credits) => ({ phone_number: purchase.phone, credits }));
    await Promise.all([
      ...events.map(deliver),
      ...deductions.map((body) => call("POST", "bot-deduct", { body })),
    ]);
    const spent = (await historyOf(purchase.phone))
      .filter((entry) => entry.includes("image_generation"))
      .reduce((sum, entry) => sum - Number.parseInt(entry), 0);
    const debt = Math.max(0, spent - FREE_CREDITS);
    await expectBought(purchase.phone, debt - spent, debt);
  }
});

Deno.test("a refund of a payment that bought nothing takes nothing", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter", {
    outcome: "captured",
    amount: 5_000,
  });
  expectError(await verify(purchase), { httpStatus: 400, code: "ORDER_MISMATCH" });
  await refund(purchase);
  await expectBought(purchase.phone, 0);
});
