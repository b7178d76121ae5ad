/**
 * Whatever is reserved, captured, released, charged, paid and refunded, in random order and several at
 * once, every answer and every balance is that of a simple model. Some rules in the database are
 * broken one by one, to show that the model notices.
 * @module
 */

import { rejects } from "node:assert/strict";
import fc from "fast-check";
import { openPlayer, plans } from "../support/credit-model.ts";
import { type TestDatabase, withTestDatabase } from "../support/database.ts";
import { breakRule, type Breaks, testOfTests } from "../support/mutants.ts";

/** The same plans in every run; a failure names the seed and the plan. */
const SEED = 20_261_126;

/** How many plans are played if none fails, however long that takes on this machine. */
const PLANS = 20;

/** How many plans may be tried to find one that notices a broken rule. */
const TRIES = 60;

/** Plays random plans until one fails or all are played. The first ones may be left out. */
async function playPlans(
  database: TestDatabase,
  { count, leaveOut = 0, endOnFailure = false }: {
    count: number;
    leaveOut?: number;
    endOnFailure?: boolean;
  },
): Promise<void> {
  await using player = await openPlayer(database);
  let number = 0;
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      number += 1;
      if (number > leaveOut) await player.play(plan);
    }),
    { seed: SEED, numRuns: leaveOut + count, endOnFailure },
  );
}

Deno.test("whatever happens in whatever order, answers and balances are those of the model", async () => {
  await withTestDatabase((database) => playPlans(database, { count: PLANS }));
});

/** A rule, and how it is broken. */
interface Mutant {
  readonly rule: string;
  readonly in: string;
  readonly breaks: Breaks;
  /** How many plans come before the one that notices; it only saves time. */
  readonly leaveOut: number;
}

const MUTANTS: Mutant[] = [
  {
    rule: "a deduction leaves what is reserved",
    in: "public.deduct_credits",
    breaks: [[
      "u.credits - u.held_credits - u.debt_credits >= p.credits",
      "u.credits >= p.credits",
    ]],
    leaveOut: 8,
  },
  {
    rule: "a reservation leaves what is reserved",
    in: "public.reserve_credits",
    breaks: [[
      "u.credits - u.held_credits - u.debt_credits >= p.credits",
      "u.credits >= p.credits",
    ]],
    leaveOut: 13,
  },
  {
    rule: "a careful deduction leaves what is reserved",
    in: "public.deduct_credits",
    breaks: [[
      "greatest(0, v_user.credits - v_user.held_credits - v_user.debt_credits)",
      "v_user.credits",
    ]],
    leaveOut: 5,
  },
  {
    rule: "a careful reservation leaves what is reserved",
    in: "public.reserve_credits",
    breaks: [[
      "greatest(0, v_user.credits - v_user.held_credits - v_user.debt_credits)",
      "v_user.credits",
    ]],
    leaveOut: 1,
  },
  {
    rule: "a deduction charges no reference that is reserved",
    in: "public.deduct_credits",
    breaks: [["not private.is_reference_taken(c.id, deduct_credits.reference_id)", "true"]],
    leaveOut: 0,
  },
  {
    rule: "a merge says so in the account that stays",
    in: "public.merge_users",
    breaks: [["has_merged = true", "has_merged = u.has_merged"]],
    leaveOut: 1,
  },
  {
    rule: "a deduction takes back what it charged for a reference that is taken",
    in: "public.deduct_credits",
    breaks: [["set credits = u.credits + v_charged_credits,", "set credits = u.credits,"]],
    leaveOut: 0,
  },
  {
    rule: "a deduction takes back the number of its entry",
    in: "public.deduct_credits",
    breaks: [[
      "transaction_count = u.transaction_count - 1",
      "transaction_count = u.transaction_count",
    ]],
    leaveOut: 0,
  },
  {
    rule: "a reservation takes back what it reserved for a reference that has a hold",
    in: "public.reserve_credits",
    breaks: [[
      "set held_credits = u.held_credits - v_reserved_credits,",
      "set held_credits = u.held_credits,",
    ]],
    leaveOut: 0,
  },
  {
    rule: "a call ends what has expired before it looks",
    in: "private.end_expired_holds",
    breaks: [["v_user.next_hold_expiry_at <= v_now", "false"]],
    leaveOut: 0,
  },
  {
    rule: "a settlement ends what has expired before it takes or pays",
    in: "public.settle_payment",
    breaks: [["perform private.end_expired_holds(v_user);", ""]],
    leaveOut: 0,
  },
  {
    rule: "a merge moves open holds",
    in: "private.move_holds",
    breaks: [["and h.state <> 'captured' and not exists", "and false and not exists"]],
    leaveOut: 5,
  },
  {
    rule: "a charge is found in merged accounts",
    in: "private.find_charge",
    breaks: [["where u.merged_into = find_charge.user_id", "where false"]],
    leaveOut: 3,
  },
  {
    rule: "an expired hold returns its credits once",
    in: "private.end_hold",
    breaks: [["if (hold).state = 'open' then", "if true then"]],
    leaveOut: 2,
  },
];

testOfTests.each(MUTANTS)("the model notices when this rule is broken: $rule", async (mutant) => {
  await withTestDatabase(async (database) => {
    await breakRule(database.sql, mutant.in, mutant.breaks);
    const playing = { count: TRIES, leaveOut: mutant.leaveOut, endOnFailure: true };
    await rejects(playPlans(database, playing), /Property failed/);
  });
});
