/**
 * The rules of holds one by one, each with the shortest story that depends on it. Copies of the functions
 * that lack the rule have to fail the story.
 * @module
 */

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { assertBooksAreRight } from "../support/backend.ts";
import { createTestDatabase } from "../support/database.ts";
import {
  balancesOf,
  buyStarter,
  capture,
  deduct,
  letExpire,
  merge,
  refund,
  release,
  reserve,
  userWithCredits,
  type Who,
} from "../support/sql-bot.ts";
import { breakRule, type Breaks, testOfTests } from "../support/mutants.ts";

const JOB = "wamid.job";

/** A rule, how it is broken, and what happens to show it. */
interface Rule {
  readonly in: string;
  readonly breaks: Breaks;
  readonly story: (sql: postgres.Sql) => Promise<void>;
}

/** Owes 12 credits, and has nothing but 15 reserved ones. */
async function debtor(sql: postgres.Sql): Promise<Who> {
  const who = await userWithCredits(sql, 3);
  const payment = await buyStarter(sql, who);
  await reserve(sql, who, JOB, { credits: 15 });
  await refund(sql, payment);
  return who;
}

const QUICK_EXPIRY =
  "and (u.next_hold_expiry_at is null or u.next_hold_expiry_at > clock_timestamp())";

const RULES: Record<string, Rule> = {
  "a quick deduction counts no expired hold": {
    in: "public.deduct_credits",
    breaks: [[QUICK_EXPIRY, ""]],
    async story(sql) {
      const who = await userWithCredits(sql, 5);
      await reserve(sql, who, JOB, { credits: 3 });
      await letExpire(sql, who, JOB);
      strictEqual((await deduct(sql, who, null)).remaining_credits, 4);
    },
  },
  "a quick reservation counts no expired hold": {
    in: "public.reserve_credits",
    breaks: [[QUICK_EXPIRY, ""]],
    async story(sql) {
      const who = await userWithCredits(sql, 5);
      await reserve(sql, who, JOB, { credits: 3 });
      await letExpire(sql, who, JOB);
      strictEqual((await reserve(sql, who, "another job")).remaining_credits, 4);
    },
  },
  "a reversal takes what is not reserved": {
    in: "private.revoke_credits",
    breaks: [["u.credits - u.held_credits", "u.credits"]],
    async story(sql) {
      const who = await debtor(sql);
      deepStrictEqual(await balancesOf(sql, who), {
        credits: 15,
        held: 15,
        debt: 12,
        remaining: 0,
      });
    },
  },
  "a merge releases what both have reserved": {
    in: "private.release_common_holds",
    breaks: [["private.is_reference_taken(into_user_id, h.reference_id)", "false"]],
    async story(sql) {
      const [from, into] = [await userWithCredits(sql, 5), await userWithCredits(sql, 5)];
      await reserve(sql, from, JOB, { credits: 3 });
      await reserve(sql, into, JOB, { credits: 2 });
      await merge(sql, from, into);
      deepStrictEqual(await balancesOf(sql, into), { credits: 10, held: 2, debt: 0, remaining: 8 });
      await assertBooksAreRight(sql);
    },
  },
  "a quick capture is in time": {
    in: "public.capture_credits",
    breaks: [
      ["and u.next_hold_expiry_at > clock_timestamp()", ""],
      ["and h.expires_at > clock_timestamp()", ""],
    ],
    async story(sql) {
      const who = await userWithCredits(sql, 5);
      await reserve(sql, who, JOB);
      await letExpire(sql, who, JOB);
      strictEqual((await capture(sql, who, JOB)).is_late, true);
    },
  },
  "a quick capture counts no expired hold": {
    in: "public.capture_credits",
    breaks: [["and u.next_hold_expiry_at > clock_timestamp()", ""]],
    async story(sql) {
      const who = await userWithCredits(sql, 5);
      await reserve(sql, who, JOB);
      await reserve(sql, who, "expired", { credits: 3 });
      await letExpire(sql, who, "expired");
      strictEqual((await capture(sql, who, JOB)).remaining_credits, 4);
    },
  },
  "no more is captured than was reserved": {
    in: "public.capture_credits",
    breaks: [["if v_credits > v_hold.credits or", "if"]],
    async story(sql) {
      const who = await userWithCredits(sql, 5);
      await reserve(sql, who, JOB, { credits: 2 });
      const { outcome } = await capture(sql, who, JOB, { credits: 3 });
      strictEqual(outcome, "capture_exceeds_hold");
    },
  },
  "no larger quantity is captured than was reserved": {
    in: "public.capture_credits",
    breaks: [["or v_quantity > v_hold.quantity", ""]],
    async story(sql) {
      const who = await userWithCredits(sql, 5);
      await reserve(sql, who, JOB, { action: "voice_message", quantity: 45 });
      const { outcome } = await capture(sql, who, JOB, { quantity: 46 });
      strictEqual(outcome, "capture_exceeds_hold");
    },
  },
  "a late capture takes only what remains": {
    in: "public.capture_credits",
    breaks: [["v_user.credits - v_user.held_credits - v_user.debt_credits", "v_user.credits"]],
    async story(sql) {
      const who = await userWithCredits(sql, 5);
      await reserve(sql, who, JOB, { credits: 3 });
      await letExpire(sql, who, JOB);
      await reserve(sql, who, "another job", { credits: 3 });
      strictEqual((await capture(sql, who, JOB)).outcome, "hold_expired");
    },
  },
  "a hold that ends pays what is owed": {
    in: "private.end_hold",
    breaks: [["perform private.collect_debts(v_hold.user_id);", ""]],
    async story(sql) {
      const who = await debtor(sql);
      await release(sql, who, JOB);
      deepStrictEqual(await balancesOf(sql, who), { credits: 3, held: 0, debt: 0, remaining: 3 });
    },
  },
  "a debt is paid by what is not reserved": {
    in: "private.collect_debts",
    breaks: [[
      "select u.credits - u.held_credits, u.debt_credits",
      "select u.credits, u.debt_credits",
    ]],
    async story(sql) {
      const who = await userWithCredits(sql, 3);
      const payment = await buyStarter(sql, who);
      await reserve(sql, who, JOB, { credits: 10 });
      await reserve(sql, who, "another job", { credits: 10 });
      await refund(sql, payment);
      await release(sql, who, JOB);
      deepStrictEqual(await balancesOf(sql, who), { credits: 10, held: 10, debt: 7, remaining: 0 });
    },
  },
  "a merge ends what has expired in the account that goes": {
    in: "public.merge_users",
    breaks: [["perform private.end_expired_holds(v_from);", ""]],
    async story(sql) {
      const [from, into] = [await userWithCredits(sql, 5), await userWithCredits(sql, 5)];
      await reserve(sql, from, JOB);
      await letExpire(sql, from, JOB);
      await merge(sql, from, into);
      strictEqual((await balancesOf(sql, into)).held, 0);
    },
  },
  "a merge ends what has expired in the account that stays": {
    in: "public.merge_users",
    breaks: [["perform private.end_expired_holds(v_into);", ""]],
    async story(sql) {
      const [from, into] = [await userWithCredits(sql, 5), await userWithCredits(sql, 5)];
      await reserve(sql, into, JOB, { credits: 2 });
      await letExpire(sql, into, JOB);
      await reserve(sql, from, JOB);
      await merge(sql, from, into);
      // The open hold is the one that counts.
      strictEqual((await balancesOf(sql, into)).held, 1);
    },
  },
  "a merge releases what the other account has charged": {
    in: "private.release_common_holds",
    breaks: [["(private.find_charge(from_user_id, h.reference_id)).user_id is not null", "false"]],
    async story(sql) {
      const [from, into] = [await userWithCredits(sql, 5), await userWithCredits(sql, 5)];
      await deduct(sql, from, JOB);
      await reserve(sql, into, JOB);
      await merge(sql, from, into);
      strictEqual((await balancesOf(sql, into)).held, 0);
    },
  },
  "a merge leaves a captured hold with its entry": {
    in: "private.move_holds",
    breaks: [["and h.state <> 'captured'", ""]],
    async story(sql) {
      const [from, into] = [await userWithCredits(sql, 5), await userWithCredits(sql, 5)];
      await reserve(sql, from, JOB);
      await capture(sql, from, JOB);
      await merge(sql, from, into);
      strictEqual((await reserve(sql, into, JOB)).outcome, "replayed");
    },
  },
  "too many holds are refused": {
    in: "public.reserve_credits",
    breaks: [["u.open_holds < (", "0 < ("]],
    async story(sql) {
      const who = await userWithCredits(sql, 50);
      for (let hold = 0; hold < 20; hold++) await reserve(sql, who, `job-${hold}`);
      strictEqual((await reserve(sql, who, JOB)).outcome, "too_many_holds");
    },
  },
  "a repeated request is for the same action": {
    in: "private.is_same_request",
    breaks: [["first_action = action and", ""]],
    async story(sql) {
      const who = await userWithCredits(sql, 50);
      await reserve(sql, who, JOB, { action: "chat", quantity: 1 });
      const { outcome } = await reserve(sql, who, JOB, { action: "video_generation" });
      strictEqual(outcome, "reference_reused");
    },
  },
};

const database = await createTestDatabase();
Deno.test.afterAll(() => database.drop());

Deno.test.each(Object.entries(RULES))("%s", async (_, { story }) => {
  await story(database.sql);
  await assertBooksAreRight(database.sql);
});

testOfTests.each(Object.entries(RULES))(
  "the story notices when this rule is broken: %s",
  async (_, rule) => {
    const database = await createTestDatabase();
    try {
      await breakRule(database.sql, rule.in, rule.breaks);
      await rejects(rule.story(database.sql));
    } finally {
      await database.drop();
    }
  },
);
