/**
 * A storm of everything that reserves and charges, on few users and few references, over many
 * connections: no call fails, every reference pays once, every hold ends once, and the books are right.
 * Copies of the functions that lack a rule have to fail.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { assertBooksAreRight } from "../support/backend.ts";
import { openConnections } from "../support/connections.ts";
import { type TestDatabase, withTestDatabase } from "../support/database.ts";
import {
  type Answer,
  buyStarter,
  capture,
  deduct,
  expireHolds,
  holdsOf,
  idOf,
  letExpire,
  refund,
  release,
  reserve,
  userWithCredits,
  type Who,
} from "../support/sql-bot.ts";
import { at, one } from "../support/lists.ts";
import { breakRule, type Breaks, testOfTests } from "../support/mutants.ts";

const CONNECTIONS = 12;
const CALLS_PER_CONNECTION = 40;
const USERS = 2;
const FIRST_CREDITS = 10;
const STARTER_CREDITS = 20;

/** What one call has done to a reference of a user. */
interface Deed {
  readonly who: Who;
  readonly reference: string;
  readonly call: "deduct" | "reserve" | "capture" | "release" | "lapse";
  readonly outcome: string;
  readonly credits: number;
  readonly isLate: boolean;
}

const random = (count: number): number => Math.floor(Math.random() * count);

/** One of three references that all connections use at about the same time, and then no longer. */
const referenceOf = (call: number): string => `job-${Math.floor(call / 8)}-${random(3)}`;

/** Lets everything happen at once to a few users, and checks all that is left. */
async function storm(database: TestDatabase): Promise<void> {
  const { sql } = database;
  const users = await Promise.all(
    Array.from({ length: USERS }, () => userWithCredits(sql, FIRST_CREDITS)),
  );
  const payments = await Promise.all(users.flatMap((who) => [buyStarter(sql, who)]));
  await using connections = await openConnections(database.url, CONNECTIONS);
  const deeds = await connections.all(async (session, connection) => {
    const deeds: Deed[] = [];
    for (let call = 0; call < CALLS_PER_CONNECTION; call++) {
      const payment = payments[connection];
      if (payment && call === CALLS_PER_CONNECTION / 2) await refund(session, payment);
      const who = at(users, random(USERS));
      const reference = referenceOf(call);
      const credits = 1 + random(6);
      const did = (call: Deed["call"], { outcome, ...answer }: Answer, credits: number) =>
        deeds.push({
          who,
          reference,
          call,
          outcome,
          credits,
          isLate: answer.is_late ?? false,
        });
      switch (random(10)) {
        case 0:
          did("deduct", await deduct(session, who, reference, { credits }), credits);
          break;
        case 1:
        case 2:
        case 3:
        case 4:
          did("reserve", await reserve(session, who, reference, { credits }), credits);
          break;
        case 5: {
          const part = random(2) === 0 ? {} : { credits: random(3) };
          const answer = await capture(session, who, reference, part);
          did("capture", answer, answer.captured_credits ?? 0);
          break;
        }
        case 6:
          did("release", await release(session, who, reference), 0);
          break;
        case 7:
          await expireHolds(session);
          break;
        default: {
          const outcome = await letExpire(session, who, reference) ? "lapsed" : "nothing";
          deeds.push({ who, reference, call: "lapse", outcome, credits: 0, isLate: false });
        }
      }
    }
    return deeds;
  });
  await assertBooksAreRight(sql);
  for (const who of users) await checkUser(database, who, deeds.flat());
  await assertBooksAreRight(sql);
}

/** Compares what a user has with what the calls said. */
async function checkUser({ sql }: TestDatabase, who: Who, all: Deed[]): Promise<void> {
  const deeds = all.filter((deed) => deed.who === who);
  const charges = deeds.filter(({ outcome, credits }) =>
    outcome === "deducted" || outcome === "captured" && credits > 0
  );
  const references = charges.map(({ reference }) => reference);
  strictEqual(new Set(references).size, references.length, "a reference was charged twice");

  const late = await sql`
    select reference_id, captured_credits as credits, ended_at >= expires_at as is_late
    from public.holds where user_id = ${await idOf(sql, who)} and state = 'captured'`;
  const captured = charges.filter(({ call }) => call === "capture");
  deepStrictEqual(
    late.map((row) => `${row.reference_id} ${row.credits} ${row.is_late}`).sort(),
    captured.map(({ reference, credits, isLate }) => `${reference} ${credits} ${isLate}`).sort(),
  );

  const lapsed = new Set(
    deeds.filter(({ outcome }) => outcome === "lapsed").map(({ reference }) => reference),
  );
  const holds = await holdsOf(sql, who);
  for (const [reference, state] of Object.entries(holds)) {
    ok(state !== "expired" || lapsed.has(reference), `${reference} has ended early`);
    if (state === "open") await letExpire(sql, who, reference);
  }
  await expireHolds(sql);
  const { credits, held, debt } = one(
    await sql`
    select credits, held_credits as held, debt_credits as debt from public.users
    where id = ${await idOf(sql, who)}`,
  );
  const spent = charges.reduce((sum, { credits }) => sum + credits, 0);
  strictEqual(held, 0);
  // What was bought went back.
  strictEqual(credits - debt, FIRST_CREDITS - spent);
}

Deno.test("after a storm on few users every reference has paid once, and the books are right", async () => {
  await withTestDatabase(async (database) => {
    for (let round = 0; round < 5; round++) await storm(database);
  });
});

Deno.test("a thousand reservations, captures and releases of last credits never overdraw", async () => {
  await withTestDatabase(async (database) => {
    const { sql, url } = database;
    const who = await userWithCredits(sql, STARTER_CREDITS);
    await using connections = await openConnections(url, CONNECTIONS);
    const answers = await connections.all(async (session, connection) => {
      const outcomes: string[] = [];
      for (let job = 0; job < 30; job++) {
        const reference = `${connection} ${job}`;
        const { outcome } = await reserve(session, who, reference, { credits: 2 });
        if (outcome !== "reserved") continue;
        const end = job % 2 === 0
          ? await capture(session, who, reference, { credits: 1 })
          : await release(session, who, reference);
        outcomes.push(end.outcome);
      }
      return outcomes;
    });
    const captures = answers.flat().filter((outcome) => outcome === "captured").length;
    const { credits, held } = one(
      await sql`
      select credits, held_credits as held from public.users where id = ${await idOf(sql, who)}`,
    );
    deepStrictEqual([credits, held], [STARTER_CREDITS - captures, 0]);
    ok(answers.flat().every((outcome) => outcome === "captured" || outcome === "released"));
    await assertBooksAreRight(sql);
  });
});

/** A function without one of its rules. */
interface Mutant {
  readonly rule: string;
  readonly in: string;
  readonly breaks: Breaks;
}

const MUTANTS: Mutant[] = [
  {
    rule: "a careful call locks its user",
    in: "private.lock_user",
    breaks: [["for no key update", ""]],
  },
  {
    rule: "a capture locks its user first",
    in: "public.capture_credits",
    breaks: [["for no key update", ""]],
  },
  {
    rule: "a sweep locks the user",
    in: "public.expire_holds",
    breaks: [["for no key update skip locked", ""]],
  },
  {
    rule: "a deduction leaves what is reserved",
    in: "public.deduct_credits",
    breaks: [[
      "u.credits - u.held_credits - u.debt_credits >= p.credits",
      "u.credits >= p.credits",
    ]],
  },
  {
    rule: "a reservation leaves what is reserved",
    in: "public.reserve_credits",
    breaks: [[
      "u.credits - u.held_credits - u.debt_credits >= p.credits",
      "u.credits >= p.credits",
    ]],
  },
  {
    rule: "a reservation sees an entry that was written meanwhile",
    in: "public.reserve_credits",
    breaks: [["and u.transaction_count = seen.transaction_count", ""]],
  },
  {
    rule: "a capture after the expiry is late",
    in: "public.capture_credits",
    breaks: [
      ["and u.next_hold_expiry_at > clock_timestamp()", ""],
      ["and h.expires_at > clock_timestamp()", ""],
    ],
  },
  {
    rule: "only what has expired is ended",
    in: "private.end_expired_holds",
    breaks: [["and h.expires_at <= v_now", ""], ["and h.expires_at > v_now", ""]],
  },
  {
    rule: "a hold that has ended returns nothing again",
    in: "private.end_hold",
    breaks: [["if (hold).state = 'open' then", "if true then"]],
  },
];

/**
 * How many storms may be tried to find one that notices a broken rule. What happens in a storm is up to
 * chance, and so many storms leave it none.
 */
const TRIES = 200;

testOfTests.each(MUTANTS)("a storm notices when this rule is broken: $rule", async (mutant) => {
  await withTestDatabase(async (database) => {
    await breakRule(database.sql, mutant.in, mutant.breaks);
    await rejects(async () => {
      for (let attempt = 0; attempt < TRIES; attempt++) await storm(database);
    });
  });
});
