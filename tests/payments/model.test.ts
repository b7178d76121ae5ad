/**
 * Whatever happens to payments, in random order and several at once, users end up with exactly the
 * credits that were paid and kept. The rules in the database are broken one by one, to show that the
 * model notices.
 * @module
 */

import { notStrictEqual, rejects } from "node:assert/strict";
import fc from "fast-check";
import { plans, playPlan } from "../support/payment-model.ts";
import { KillableWorker } from "../support/killable-worker.ts";
import { type PaymentHarness, startPaymentHarness } from "../support/payment-harness.ts";
import { one } from "../support/lists.ts";

/** The same plans in every run; a failure names the seed and the plan. */
const SEED = 20_261_123;
const PLANS = 100;
const TIME_LIMIT_MS = 10_000;

/** Plays random plans until one fails, all are played, or the time is used up. */
async function playPlans(
  shop: PaymentHarness,
  { timeLimitMs = Infinity, endOnFailure = false },
): Promise<void> {
  const deadline = performance.now() + timeLimitMs;
  const worker = new KillableWorker({
    dataApiUrl: shop.environment.SUPABASE_URL,
    razorpayUrl: shop.environment.RAZORPAY_API_URL,
  });
  await worker.start();
  try {
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        // A plan that has begun is played to its end, as two at once would share one environment.
        if (performance.now() < deadline) await playPlan(shop, worker, plan);
      }),
      { seed: SEED, numRuns: PLANS, endOnFailure },
    );
  } finally {
    await worker.stop();
  }
}

/** Killed workers log many errors, which would bury the result. */
async function withoutLog(act: () => Promise<void>): Promise<void> {
  const { error } = console;
  console.error = () => {};
  try {
    await act();
  } finally {
    console.error = error;
  }
}

Deno.test("whatever happens in whatever order, everybody has what was paid and kept", async () => {
  const shop = await startPaymentHarness();
  try {
    await withoutLog(() => playPlans(shop, { timeLimitMs: TIME_LIMIT_MS }));
  } finally {
    await shop.stop();
  }
});

const MUTANTS = [
  {
    rule: "a payment is granted once",
    in: "private.pay_order(uuid, uuid)",
    break: [
      ["v_payment_id is not distinct from v_order.razorpay_payment_id", "v_payment_id is null"],
      ["and p.credits_granted = 0", ""],
      ["'payment', v_payment_id", "'payment', v_payment_id || clock_timestamp()"],
    ],
  },
  {
    rule: "only money that is here pays",
    in: "private.pay_order(uuid, uuid)",
    break: [["and private.net_paise(p.id) > 0", ""]],
  },
  {
    rule: "only the right amount pays",
    in: "private.pay_order(uuid, uuid)",
    break: [["and p.amount_paise = v_order.amount_paise", ""]],
  },
  {
    rule: "another payment takes over when the first one's money is gone",
    in: "private.pay_order(uuid, uuid)",
    break: [["and private.net_paise(v_order.razorpay_payment_id) > 0", ""]],
  },
  {
    rule: "a dispute is as its newest report says",
    in: "private.record_reversal(text, jsonb)",
    break: [[
      "(excluded.reported_at, array_position(v_dispute_steps, excluded.status))",
      "('infinity'::timestamptz, array_position(v_dispute_steps, excluded.status))",
    ]],
  },
  {
    rule: "reversals together take no more than was granted",
    in: "private.apply_reversals(uuid, text)",
    break: [["* least(\n              p.amount_paise,", "* greatest(0,"]],
  },
  {
    rule: "what was spent becomes a debt",
    in: "private.revoke_credits(uuid, text, integer)",
    break: [["u.debt_credits + revoke_credits.credits - v_available", "u.debt_credits"]],
  },
  {
    rule: "an order that Razorpay told us of late is found by its receipt",
    in: "public.settle_payment(text, text, text, integer, text, jsonb, text)",
    break: [["not found and settle_payment.receipt ~ '^[0-9a-f]{32}$'", "false"]],
  },
] as const;

Deno.test.each(MUTANTS)("the model notices when this rule is broken: $rule", async (mutant) => {
  const shop = await startPaymentHarness();
  try {
    await breakRule(shop, mutant.in, mutant.break);
    await withoutLog(() => rejects(playPlans(shop, { endOnFailure: true }), /Property failed/));
  } finally {
    // Its books are wrong on purpose.
    await shop.stop().catch(() => {});
  }
});

/** Replaces passages of a database function. */
async function breakRule(
  { sql }: PaymentHarness,
  name: string,
  changes: readonly (readonly [before: string, after: string])[],
): Promise<void> {
  const { definition } = one(
    await sql<{ definition: string }[]>`
    select pg_get_functiondef(${name}::regprocedure) as definition`,
  );
  const broken = changes.reduce((text, [before, after]) => {
    const changed = text.replaceAll(before, after);
    notStrictEqual(changed, text, `${name} has no ${before}`);
    return changed;
  }, definition);
  await sql.unsafe(broken);
}
