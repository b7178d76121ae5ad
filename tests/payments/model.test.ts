/**
 * Whatever happens to payments, in random order and several at once, users end up with exactly the
 * credits that were paid and kept. The rules in the database are broken one by one, to show that the
 * model notices.
 * @module
 */

import { rejects } from "node:assert/strict";
import fc from "fast-check";
import { plans, playPlan } from "../support/payment-model.ts";
import { KillableWorker } from "../support/killable-worker.ts";
import { type PaymentHarness, startPaymentHarness } from "../support/payment-harness.ts";
import { breakRule, testOfTests } from "../support/mutants.ts";

/** The same plans in every run; a failure names the seed and the plan. */
const SEED = 20_261_123;

/** How many plans are played if none fails, however long that takes on this machine. */
const PLANS = 25;

/** How many plans may be tried to find one that notices a broken rule. */
const TRIES = 100;

/** Plays random plans until one fails or all are played. The first ones may be left out. */
async function playPlans(
  shop: PaymentHarness,
  { count, leaveOut = 0, endOnFailure = false }: {
    count: number;
    leaveOut?: number;
    endOnFailure?: boolean;
  },
): Promise<void> {
  let number = 0;
  const worker = new KillableWorker({
    dataApiUrl: shop.environment.SUPABASE_URL,
    razorpayUrl: shop.environment.RAZORPAY_API_URL,
  });
  await worker.start();
  try {
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        number += 1;
        if (number > leaveOut) await playPlan(shop, worker, plan);
      }),
      { seed: SEED, numRuns: leaveOut + count, endOnFailure },
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
    await withoutLog(() => playPlans(shop, { count: PLANS }));
  } finally {
    await shop.stop();
  }
});

/**
 * Rules, and how each is broken: passages of a function and what replaces them. `leaveOut` is how many
 * plans come before the one that notices; it only saves time.
 */
const MUTANTS = [
  {
    rule: "a payment is granted once",
    leaveOut: 0,
    in: "private.pay_order",
    break: [
      ["v_payment_id is not distinct from v_order.razorpay_payment_id", "v_payment_id is null"],
      ["and p.credits_granted = 0", ""],
      ["'payment', v_payment_id", "'payment', v_payment_id || clock_timestamp()"],
    ],
  },
  {
    rule: "only money that is here pays",
    leaveOut: 0,
    in: "private.pay_order",
    break: [["and private.net_paise(p.id) > 0", ""]],
  },
  {
    rule: "only the right amount pays",
    leaveOut: 0,
    in: "private.pay_order",
    break: [["and p.amount_paise = v_order.amount_paise", ""]],
  },
  {
    rule: "another payment takes over when the first one's money is gone",
    leaveOut: 2,
    in: "private.pay_order",
    break: [["and private.net_paise(v_order.razorpay_payment_id) > 0", ""]],
  },
  {
    rule: "a dispute is as its newest report says",
    leaveOut: 0,
    in: "private.record_reversal",
    break: [[
      "(excluded.reported_at, array_position(v_dispute_steps, excluded.status))",
      "('infinity'::timestamptz, array_position(v_dispute_steps, excluded.status))",
    ]],
  },
  {
    rule: "reversals together take no more than was granted",
    leaveOut: 6,
    in: "private.apply_reversals",
    break: [["* least( p.amount_paise,", "* greatest(0,"]],
  },
  {
    rule: "what was spent becomes a debt",
    leaveOut: 15,
    in: "private.revoke_credits",
    break: [["u.debt_credits + revoke_credits.credits - v_available", "u.debt_credits"]],
  },
  {
    rule: "an order that Razorpay told us of late is found by its receipt",
    leaveOut: 5,
    in: "public.settle_payment",
    break: [["not found and settle_payment.receipt ~ '^[0-9a-f]{32}$'", "false"]],
  },
] as const;

testOfTests.each(MUTANTS)("the model notices when this rule is broken: $rule", async (mutant) => {
  const shop = await startPaymentHarness();
  try {
    await breakRule(shop.sql, mutant.in, mutant.break);
    const playing = { count: TRIES, leaveOut: mutant.leaveOut, endOnFailure: true };
    await withoutLog(() => rejects(playPlans(shop, playing), /Property failed/));
  } finally {
    // Its books are wrong on purpose.
    await shop.stop().catch(() => {});
  }
});
