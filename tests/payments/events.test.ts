/**
 * What is read from Razorpay's events, in the shapes that its documentation shows.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { z } from "zod";
import { EVENT_NAMES } from "../../local/razorpay/event-names.ts";
import { type EventInput, readEvent } from "shared/payments/event.ts";
import type { PaymentReport } from "shared/payments/settlement.ts";
import { SAMPLES } from "../support/webhook-samples.ts";
import { deliverAll, signedEvent, startPaymentHarness } from "../support/payment-harness.ts";
import { first, one } from "../support/lists.ts";

const shop = await startPaymentHarness();
Deno.test.afterAll(() => shop.stop());

const REFUND = { id: "rfnd_RefundSample01", kind: "refund", amount_paise: 4_950 };
const DISPUTE = { id: "disp_DisputeSample1", kind: "dispute", amount_paise: 9_900 };

/** What each event reports; null for events that cannot change credits. */
const MEANINGS: Record<string, Partial<Essence> | null> = {
  "payment.authorized": { status: "authorized" },
  "payment.captured": { status: "captured" },
  "payment.failed": { status: "failed" },
  "order.paid": { status: "captured", receipt: "receipt #1" },
  "refund.created": { reversals: [{ ...REFUND, status: "processed", is_money_gone: true }] },
  "refund.processed": { reversals: [{ ...REFUND, status: "processed", is_money_gone: true }] },
  "refund.failed": { reversals: [{ ...REFUND, status: "failed", is_money_gone: false }] },
  "refund.speed_changed": { reversals: [{ ...REFUND, status: "processed", is_money_gone: true }] },
  "payment.dispute.created": { reversals: [{ ...DISPUTE, status: "open", is_money_gone: false }] },
  "payment.dispute.under_review": {
    reversals: [{ ...DISPUTE, status: "under_review", is_money_gone: false }],
  },
  "payment.dispute.action_required": {
    reversals: [{ ...DISPUTE, status: "open", is_money_gone: false }],
  },
  "payment.dispute.lost": { reversals: [{ ...DISPUTE, status: "lost", is_money_gone: true }] },
  "payment.dispute.won": { reversals: [{ ...DISPUTE, status: "won", is_money_gone: false }] },
  "payment.dispute.closed": { reversals: [{ ...DISPUTE, status: "closed", is_money_gone: false }] },
  "payment_link.paid": { status: "captured", receipt: "reference-1" },
  "payment_link.cancelled": null,
  "payment_link.expired": null,
};

/** What is read from an event, without its times. */
interface Essence {
  id: string;
  orderId: string | null | undefined;
  amount: number;
  currency: string;
  status: string;
  reversals: object[];
  receipt: string | undefined;
}

function reportOf(event: EventInput): PaymentReport {
  const reading = readEvent(event);
  if (reading.kind !== "report") throw new Error(`The event is ${reading.kind}`);
  return reading.report;
}

function essence({ payment, reversals, receipt }: PaymentReport): Essence {
  return {
    id: payment.id,
    orderId: payment.order_id,
    amount: payment.amount,
    currency: payment.currency,
    status: payment.status,
    reversals: reversals.map(({ reported_at: _time, ...reversal }) => reversal),
    receipt,
  };
}

Deno.test.each(SAMPLES)("the documented event $name is understood", ({ body }) => {
  const meaning = MEANINGS[body.event];
  if (meaning === null) {
    strictEqual(readEvent(body).kind, "irrelevant");
    return;
  }
  deepStrictEqual(essence(reportOf(body)), {
    id: "pay_PaymentSample1",
    orderId: "order_OrderSample001",
    amount: 9_900,
    currency: "INR",
    status: "captured",
    reversals: [],
    receipt: undefined,
    ...meaning,
  });
});

Deno.test("every event that the stand-in sends is among the documented ones, but for part payments", () => {
  const documented = new Set(SAMPLES.map(({ body }) => body.event));
  deepStrictEqual(EVENT_NAMES.filter((name) => !documented.has(name)), [
    "payment_link.partially_paid",
  ]);
  deepStrictEqual(Object.keys(MEANINGS).sort(), [...documented].sort());
});

Deno.test("documented events of another shop are acknowledged, and book nothing", async () => {
  const events = SAMPLES.map(({ body }) =>
    signedEvent(body, shop.environment.RAZORPAY_WEBHOOK_SECRET)
  );
  deepStrictEqual(
    await deliverAll(events),
    SAMPLES.map(({ body }) => MEANINGS[body.event] === null ? "ignored" : "not_ours"),
  );
  const { count } = one(await shop.sql`select count(*)::integer from public.payments`);
  strictEqual(count, 0);
});

Deno.test("a dispute is dated by its event, a refund by itself", () => {
  const dated = (name: string) => {
    const sample = SAMPLES.find(({ body }) => body.event === name);
    return sample && reportOf(sample.body).reversals[0]?.reported_at;
  };
  strictEqual(dated("payment.dispute.lost"), new Date(1_750_000_700_000).toISOString());
  strictEqual(dated("refund.processed"), new Date(1_750_000_600_000).toISOString());
});

Deno.test("a dispute that was closed with a deduction took that much", () => {
  const { body } = one(SAMPLES.filter(({ body }) => body.event === "payment.dispute.closed"));
  const text = JSON.stringify(body).replace('"amount_deducted":0', '"amount_deducted":500');
  const reversal = one(reportOf(JSON.parse(text)).reversals);
  deepStrictEqual([reversal.amount_paise, reversal.is_money_gone], [500, true]);
});

Deno.test("an event without a payment is ignored, whatever is in it", () => {
  fc.assert(fc.property(
    fc.dictionary(fc.string().filter((name) => name !== "payment"), fc.jsonValue()),
    (payload) => strictEqual(readEvent({ event: "order.paid", payload }).kind, "irrelevant"),
  ));
});

Deno.test("an event about a payment without the facts that decide is not guessed at", () => {
  const { entity } = z.object({ entity: z.record(z.string(), z.unknown()) })
    .parse(first(SAMPLES).body.payload.payment);
  const wrong: Record<string, unknown[]> = {
    id: [undefined, null, 1, "", "pay_1", "order_OrderSample001"],
    order_id: [1, "\0", "order_1", "pay_OrderSample001"],
    amount: [undefined, null, "9900", 99.5, -9_900, true],
    currency: [undefined, null, 356, "", "INR\0", "rupees"],
    status: [undefined, null, "paid", 1],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      const payment = { entity: { ...entity, [field]: value } };
      const event = { event: "payment.captured", payload: { payment } };
      strictEqual(readEvent(event).kind, "unreadable", `${field} ${value}`);
    }
  }
});

Deno.test("an event of another kind is ignored, whatever it says about a payment", () => {
  fc.assert(fc.property(
    fc.constantFrom("payment.pending", "payment.downtime.started", "order.paid.twice", "x"),
    fc.record({ payment: fc.record({ entity: fc.jsonValue() }) }),
    (event, payload) => strictEqual(readEvent({ event, payload }).kind, "irrelevant"),
  ));
});
