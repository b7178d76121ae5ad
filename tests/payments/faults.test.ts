/**
 * Razorpay fails in every way it can, and our own process is killed between any two steps: nothing is
 * credited that was not paid, nothing that was paid is lost, and no caller learns anything internal.
 * @module
 */

import { deepStrictEqual, doesNotMatch, ok, strictEqual } from "node:assert/strict";
import type { WebhookEvent } from "../../local/razorpay/webhooks.ts";
import { assertBooksAreRight } from "../support/backend.ts";
import { type Answer, call } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, orderPackage, payForPackage, verify } from "../support/purchases.ts";
import { KillableWorker, killAtEveryStep } from "../support/killable-worker.ts";
import {
  deliver,
  deliverAll,
  expectBought,
  historyOf,
  named,
  PACKAGES,
  runReconciler,
  settleByHand,
  usePaymentHarness,
} from "../support/payment-harness.ts";
import { at } from "../support/lists.ts";
import { withQuickTimers } from "../support/quick-timers.ts";

const shop = await usePaymentHarness();
const { control } = shop;
const worker = new KillableWorker({
  dataApiUrl: shop.environment.SUPABASE_URL,
  razorpayUrl: shop.environment.RAZORPAY_API_URL,
});
await worker.start();
Deno.test.afterAll(() => worker.stop());

const { credits: CREDITS } = PACKAGES.starter;

const askForLink = (phone_number: string) =>
  call("POST", "bot-payment-link", { body: { phone_number, package_id: "starter" } });

const placeOrder = (phone_number: string) =>
  call("POST", "create-order", { body: { phone_number, package_id: "starter" } });

/** A payment on an order whose Razorpay id we never stored, as its webhook reports it. */
async function unknownPayment(): Promise<{ phone: string; event: WebhookEvent }> {
  const phone = newPhoneNumber();
  const orderId = await orderPackage(phone, "starter");
  await shop.sql`
    update public.payment_orders
    set razorpay_order_id = null, opened_at = null, state = 'pending', next_check_at = null
    where razorpay_order_id = ${orderId}`;
  await control.payOrder(orderId, { outcome: "captured", deliver_webhooks: false });
  return { phone, event: named(await shop.eventsAbout(orderId), "payment.captured") };
}

/** The operations on payments, each with a purchase of its own and a way to check the result. */
const OPERATIONS: Record<string, () => Promise<Operation>> = {
  "create-order": () => {
    const phone = newPhoneNumber();
    return Promise.resolve({ phone, bought: 0, act: () => placeOrder(phone) });
  },
  "bot-payment-link": () => {
    const phone = newPhoneNumber();
    return Promise.resolve({ phone, bought: 0, act: () => askForLink(phone) });
  },
  "verify-payment": async () => {
    const purchase = await payForPackage(control, newPhoneNumber(), "starter");
    return { phone: purchase.phone, bought: CREDITS, act: () => verify(purchase) };
  },
  "razorpay-webhook, for a known order": async () => {
    const { phone, checkout } = await payForPackage(control, newPhoneNumber(), "starter");
    const events = await shop.eventsAbout(checkout.razorpay_payment_id);
    const event = named(events, "payment.captured");
    return { phone, bought: CREDITS, act: () => deliver(event) };
  },
  "razorpay-webhook, for an order that it has to ask about": async () => {
    const { phone, event } = await unknownPayment();
    return { phone, bought: CREDITS, act: () => deliver(event) };
  },
  "razorpay-webhook, for a refund": async () => {
    const { phone, checkout } = await buyCredits(control, newPhoneNumber(), "starter");
    const { id } = await control.refund(checkout.razorpay_payment_id, { deliver_webhooks: false });
    const event = named(await shop.eventsAbout(id), "refund.processed");
    return { phone, bought: 0, act: () => deliver(event) };
  },
  "reconcile-payments": async () => {
    const { phone, checkout } = await payForPackage(control, newPhoneNumber(), "starter");
    await control.refund(checkout.razorpay_payment_id, { amount: 4_950, deliver_webhooks: false });
    return {
      phone,
      bought: CREDITS / 2,
      act: async () => {
        await shop.makeDue();
        return await runReconciler();
      },
    };
  },
  "settle-order": async () => {
    const { phone, checkout } = await payForPackage(control, newPhoneNumber(), "starter");
    return {
      phone,
      bought: CREDITS,
      act: () => settleByHand({ order: checkout.razorpay_order_id }),
    };
  },
};

interface Operation {
  phone: string;
  /** What the user has bought once it went well. */
  bought: number;
  act: () => Promise<Answer>;
}

/** A webhook about a known order is booked without asking Razorpay. */
const ASKING_RAZORPAY = Object.entries(OPERATIONS).filter(([name]) =>
  !/known order|refund/.test(name)
);

/** What no message may contain: Razorpay's own texts, keys, addresses and database errors. */
const INTERNAL =
  /html|gateway error|authentication|too many|reported|rzp_|127\.0\.0\.1|axios|fetch|SQL|rpc|TypeError/i;

/** How an operation ends when Razorpay did not respond: with an error, or left for later. */
function expectSetback(name: string, { httpStatus, body }: Answer): void {
  if (name === "verify-payment") strictEqual(`${httpStatus} ${body.status}`, "202 PENDING");
  else if (name === "reconcile-payments") strictEqual(body.data?.failed, 1);
  else ok(httpStatus === 502 || httpStatus === 503, `${httpStatus}`);
  doesNotMatch(body.message, INTERNAL);
}

const FAULTS = [
  "401",
  "429",
  "500",
  "502_html",
  "504_empty",
  "200_html",
  "200_cut_off",
  "200_broken_off",
  "drop",
] as const;

Deno.test.each(FAULTS)(
  "while Razorpay answers %s nothing is credited, and all goes well afterwards",
  async (kind) => {
    for (const [name, prepare] of ASKING_RAZORPAY) {
      await shop.forgetOrders();
      const { phone, bought, act } = await prepare();
      // The HTTP client may repeat a request when its connection breaks.
      await control.addFault({ kind, times: 20, applied: false });
      expectSetback(name, await act());
      await control.clearFaults();
      await expectBought(phone, 0);
      ok((await act()).httpStatus === 200, name);
      await expectBought(phone, bought);
    }
  },
);

Deno.test(
  "no function waits forever for a Razorpay that does not answer, and all goes well afterwards",
  {
    timeout: 30_000,
  },
  async () => {
    const operations: (Operation & { name: string })[] = [];
    for (const [name, prepare] of ASKING_RAZORPAY) operations.push({ name, ...await prepare() });
    await control.addFault({ kind: "hang", times: 20 });
    const answers = await withQuickTimers(
      "setTimeout",
      () => Promise.all(operations.map(({ act }) => act())),
      { onlyMs: 8_000 },
    );
    await control.clearFaults();
    for (const [index, { name, phone }] of operations.entries()) {
      const answer = at(answers, index);
      if (name === "reconcile-payments") ok(Number(answer.body.data?.failed) > 0);
      else expectSetback(name, answer);
      await expectBought(phone, 0);
    }
    for (const { name, phone, bought, act } of operations) {
      strictEqual((await act()).httpStatus, 200, name);
      await expectBought(phone, bought);
    }
  },
);

Deno.test.each(Object.entries(OPERATIONS))(
  "%s may be killed at any step, and what was paid and kept is there in the end",
  async (_, prepare) => {
    await killAtEveryStep(async (death) => {
      await shop.forgetOrders();
      const { phone, bought, act } = await prepare();
      const result = await worker.runUntil(death, act);
      await assertBooksAreRight(shop.sql);
      strictEqual((await act()).httpStatus, 200);
      await expectBought(phone, bought);
      return result;
    });
  },
);

Deno.test("when the page's report is killed at any step, the webhook brings the credits", async () => {
  await killAtEveryStep(async (death) => {
    const purchase = await payForPackage(control, newPhoneNumber(), "starter");
    const result = await worker.runUntil(death, () => verify(purchase));
    await deliverAll(await shop.eventsAbout(purchase.checkout.razorpay_payment_id));
    deepStrictEqual(await historyOf(purchase.phone), [
      `+${CREDITS} payment ${purchase.checkout.razorpay_payment_id}: ${3 + CREDITS}`,
    ]);
    return result;
  });
});

Deno.test("when the webhook is killed at any step, the reconciler brings the credits", async () => {
  await killAtEveryStep(async (death) => {
    await shop.forgetOrders();
    const { phone, checkout } = await payForPackage(control, newPhoneNumber(), "starter");
    const events = await shop.eventsAbout(checkout.razorpay_payment_id);
    const result = await worker.runUntil(death, async () => {
      for (const event of events) await deliver(event);
    });
    await shop.reconcile();
    await expectBought(phone, CREDITS);
    return result;
  });
});

Deno.test("orders that a killed reconciler had claimed are claimed again", async () => {
  const purchases = await Promise.all(
    Array.from({ length: 4 }, () => payForPackage(control, newPhoneNumber(), "starter")),
  );
  await shop.makeDue();
  // The first request claims them. The worker dies at the next one.
  const { died } = await worker.runUntil({ step: 2, carriedOut: true }, runReconciler);
  ok(died);
  await shop.reconcile();
  for (const { phone } of purchases) await expectBought(phone, CREDITS);
});
