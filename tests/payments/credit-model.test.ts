/**
 * Whatever is reserved, captured, released, charged, paid and refunded, in random order and several at
 * once, every answer and every balance is that of a simple model. The rules in the database are broken
 * one by one, to show that the model notices.
 * @module
 */

import { rejects } from "node:assert/strict";
import fc from "fast-check";
import { openPlayer, plans } from "../support/credit-model.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { breakRule, type Breaks } from "../support/mutants.ts";

/** The same plans in every run; a failure names the seed and the plan. */
const SEED = 20_261_126;

/** How many plans are played if none fails, however long that takes on this machine. */
const PLANS = 15;

/** How many plans may be tried to find one that notices a broken rule. */
const TRIES = 150;

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

async function withDatabase(act: (database: TestDatabase) => Promise<void>): Promise<void> {
  const database = await createTestDatabase();
  try {
    await act(database);
  } finally {
    await database.drop();
  }
}

Deno.test("whatever happens in whatever order, answers and balances are those of the model", async () => {
  await withDatabase((database) => playPlans(database, { count: PLANS }));
});

/** A rule, and how it is broken. */
interface Mutant {
  readonly rule: string;
  readonly in: string;
  readonly breaks: Breaks;
  /** How many plans come before the one that notices; it only saves time. */
  readonly leaveOut: number;
}

const QUICK_EXPIRY =
  "and (u.next_hold_expiry_at is null or u.next_hold_expiry_at > clock_timestamp())";

const MUTANTS: Mutant[] = [
  {
    rule: "a deduction leaves what is reserved",
    in: "public.deduct_credits",
    breaks: [[
      "u.credits - u.held_credits - u.debt_credits >= p.credits",
      "u.credits >= p.credits",
    ]],
    leaveOut: 0,
  },
  {
    rule: "a reservation leaves what is reserved",
    in: "public.reserve_credits",
    breaks: [[
      "u.credits - u.held_credits - u.debt_credits >= p.credits",
      "u.credits >= p.credits",
    ]],
    leaveOut: 0,
  },
  {
    rule: "a careful deduction leaves what is reserved",
    in: "public.deduct_credits",
    breaks: [[
      "greatest(0, v_user.credits - v_user.held_credits - v_user.debt_credits)",
      "v_user.credits",
    ]],
    leaveOut: 0,
  },
  {
    rule: "a careful reservation leaves what is reserved",
    in: "public.reserve_credits",
    breaks: [[
      "greatest(0, v_user.credits - v_user.held_credits - v_user.debt_credits)",
      "v_user.credits",
    ]],
    leaveOut: 0,
  },
  {
    rule: "a quick deduction counts no expired hold",
    in: "public.deduct_credits",
    breaks: [[QUICK_EXPIRY, ""]],
    leaveOut: 0,
  },
  {
    rule: "a quick reservation counts no expired hold",
    in: "public.reserve_credits",
    breaks: [[QUICK_EXPIRY, ""]],
    leaveOut: 0,
  },
  {
    rule: "a quick capture is in time",
    in: "public.capture_credits",
    breaks: [
      ["and u.next_hold_expiry_at > clock_timestamp()", ""],
      ["and h.expires_at > clock_timestamp()", ""],
    ],
    leaveOut: 0,
  },
  {
    rule: "a quick capture counts no expired hold",
    in: "public.capture_credits",
    breaks: [["and u.next_hold_expiry_at > clock_timestamp()", ""]],
    leaveOut: 0,
  },
  {
    rule: "a deduction charges no reference that is reserved",
    in: "public.deduct_credits",
    breaks: [["not private.is_reference_taken(c.id, deduct_credits.reference_id)", "true"]],
    leaveOut: 0,
  },
  {
    rule: "a quick deduction looks at merged accounts",
    in: "public.deduct_credits",
    breaks: [["or u.has_merged", ""]],
    leaveOut: 0,
  },
  {
    rule: "a quick reservation leaves alone who has merged",
    in: "public.reserve_credits",
    breaks: [["and not u.has_merged", ""]],
    leaveOut: 0,
  },
  {
    rule: "a merge says so in the account that stays",
    in: "public.merge_users",
    breaks: [["has_merged = true", "has_merged = u.has_merged"]],
    leaveOut: 0,
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
    breaks: [["v_user.next_hold_expiry_at <= clock_timestamp()", "false"]],
    leaveOut: 0,
  },
  {
    rule: "a settlement ends what has expired before it takes or pays",
    in: "public.settle_payment",
    breaks: [["perform private.end_expired_holds(v_user);", ""]],
    leaveOut: 0,
  },
  {
    rule: "a merge ends what has expired in the account that goes",
    in: "public.merge_users",
    breaks: [["perform private.end_expired_holds(v_from);", ""]],
    leaveOut: 0,
  },
  {
    rule: "a merge ends what has expired in the account that stays",
    in: "public.merge_users",
    breaks: [["perform private.end_expired_holds(v_into);", ""]],
    leaveOut: 0,
  },
  {
    rule: "a hold that ends pays what is owed",
    in: "private.end_hold",
    breaks: [["perform private.collect_debts(v_hold.user_id);", ""]],
    leaveOut: 0,
  },
  {
    rule: "a debt is paid by what is not reserved",
    in: "private.collect_debts",
    breaks: [[
      "select u.credits - u.held_credits, u.debt_credits",
      "select u.credits, u.debt_credits",
    ]],
    leaveOut: 0,
  },
  {
    rule: "a reversal takes what is not reserved",
    in: "private.revoke_credits",
    breaks: [["u.credits - u.held_credits", "u.credits"]],
    leaveOut: 0,
  },
  {
    rule: "a merge releases what both have reserved",
    in: "private.release_common_holds",
    breaks: [["private.is_reference_taken(into_user_id, h.reference_id)", "false"]],
    leaveOut: 0,
  },
  {
    rule: "a merge releases what the other account has charged",
    in: "private.release_common_holds",
    breaks: [[
      "(private.find_charge(from_user_id, h.reference_id)).user_id is not null",
      "false",
    ]],
    leaveOut: 0,
  },
  {
    rule: "a merge moves open holds",
    in: "private.move_holds",
    breaks: [["and h.state <> 'captured' and not exists", "and false and not exists"]],
    leaveOut: 0,
  },
  {
    rule: "a captured hold stays with its entry in a merge",
    in: "private.move_holds",
    breaks: [["and h.state <> 'captured'", ""]],
    leaveOut: 0,
  },
  {
    rule: "a charge is found in merged accounts",
    in: "private.find_charge",
    breaks: [["where u.merged_into = find_charge.user_id", "where false"]],
    leaveOut: 0,
  },
  {
    rule: "a late capture takes what remains",
    in: "public.capture_credits",
    breaks: [["v_user.credits - v_user.held_credits - v_user.debt_credits", "v_user.credits"]],
    leaveOut: 0,
  },
  {
    rule: "no more is captured than was reserved",
    in: "public.capture_credits",
    breaks: [["if v_credits > v_hold.credits then", "if false then"]],
    leaveOut: 0,
  },
  {
    rule: "an expired hold returns its credits once",
    in: "private.end_hold",
    breaks: [["if (hold).state = 'open' then", "if true then"]],
    leaveOut: 0,
  },
  {
    rule: "too many holds are refused",
    in: "public.reserve_credits",
    breaks: [["and u.open_holds < (", "and 0 < ("]],
    leaveOut: 0,
  },
  {
    rule: "a repeated request is the same one",
    in: "private.is_same_request",
    breaks: [["first_action = action and", "true and"]],
    leaveOut: 0,
  },
];

Deno.test.each(MUTANTS)("the model notices when this rule is broken: $rule", async (mutant) => {
  await withDatabase(async (database) => {
    await breakRule(database.sql, mutant.in, mutant.breaks);
    const playing = { count: TRIES, leaveOut: mutant.leaveOut, endOnFailure: true };
    await rejects(playPlans(database, playing), /Property failed/);
  });
});
