/**
 * What each call of a bot does in each state of a hold, whichever way the bot names the customer.
 *
 * A customer has 20 credits and a hold of 5 for one video. Besides, each spends 1 credit on an image
 * before the call, so that a replay, which repeats the first figures, differs from a new answer.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import {
  capture,
  deduct,
  fundsOf,
  newCustomer,
  newReference,
  passExpiry,
  type Person,
  release,
  reserve,
  userIdOf,
} from "../support/bot.ts";
import { type Answer, dataOf } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";

const { sql, stop } = await startBackend();
Deno.test.afterAll(() => stop());

const CREDITS = 20;
const VIDEO = { action: "video_generation" };

/** A customer's hold, or the reference of one that could be. */
interface Subject {
  readonly who: Person;
  readonly reference_id: string;
}

const body = ({ who, reference_id }: Subject, fields: object = {}) => ({
  ...who,
  reference_id,
  ...fields,
});

const CALLS = {
  "bot-reserve": (subject: Subject) => reserve(body(subject, VIDEO)),
  "bot-reserve for another request": (subject: Subject) =>
    reserve(body(subject, { ...VIDEO, quantity: 2 })),
  "bot-capture": (subject: Subject) => capture(body(subject)),
  "bot-capture of another amount": (subject: Subject) => capture(body(subject, { quantity: 2 })),
  "bot-release": (subject: Subject) => release(body(subject)),
  "bot-deduct": (subject: Subject) => deduct(body(subject, VIDEO)),
  "bot-deduct for another request": (subject: Subject) =>
    deduct(body(subject, { ...VIDEO, quantity: 2 })),
};

type Call = keyof typeof CALLS;

/** What a call returns, and what it does. */
interface Expected {
  /** HTTP status, code or status, and `replayed` for the header. */
  readonly answer: string;
  readonly message?: string;
  /** `data`, but for `expires_at`, which is no constant. */
  readonly data?: Record<string, unknown>;
  /** `remaining/reserved` afterwards; left out if the call changes nothing. */
  readonly funds?: string;
  /** What the ledger gains. */
  readonly charged?: { credits: number; quantity: number };
}

const error = (answer: string): Expected => ({ answer });
const left = (credits: number) => `You have ${credits} credits remaining.`;

const reserved = (remaining: number, credits = 5): Expected => ({
  answer: "200 SUCCESS",
  message: `${credits} credits reserved. ${left(remaining)}`,
  data: { remaining_credits: remaining, reserved_credits: credits, state: "open" },
  funds: `${remaining}/${credits}`,
});

const reservedBefore = (remaining: number, state: string): Expected => ({
  answer: "200 SUCCESS replayed",
  message: `5 credits reserved. ${left(remaining)}`,
  data: { remaining_credits: remaining, reserved_credits: 5, state },
});

const captured = (remaining: number, data: Record<string, unknown> = {}): Expected => ({
  answer: "200 SUCCESS",
  message: `Video generated successfully. ${left(remaining)}`,
  data: { remaining_credits: remaining, captured_credits: 5, ...data },
  funds: `${remaining}/0`,
  charged: { credits: 5, quantity: 1 },
});

const capturedBefore = (remaining: number): Expected => ({
  answer: "200 SUCCESS replayed",
  message: `Video generated successfully. ${left(remaining)}`,
  data: { remaining_credits: remaining, captured_credits: 5 },
});

const released = (remaining: number): Expected => ({
  answer: "200 SUCCESS",
  message: `5 credits returned. ${left(remaining)}`,
  data: { remaining_credits: remaining, released_credits: 5 },
  funds: `${remaining}/0`,
});

const releasedBefore = (remaining: number): Expected => ({
  answer: "200 SUCCESS replayed",
  message: `5 credits returned. ${left(remaining)}`,
  data: { remaining_credits: remaining, released_credits: 5 },
});

const deducted = (remaining: number, credits = 5): Expected => ({
  answer: "200 SUCCESS",
  message: `Video generated successfully. ${left(remaining)}`,
  data: { remaining_credits: remaining },
  funds: `${remaining}/0`,
  charged: { credits, quantity: credits / 5 },
});

const deductedBefore = (remaining: number): Expected => ({
  answer: "200 SUCCESS replayed",
  message: `Video generated successfully. ${left(remaining)}`,
  data: { remaining_credits: remaining },
});

/** How a hold gets into a state, and what each call does then. */
interface State {
  readonly reach: (subject: Subject) => Promise<void>;
  readonly calls: Record<Call, Expected>;
}

const REFERENCE_REUSED = error("409 REFERENCE_REUSED");

/** The credits are back, so the reference can be used again. */
const AGAIN = {
  "bot-reserve": reserved(14),
  "bot-reserve for another request": reserved(9, 10),
  "bot-deduct": deducted(14),
  "bot-deduct for another request": deducted(9, 10),
};

/** Charged by bot-deduct, whatever hold there was. */
const CHARGED = {
  "bot-reserve": REFERENCE_REUSED,
  "bot-reserve for another request": REFERENCE_REUSED,
  "bot-capture": capturedBefore(15),
  "bot-capture of another amount": REFERENCE_REUSED,
  "bot-release": error("409 HOLD_CAPTURED"),
  "bot-deduct": deductedBefore(15),
  "bot-deduct for another request": REFERENCE_REUSED,
};

const STATES: Record<string, State> = {
  "that there never was": {
    reach: (subject) => spendOne(subject),
    calls: {
      ...AGAIN,
      "bot-capture": error("404 HOLD_NOT_FOUND"),
      "bot-capture of another amount": error("404 HOLD_NOT_FOUND"),
      "bot-release": error("404 HOLD_NOT_FOUND"),
    },
  },
  "that is open": {
    reach: async (subject) => {
      await CALLS["bot-reserve"](subject);
      await spendOne(subject);
    },
    calls: {
      "bot-reserve": reservedBefore(15, "open"),
      "bot-reserve for another request": REFERENCE_REUSED,
      "bot-capture": captured(14),
      "bot-capture of another amount": error("409 CAPTURE_EXCEEDS_HOLD"),
      "bot-release": released(19),
      "bot-deduct": error("409 REFERENCE_HELD"),
      "bot-deduct for another request": error("409 REFERENCE_HELD"),
    },
  },
  "that was captured": {
    reach: async (subject) => {
      await CALLS["bot-reserve"](subject);
      await CALLS["bot-capture"](subject);
      await spendOne(subject);
    },
    calls: {
      "bot-reserve": reservedBefore(15, "captured"),
      "bot-reserve for another request": REFERENCE_REUSED,
      "bot-capture": capturedBefore(15),
      "bot-capture of another amount": REFERENCE_REUSED,
      "bot-release": error("409 HOLD_CAPTURED"),
      "bot-deduct": deductedBefore(15),
      "bot-deduct for another request": REFERENCE_REUSED,
    },
  },
  "that was released": {
    reach: async (subject) => {
      await CALLS["bot-reserve"](subject);
      await CALLS["bot-release"](subject);
      await spendOne(subject);
    },
    calls: {
      ...AGAIN,
      "bot-capture": error("409 HOLD_RELEASED"),
      "bot-capture of another amount": error("409 HOLD_RELEASED"),
      "bot-release": releasedBefore(20),
    },
  },
  "that has expired, and that nothing has swept,": {
    reach: async (subject) => {
      await CALLS["bot-reserve"](subject);
      await spendOne(subject);
      await passExpiry(sql, subject.who, subject.reference_id);
    },
    calls: {
      ...AGAIN,
      "bot-capture": captured(14, { late: true }),
      "bot-capture of another amount": error("409 CAPTURE_EXCEEDS_HOLD"),
      "bot-release": releasedBefore(19),
    },
  },
  "that has expired, and was swept,": {
    reach: async (subject) => {
      await reserveAndSweep(subject);
      await spendOne(subject);
    },
    calls: {
      ...AGAIN,
      "bot-capture": captured(14, { late: true }),
      "bot-capture of another amount": error("409 CAPTURE_EXCEEDS_HOLD"),
      "bot-release": releasedBefore(20),
    },
  },
  "that there never was, of a reference that bot-deduct charged,": {
    reach: async (subject) => {
      await CALLS["bot-deduct"](subject);
      await spendOne(subject);
    },
    calls: CHARGED,
  },
  "that was released, of a reference that bot-deduct charged since,": {
    reach: async (subject) => {
      await CALLS["bot-reserve"](subject);
      await CALLS["bot-release"](subject);
      await CALLS["bot-deduct"](subject);
      await spendOne(subject);
    },
    calls: CHARGED,
  },
  "that has expired, of a reference that bot-deduct charged since,": {
    reach: async (subject) => {
      await reserveAndSweep(subject);
      await CALLS["bot-deduct"](subject);
      await spendOne(subject);
    },
    calls: CHARGED,
  },
  "that has expired, and whose credits are spent,": {
    reach: async (subject) => {
      await CALLS["bot-reserve"](subject);
      await passExpiry(sql, subject.who, subject.reference_id);
      dataOf(await deduct({ ...subject.who, credits: 16 }));
    },
    calls: {
      "bot-reserve": {
        answer: "200 INSUFFICIENT_CREDITS",
        message: "You have 4 credits left, and this needs 5. Please purchase a plan to continue.",
        data: { remaining_credits: 4 },
      },
      "bot-reserve for another request": {
        answer: "200 INSUFFICIENT_CREDITS",
        message: "You have 4 credits left, and this needs 10. Please purchase a plan to continue.",
        data: { remaining_credits: 4 },
      },
      "bot-capture": error("409 HOLD_EXPIRED"),
      "bot-capture of another amount": error("409 CAPTURE_EXCEEDS_HOLD"),
      "bot-release": releasedBefore(20),
      "bot-deduct": {
        answer: "200 INSUFFICIENT_CREDITS",
        message: "You have 4 credits left, and this needs 5. Please purchase a plan to continue.",
        data: { remaining_credits: 4 },
      },
      "bot-deduct for another request": {
        answer: "200 INSUFFICIENT_CREDITS",
        message: "You have 4 credits left, and this needs 10. Please purchase a plan to continue.",
        data: { remaining_credits: 4 },
      },
    },
  },
};

async function spendOne({ who }: Subject): Promise<void> {
  dataOf(await deduct(who));
}

async function reserveAndSweep(subject: Subject): Promise<void> {
  await CALLS["bot-reserve"](subject);
  await passExpiry(sql, subject.who, subject.reference_id);
  await sql`select from public.expire_holds(1000)`;
}

/** The ways in which a bot names a customer. */
const PEOPLE: Record<string, () => Person> = {
  "phone number": () => ({ phone_number: newPhoneNumber() }),
  "WhatsApp user id": () => ({ whatsapp_user_id: newWhatsappId() }),
  "both": () => ({ phone_number: newPhoneNumber(), whatsapp_user_id: newWhatsappId() }),
};

const CELLS = Object.entries(PEOPLE).flatMap(([naming, person]) =>
  Object.entries(STATES).flatMap(([state, { reach, calls }]) =>
    (Object.keys(CALLS) as Call[]).map((call) => ({
      naming,
      person,
      state,
      reach,
      call,
      expected: calls[call],
    }))
  )
);

Deno.test.each(CELLS)(
  "a hold $state by $naming: $call is $expected.answer",
  async ({ person, reach, call, expected }) => {
    const subject = {
      who: await newCustomer(sql, CREDITS, person()),
      reference_id: newReference(),
    };
    const bystander = { ...subject, who: await newCustomer(sql, CREDITS) };
    await CALLS["bot-reserve"](bystander);
    const userId = await userIdOf(sql, subject.who);
    await reach(subject);
    const before = await stateOf(userId, subject);
    const others = await othersThan(userId);

    const answer = await CALLS[call](subject);

    strictEqual(kindOf(answer), expected.answer);
    const { expires_at: _, ...data } = answer.body.data ?? {};
    deepStrictEqual(data, expected.data ?? {});
    if (expected.message !== undefined) strictEqual(answer.body.message, expected.message);

    const after = await stateOf(userId, subject);
    const charges = after.entries.slice(before.entries.length);
    const { charged, funds = before.funds } = expected;
    deepStrictEqual(after.entries.slice(0, before.entries.length), before.entries);
    deepStrictEqual(
      charges.map(({ credits, quantity, source, reference_id }) => {
        return { credits, quantity, source, reference_id };
      }),
      charged
        ? [{ ...charged, source: "video_generation", reference_id: subject.reference_id }]
        : [],
    );
    strictEqual(after.funds, funds);
    if (expected.funds === undefined) deepStrictEqual(after.hold, before.hold);
    strictEqual(await othersThan(userId), others);
  },
);

function kindOf({ httpStatus, body: { status, code }, headers }: Answer): string {
  const replayed = headers.get("idempotent-replayed");
  return `${httpStatus} ${code ?? status}${replayed === "true" ? " replayed" : ""}`;
}

/** Everything about a customer that a call may change. */
async function stateOf(userId: string, { who, reference_id }: Subject) {
  const entries = await sql`
    select * from public.credit_transactions where user_id = ${userId} order by sequence_number`;
  // A hold whose time is over has expired, whether or not something has swept it.
  const [hold] = await sql`
    select case when state = 'open' and expires_at <= now() then 'expired' else state end as state,
      credits, quantity, price_id, expires_at, remaining_after, captured_credits
    from public.holds where user_id = ${userId} and reference_id = ${reference_id}`;
  return { entries: [...entries], hold, funds: await fundsOf(who) };
}

/** A digest of every row of everybody else. */
async function othersThan(userId: string): Promise<unknown> {
  const [digest] = await sql`
    select md5(string_agg(row, ' ' order by row)) as digest
    from (
      select u::text from public.users u where u.id <> ${userId}
      union all select h::text from public.holds h where h.user_id <> ${userId}
      union all select t::text from public.credit_transactions t where t.user_id <> ${userId}
      union all select i::text from public.identities i
    ) rows (row)`;
  return digest?.digest;
}
