/**
 * Two calls about one user or one reference that meet: the second waits for the first one's lock, and
 * then decides by what the first has done. Copies of the functions that lack a rule have to fail.
 * @module
 */

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { assertBooksAreRight } from "../support/backend.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import {
  type Answer,
  balancesOf,
  buyStarter,
  capture,
  chargesOf,
  deduct,
  expireHolds,
  holdsOf,
  idOf,
  letExpire,
  merge,
  refund,
  release,
  reserve,
  userWithCredits,
  type Who,
} from "../support/sql-bot.ts";
import { at, one } from "../support/lists.ts";
import { breakRule, type Breaks, testOfTests } from "../support/mutants.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { type Call, takeTurns } from "../support/turns.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";
import { until } from "../../local/system/until.ts";

const JOB = "wamid.job";

/** How many calls wait for the first one where they all ask for the same. */
const FOLLOWERS = 5;

/** Makes calls meet in a database, and fails unless they end as they should. */
type Race = (database: TestDatabase) => Promise<void>;

/** Takes turns with one follower. */
async function inTurn<Result>(
  database: TestDatabase,
  first: Call<unknown>,
  second: Call<Result>,
  then?: Call<unknown>,
): Promise<Result> {
  return one((await takeTurns(database, first, [second], then)).followers);
}

const outcomeOf = (answer: Answer) => [answer.outcome, answer.remaining_credits];

/** Locks a user's row, as every call does that changes it. */
const lock = (who: Who) => async (sql: postgres.ISql) => {
  await sql`
    select from public.users where id = ${await idOf(sql, who)} for no key update`;
};

const RACES = {
  "one reference that is deducted by many at once is charged once, and the others repeat the first":
    async (database) => {
      const { sql } = database;
      const who = await userWithCredits(sql, 10);
      const call = (sql: postgres.ISql) => deduct(sql, who, JOB, { credits: 2 });
      const { first, followers } = await takeTurns(
        database,
        call,
        Array.from({ length: FOLLOWERS }, () => call),
      );
      deepStrictEqual(outcomeOf(first), ["deducted", 8]);
      for (const follower of followers) deepStrictEqual(outcomeOf(follower), ["replayed", 8]);
      deepStrictEqual(await chargesOf(sql, who), [`${JOB}: 2 for image_generation, 8 left`]);
    },

  "one reference is charged once by many at once who name a WhatsApp user id, or while something is reserved":
    async (database) => {
      const { sql } = database;
      const whatsappId = newWhatsappId();
      await sql`select from public.get_user(null, ${whatsappId})`;
      const reserved = await userWithCredits(sql, 3);
      await reserve(sql, reserved, "another job");
      for (const [who, left] of [[{ whatsappId }, 2], [reserved, 1]] as const) {
        const call = (sql: postgres.ISql) => deduct(sql, who, JOB);
        const { first, followers } = await takeTurns(
          database,
          call,
          Array.from({ length: FOLLOWERS }, () => call),
        );
        deepStrictEqual(outcomeOf(first), ["deducted", left]);
        for (const follower of followers) deepStrictEqual(outcomeOf(follower), ["replayed", left]);
        deepStrictEqual(await chargesOf(sql, who), [`${JOB}: 1 for image_generation, 2 left`]);
      }
    },

  "one reference that many reserve at once is reserved once, and the others repeat the first":
    async (database) => {
      const { sql } = database;
      const who = await userWithCredits(sql, 10);
      const call = (sql: postgres.ISql) => reserve(sql, who, JOB, { credits: 2 });
      const { first, followers } = await takeTurns(
        database,
        call,
        Array.from({ length: FOLLOWERS }, () => call),
      );
      deepStrictEqual(outcomeOf(first), ["reserved", 8]);
      for (const follower of followers) deepStrictEqual(outcomeOf(follower), ["replayed", 8]);
      deepStrictEqual((await balancesOf(sql, who)).held, 2);
    },

  "reservations of the last credits by many at once reserve them once": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 5);
    const { followers } = await takeTurns(
      database,
      (sql) => reserve(sql, who, JOB, { credits: 3 }),
      Array.from(
        { length: FOLLOWERS },
        (_, index) => (sql: postgres.ISql) => reserve(sql, who, `other ${index}`, { credits: 3 }),
      ),
    );
    for (const { outcome, remaining_credits, reserved_credits } of followers) {
      deepStrictEqual([outcome, remaining_credits, reserved_credits], [
        "insufficient_credits",
        2,
        3,
      ]);
    }
  },

  "a deduction behind a reservation gets what is not reserved": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 5);
    const { followers } = await takeTurns(
      database,
      (sql) => reserve(sql, who, JOB, { credits: 3 }),
      [3, 2].map((credits) => (sql: postgres.ISql) => deduct(sql, who, null, { credits })),
    );
    strictEqual(at(followers, 0).outcome, "insufficient_credits");
    deepStrictEqual(outcomeOf(at(followers, 1)), ["deducted", 0]);
  },

  "a deduction behind a reservation of its reference is refused": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 10);
    const answer = await inTurn(
      database,
      (sql) => reserve(sql, who, JOB),
      (sql) => deduct(sql, who, JOB),
    );
    strictEqual(answer.outcome, "reference_held");
    deepStrictEqual(await chargesOf(sql, who), []);
  },

  "a reservation behind a deduction of its reference is refused": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 10);
    const answer = await inTurn(
      database,
      (sql) => deduct(sql, who, JOB),
      (sql) => reserve(sql, who, JOB),
    );
    strictEqual(answer.outcome, "reference_reused");
    deepStrictEqual(await holdsOf(sql, who), {});
  },

  "a deduction behind the capture of its reference repeats the charge": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 10);
    await reserve(sql, who, JOB, { credits: 3 });
    const answer = await inTurn(
      database,
      (sql) => capture(sql, who, JOB),
      (sql) => deduct(sql, who, JOB, { credits: 3 }),
    );
    deepStrictEqual(outcomeOf(answer), ["replayed", 7]);
    strictEqual((await chargesOf(sql, who)).length, 1);
  },

  "a deduction behind the release of its reference charges": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 10);
    await reserve(sql, who, JOB, { credits: 3 });
    const answer = await inTurn(
      database,
      (sql) => release(sql, who, JOB),
      (sql) => deduct(sql, who, JOB, { credits: 4 }),
    );
    deepStrictEqual(outcomeOf(answer), ["deducted", 6]);
  },

  "of captures of different amounts at once the first counts": async (database) => {
    const { sql } = database;
    for (const [first, second] of [[3, 2], [2, 3]] as const) {
      const who = await userWithCredits(sql, 10);
      await reserve(sql, who, JOB, { credits: 3 });
      const { followers } = await takeTurns(
        database,
        (sql) => capture(sql, who, JOB, { credits: first }),
        [second, first].map((credits) => (sql: postgres.ISql) =>
          capture(sql, who, JOB, { credits })
        ),
      );
      deepStrictEqual(followers.map(({ outcome }) => outcome), ["reference_reused", "replayed"]);
      deepStrictEqual(await balancesOf(sql, who), {
        credits: 10 - first,
        held: 0,
        debt: 0,
        remaining: 10 - first,
      });
    }
  },

  "captures of everything behind the first one repeat it": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 10);
    await reserve(sql, who, JOB, { credits: 3 });
    const call = (sql: postgres.ISql) => capture(sql, who, JOB);
    const { first, followers } = await takeTurns(
      database,
      call,
      Array.from({ length: FOLLOWERS }, () => call),
    );
    deepStrictEqual(outcomeOf(first), ["captured", 7]);
    for (const follower of followers) deepStrictEqual(outcomeOf(follower), ["replayed", 7]);
    strictEqual((await chargesOf(sql, who)).length, 1);
  },

  "a release behind a capture finds the hold captured": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 10);
    await reserve(sql, who, JOB, { credits: 3 });
    const answer = await inTurn(
      database,
      (sql) => capture(sql, who, JOB),
      (sql) => release(sql, who, JOB),
    );
    strictEqual(answer.outcome, "hold_captured");
    strictEqual((await balancesOf(sql, who)).remaining, 7);
  },

  "a capture behind a release finds the hold released": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 10);
    await reserve(sql, who, JOB, { credits: 3 });
    const answer = await inTurn(
      database,
      (sql) => release(sql, who, JOB),
      (sql) => capture(sql, who, JOB),
    );
    strictEqual(answer.outcome, "hold_released");
    strictEqual((await balancesOf(sql, who)).remaining, 10);
  },

  "a capture that waits for its user has not locked the hold": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 10);
    await reserve(sql, who, JOB, { credits: 3 });
    const answer = await inTurn(
      database,
      lock(who),
      (sql) => capture(sql, who, JOB),
      (sql) => release(sql, who, JOB),
    );
    strictEqual(answer.outcome, "hold_released");
  },

  "a late capture behind the sweep charges once": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 3);
    await reserve(sql, who, JOB, { credits: 3 });
    await letExpire(sql, who, JOB);
    const answer = await inTurn(database, expireHolds, (sql) => capture(sql, who, JOB));
    deepStrictEqual([answer.outcome, answer.is_late], ["captured", true]);
    strictEqual(await expireHolds(sql), 0);
    deepStrictEqual(await balancesOf(sql, who), { credits: 0, held: 0, debt: 0, remaining: 0 });
  },

  "a sweep passes over a user who is locked, and the next one ends what is left": async (
    database,
  ) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 3);
    await reserve(sql, who, JOB, { credits: 3 });
    await letExpire(sql, who, JOB);
    await sql.begin(async (holder) => {
      await lock(who)(holder);
      const sweep = one(await sql`select users, expired, failed from public.expire_holds(10)`);
      deepStrictEqual({ ...sweep }, { users: 1, expired: 0, failed: 0 });
    });
    strictEqual(await expireHolds(sql), 1);
    strictEqual(await expireHolds(sql), 0);
    strictEqual((await balancesOf(sql, who)).held, 0);
  },

  "a sweep beside another one returns nothing a second time": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 3);
    await reserve(sql, who, JOB, { credits: 3 });
    await letExpire(sql, who, JOB);
    await sql.begin(async (holder) => {
      strictEqual(await expireHolds(holder), 1);
      strictEqual(await expireHolds(sql), 0);
    });
    deepStrictEqual(await balancesOf(sql, who), { credits: 3, held: 0, debt: 0, remaining: 3 });
  },

  "a refund behind a reservation takes what is not reserved": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 3);
    const payment = await buyStarter(sql, who);
    await inTurn(
      database,
      (sql) => reserve(sql, who, JOB, { credits: 15 }),
      (sql) => refund(sql, payment),
    );
    deepStrictEqual(await balancesOf(sql, who), { credits: 15, held: 15, debt: 12, remaining: 0 });
  },

  "a reservation behind a refund gets nothing that went back": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 3);
    const payment = await buyStarter(sql, who);
    const answer = await inTurn(
      database,
      (sql) => refund(sql, payment),
      (sql) => reserve(sql, who, JOB, { credits: 15 }),
    );
    deepStrictEqual(outcomeOf(answer), ["insufficient_credits", 3]);
  },

  "a purchase behind the release of a hold pays what is owed once": async (database) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 3);
    const payment = await buyStarter(sql, who);
    await reserve(sql, who, JOB, { credits: 15 });
    await refund(sql, payment);
    await inTurn(database, (sql) => release(sql, who, JOB), (sql) => buyStarter(sql, who));
    deepStrictEqual(await balancesOf(sql, who), { credits: 23, held: 0, debt: 0, remaining: 23 });
  },

  "a deduction behind a merge repeats what the other account was charged": async (database) => {
    const { sql } = database;
    const [from, into] = [await userWithCredits(sql, 1), await userWithCredits(sql, 5)];
    await deduct(sql, from, JOB);
    const answer = await inTurn(
      database,
      (sql) => merge(sql, from, into),
      (sql) => deduct(sql, into, JOB),
    );
    deepStrictEqual(outcomeOf(answer), ["replayed", 0]);
    deepStrictEqual(await chargesOf(sql, into), []);
  },

  "a reservation behind a merge finds what the other account was charged": async (database) => {
    const { sql } = database;
    const [from, into] = [await userWithCredits(sql, 1), await userWithCredits(sql, 5)];
    await deduct(sql, from, JOB);
    const answer = await inTurn(
      database,
      (sql) => merge(sql, from, into),
      (sql) => reserve(sql, into, JOB),
    );
    strictEqual(answer.outcome, "reference_reused");
    strictEqual((await balancesOf(sql, into)).held, 0);
  },

  "a merge behind a reservation moves it": async (database) => {
    const { sql } = database;
    const [from, into] = [await userWithCredits(sql, 4), await userWithCredits(sql, 5)];
    await inTurn(
      database,
      (sql) => reserve(sql, from, JOB, { credits: 3 }),
      (sql) => merge(sql, from, into),
    );
    deepStrictEqual(await balancesOf(sql, into), { credits: 9, held: 3, debt: 0, remaining: 6 });
  },

  "a merge behind a reservation of a reference that both have releases one of the two": async (
    database,
  ) => {
    const { sql } = database;
    const [from, into] = [await userWithCredits(sql, 4), await userWithCredits(sql, 5)];
    await reserve(sql, into, JOB, { credits: 2 });
    await inTurn(
      database,
      (sql) => reserve(sql, from, JOB, { credits: 3 }),
      (sql) => merge(sql, from, into),
    );
    deepStrictEqual(await balancesOf(sql, into), { credits: 9, held: 2, debt: 0, remaining: 7 });
  },

  "a reservation behind a merge is of the account that stays": async (database) => {
    const { sql } = database;
    const [from, into] = [await userWithCredits(sql, 4), await userWithCredits(sql, 5)];
    const answer = await inTurn(
      database,
      (sql) => merge(sql, from, into),
      (sql) => reserve(sql, from, JOB, { credits: 3 }),
    );
    deepStrictEqual(outcomeOf(answer), ["reserved", 6]);
    strictEqual(answer.user_id, await idOf(sql, into));
  },

  "a capture behind a merge charges the account that stays": async (database) => {
    const { sql } = database;
    for (const reserver of [0, 1]) {
      const pair = [await userWithCredits(sql, 4), await userWithCredits(sql, 5)] as const;
      await reserve(sql, at(pair, reserver), JOB, { credits: 3 });
      const answer = await inTurn(
        database,
        (sql) => merge(sql, pair[0], pair[1]),
        (sql) => capture(sql, at(pair, reserver), JOB),
      );
      deepStrictEqual(outcomeOf(answer), ["captured", 6]);
      deepStrictEqual(await chargesOf(sql, pair[1]), [`${JOB}: 3 for image_generation, 6 left`]);
    }
  },

  "a release behind a merge returns what was reserved before": async (database) => {
    const { sql } = database;
    const [from, into] = [await userWithCredits(sql, 4), await userWithCredits(sql, 5)];
    await reserve(sql, from, JOB, { credits: 3 });
    const answer = await inTurn(
      database,
      (sql) => merge(sql, from, into),
      (sql) => release(sql, from, JOB),
    );
    deepStrictEqual(outcomeOf(answer), ["released", 9]);
  },

  "a deduction with a number behind one with the WhatsApp user id alone repeats it": async (
    database,
  ) => {
    const { sql } = database;
    const whatsappId = newWhatsappId();
    await sql`select from public.get_user(null, ${whatsappId})`;
    const both = { phone: newPhoneNumber(), whatsappId };
    const answer = await inTurn(
      database,
      (sql) => deduct(sql, { whatsappId }, JOB),
      (sql) => deduct(sql, both, JOB),
    );
    deepStrictEqual(outcomeOf(answer), ["replayed", 2]);
    strictEqual(await idOf(sql, { phone: both.phone }), await idOf(sql, { whatsappId }));
  },

  "a deduction with the WhatsApp user id alone behind a first contact with both repeats it": async (
    database,
  ) => {
    const both = { phone: newPhoneNumber(), whatsappId: newWhatsappId() };
    const answer = await inTurn(
      database,
      (sql) => deduct(sql, both, JOB),
      (sql) => deduct(sql, { whatsappId: both.whatsappId }, JOB),
    );
    deepStrictEqual(outcomeOf(answer), ["replayed", 2]);
  },

  "a hold that expires while a call ends another one still counts for this call": async (
    database,
  ) => {
    const { sql } = database;
    const who = await userWithCredits(sql, 3);
    const payment = await buyStarter(sql, who);
    await reserve(sql, who, "first", { credits: 3 });
    await reserve(sql, who, "second", { credits: 5 });
    await deduct(sql, who, null, { credits: 6 });
    await refund(sql, payment, 4_950);
    deepStrictEqual(await balancesOf(sql, who), { credits: 8, held: 8, debt: 1, remaining: 0 });
    await letExpire(sql, who, "first");
    // Ending the first one pays the debt, for which the call has to wait.
    const answer = await inTurn(
      database,
      async (holder) => {
        await sql`
          update public.holds set expires_at = clock_timestamp() + interval '2 seconds'
          where reference_id = 'second'`;
        await holder`select from public.payment_reversals for update`;
      },
      (sql) => deduct(sql, who, null, { credits: 7 }),
      () =>
        until("the second hold has expired", async () => {
          const { over } = one(
            await sql`
            select expires_at < clock_timestamp() as over from public.holds
            where reference_id = 'second'`,
          );
          return over;
        }),
    );
    deepStrictEqual(outcomeOf(answer), ["insufficient_credits", 2]);
    deepStrictEqual(outcomeOf(await deduct(sql, who, null, { credits: 7 })), ["deducted", 0]);
  },
} satisfies Record<string, Race>;

const shared = await createTestDatabase();
Deno.test.afterAll(() => shared.drop());

Deno.test.each(Object.entries(RACES))("%s", async (_, race) => {
  await race(shared);
  await assertBooksAreRight(shared.sql);
});

/** A function without one of its rules, and the race that has to notice. */
interface Mutant {
  readonly rule: string;
  readonly in: string;
  readonly breaks: Breaks;
  readonly race: keyof typeof RACES;
}

const MUTANTS: Mutant[] = [
  {
    rule: "a reservation leaves alone a user who has got another entry since",
    in: "public.reserve_credits",
    breaks: [["and u.transaction_count = seen.transaction_count", ""]],
    race: "a reservation behind a deduction of its reference is refused",
  },
  {
    rule: "a deduction looks at holds once it has the lock",
    in: "public.deduct_credits",
    breaks: [["not private.is_reference_taken(c.id, deduct_credits.reference_id)", "true"]],
    race: "a deduction behind a reservation of its reference is refused",
  },
  {
    rule: "what a deduction looks at is newer than its own beginning",
    in: "private.is_reference_taken",
    breaks: [["LANGUAGE plpgsql", "LANGUAGE plpgsql STABLE"]],
    race: "a deduction behind a reservation of its reference is refused",
  },
  {
    rule: "a deduction looks at merged accounts once it has the lock",
    in: "public.deduct_credits",
    breaks: [["or u.has_merged", ""]],
    race: "a deduction behind a merge repeats what the other account was charged",
  },
  {
    rule: "a reservation looks at merged accounts",
    in: "public.reserve_credits",
    breaks: [["and not u.has_merged", ""]],
    race: "a reservation behind a merge finds what the other account was charged",
  },
  {
    rule: "a deduction leaves alone what is reserved",
    in: "public.deduct_credits",
    breaks: [["and u.credits - u.held_credits - u.debt_credits >=", "and u.credits >="]],
    race: "a deduction behind a reservation gets what is not reserved",
  },
  {
    rule: "a reservation leaves alone what is reserved",
    in: "public.reserve_credits",
    breaks: [["and u.credits - u.held_credits - u.debt_credits >=", "and u.credits >="]],
    race: "reservations of the last credits by many at once reserve them once",
  },
  {
    rule: "a capture locks its user first",
    in: "public.capture_credits",
    breaks: [["for no key update", ""]],
    race: "a capture that waits for its user has not locked the hold",
  },
  {
    rule: "whoever looks at a hold has locked its user",
    in: "private.lock_user",
    breaks: [["for no key update", ""]],
    race: "a release behind a capture finds the hold captured",
  },
  {
    rule: "a sweep locks the user",
    in: "public.expire_holds",
    breaks: [["for no key update skip locked", ""]],
    race: "a sweep passes over a user who is locked, and the next one ends what is left",
  },
  {
    rule: "a sweep waits for nobody",
    in: "public.expire_holds",
    breaks: [["skip locked", ""]],
    race: "a sweep passes over a user who is locked, and the next one ends what is left",
  },
  {
    rule: "a reversal looks at what is reserved once it has the lock",
    in: "private.revoke_credits",
    breaks: [["u.credits - u.held_credits", "u.credits"]],
    race: "a refund behind a reservation takes what is not reserved",
  },
  {
    rule: "a call counts what is reserved as it was when the call ended what had expired",
    in: "public.deduct_credits",
    breaks: [[
      "greatest(0, v_user.credits - v_user.held_credits - v_user.debt_credits)",
      "private.remaining_credits(v_user)",
    ]],
    race: "a hold that expires while a call ends another one still counts for this call",
  },
  {
    rule: "a merge locks the accounts before it looks at their holds",
    in: "public.merge_users",
    breaks: [["for no key update", ""]],
    race: "a merge behind a reservation of a reference that both have releases one of the two",
  },
];

testOfTests.each(MUTANTS)("a race notices when this rule is broken: $rule", async (mutant) => {
  const database = await createTestDatabase();
  try {
    await breakRule(database.sql, mutant.in, mutant.breaks);
    await rejects(async () => {
      await RACES[mutant.race](database);
      await assertBooksAreRight(database.sql);
    });
  } finally {
    await database.drop();
  }
});
