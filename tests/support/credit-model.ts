/**
 * A model of what users have: random plans of reservations, captures, releases, expiries, deductions,
 * purchases, money that goes back, and merges are played through the SQL functions, several at once, and
 * every answer and every balance is compared with the model's.
 *
 * The model is written independently of the SQL and knows no debt: an account is worth what it was given
 * and has not spent, and its open holds reserve a part of that. The rest follows: the balance is the
 * larger of the two, what holds exceed the worth by is owed, and what the worth exceeds them by remains.
 * @module
 */

import { deepStrictEqual, fail, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import type postgres from "postgres";
import { assertBooksAreRight } from "./backend.ts";
import { openConnections } from "./connections.ts";
import type { TestDatabase } from "./database.ts";
import {
  type Answer,
  buyStarter,
  capture,
  deduct,
  type Demand,
  expireHolds,
  idOf,
  letExpire,
  release,
  reportReversals,
  reserve,
  type StarterPayment,
  type Who,
} from "./sql-bot.ts";
import { at } from "./lists.ts";
import { newPhoneNumber } from "./phone-numbers.ts";
import { newPaymentId } from "./razorpay-ids.ts";
import { newWhatsappId } from "./whatsapp-ids.ts";

const PERSONS = 3;
const FREE_CREDITS = 3;
const STARTER = { credits: 20, paise: 9_900 };
const MAX_CREDITS_PER_CALL = 1_000;

/** Few, so that plans reach it. The database is set to it. */
const MAX_OPEN_HOLDS = 3;

/** What each action costs. */
const PRICES: Record<string, (quantity: number) => number> = {
  image_generation: (images) => images,
  video_generation: (videos) => 5 * videos,
  voice_message: (seconds) => Math.ceil(seconds / 30),
  chat: (tokens) => Math.ceil(tokens / 1_000),
};

/**
 * A call about a user. `naming` says by which identities; `aim` chooses a reference that is
 * known by then, which is meant instead, with its user.
 */
type Call =
  & {
    readonly person: number;
    readonly naming: "phone" | "whatsappId" | "both";
    readonly aim: number | null;
  }
  & (
    | { readonly kind: "deduct"; readonly reference: string | null; readonly demand: Demand }
    | { readonly kind: "reserve"; readonly reference: string; readonly demand: Demand }
    | { readonly kind: "capture"; readonly reference: string; readonly demand: Demand }
    | { readonly kind: "release"; readonly reference: string }
  );

/** Something else that may happen at the same time. Numbers choose among what exists by then. */
type Event =
  | { readonly kind: "sweep" }
  | { readonly kind: "buy"; readonly person: number }
  | { readonly kind: "refund"; readonly payment: number; readonly share: number }
  | { readonly kind: "fail refund"; readonly reversal: number }
  | { readonly kind: "lose dispute"; readonly payment: number; readonly share: number }
  | { readonly kind: "win dispute"; readonly reversal: number }
  | { readonly kind: "merge"; readonly from: number; readonly into: number };

/** The time of a hold passes. It happens alone, and calls nothing. */
type Lapse = { readonly kind: "lapse"; readonly hold: number };

/** What happens at once; mostly one thing. */
export type Round = readonly (Call | Event)[] | readonly [Lapse];

const person = fc.nat(PERSONS - 1);
const index = fc.nat(11);
const share = fc.constantFrom(1, 1, 0.5, 1 / 3);
const reference = fc.constantFrom("job-1", "job-2", "job-3", "job-4", "job-5");
const rarely = fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, index);
const mostly = fc.oneof({ weight: 5, arbitrary: index }, fc.constant(null));
const naming = fc.constantFrom<Call["naming"]>("phone", "phone", "phone", "whatsappId", "both");
const kind = <Kind extends (Call | Event | Lapse)["kind"]>(name: Kind) => fc.constant(name);

const demand = fc.constantFrom<Demand>(
  {},
  {},
  { credits: 1 },
  { credits: 2 },
  { credits: 7 },
  { credits: 19 },
  { action: "video_generation" },
  { action: "voice_message", quantity: 61 },
  { action: "voice_message", credits: 2 },
  { action: "chat", quantity: 4_001 },
  { credits: 1_001 },
  { action: "unknown" },
);

/** What is captured: mostly everything. */
const part = fc.constantFrom<Demand>(
  {},
  {},
  {},
  {},
  { credits: 0 },
  { credits: 1 },
  { credits: 5 },
  { quantity: 0 },
  { quantity: 1 },
  { quantity: 31 },
);

const call: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: kind("deduct"),
      aim: rarely,
      person,
      naming,
      reference: fc.oneof({ weight: 5, arbitrary: reference }, fc.constant(null)),
      demand,
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ kind: kind("reserve"), aim: rarely, person, naming, reference, demand }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: kind("capture"),
      aim: mostly,
      person,
      naming,
      reference,
      demand: part,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: kind("release"), aim: mostly, person, naming, reference }),
  },
);

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: kind("sweep") }) },
  { weight: 4, arbitrary: fc.record({ kind: kind("buy"), person }) },
  { weight: 4, arbitrary: fc.record({ kind: kind("refund"), payment: index, share }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("fail refund"), reversal: index }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("lose dispute"), payment: index, share }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("win dispute"), reversal: index }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("merge"), from: person, into: person }) },
);

const happening = fc.oneof<fc.MaybeWeightedArbitrary<Call | Event>[]>(
  { weight: 3, arbitrary: call },
  { weight: 1, arbitrary: event },
);

/** Random plans. In each of them one user has bought something before. */
export const plans: fc.Arbitrary<Round[]> = fc.array(
  fc.oneof<fc.MaybeWeightedArbitrary<Round>[]>(
    { weight: 8, arbitrary: fc.tuple(happening) },
    { weight: 3, arbitrary: fc.tuple(fc.record({ kind: kind("lapse"), hold: index })) },
    { weight: 3, arbitrary: fc.array(happening, { minLength: 2, maxLength: 4 }) },
  ),
  { minLength: 20, maxLength: 40, size: "max" },
).map((rounds) => [[{ kind: "buy", person: 0 }], ...rounds]);

/** A demand with nothing left out: either a quantity or credits. */
interface Request {
  readonly action: string;
  readonly quantity?: number;
  readonly credits?: number;
}

interface Hold {
  readonly request: Request;
  readonly credits: number;
  readonly remaining: number;
  state: "open" | "captured" | "released" | "expired";
  /** Its time has passed. Until something has ended it, it is still open in the database. */
  isDue: boolean;
  remainingAfterEnd?: number;
  isLate?: boolean;
  /** It was released by a capture of nothing. */
  isEmpty?: boolean;
}

interface Charge {
  readonly request: Request;
  readonly credits: number;
  readonly remaining: number;
}

interface Account {
  readonly id: string;
  worth: number;
  spent: number;
  mergedInto: string | null;
  readonly holds: Map<string, Hold>;
  readonly charges: Map<string, Charge>;
}

interface Payment extends StarterPayment {
  account: string;
  readonly reversals: Map<string, { kind: "refund" | "dispute"; status: string; paise: number }>;
}

/** Everything that the model knows; a copy of it is another possible course. */
interface World {
  readonly accounts: Map<string, Account>;
  readonly homes: string[];
  readonly payments: Map<string, Payment>;
}

/** What an answer says, as far as the model says it too. */
type Expected = Partial<Answer> | string | number | null;

/** One way in which a call may go. */
interface Course {
  readonly world: World;
  readonly expected: Expected;
}

/** Something to do, with what was chosen before the round began. */
type Step =
  | Call
  | { kind: "sweep"; isAlone: boolean }
  | { kind: "buy"; person: number; payment: StarterPayment | null }
  | { kind: "reverse"; payment: string; reversal: string; status: string; paise: number }
  | { kind: "merge"; from: string; into: string }
  | { kind: "lapse"; person: number; reference: string };

function requestOf({ action = "image_generation", quantity, credits }: Demand): Request {
  return credits === undefined ? { action, quantity: quantity ?? 1 } : { action, credits };
}

/** What a request costs; nothing where its action has no price. */
function costOf({ action, quantity, credits }: Request): number | undefined {
  const price = PRICES[action];
  return price && (credits ?? price(quantity ?? 0));
}

function isSame(one: Request, other: Request): boolean {
  if (one.action !== other.action) return false;
  if (one.quantity !== undefined && other.quantity !== undefined) {
    return one.quantity === other.quantity;
  }
  if (one.credits !== undefined && other.credits !== undefined) {
    return one.credits === other.credits;
  }
  // One image is one credit, to a bot that knows no prices.
  const isOneImage = ({ action, quantity, credits }: Request) =>
    action === "image_generation" && (quantity ?? credits) === 1;
  return isOneImage(one) && isOneImage(other);
}

function heldBy({ holds }: Account, counts = (_: Hold) => true): number {
  return [...holds.values()]
    .filter((hold) => hold.state === "open" && counts(hold))
    .reduce((sum, { credits }) => sum + credits, 0);
}

function remainingOf(account: Account): number {
  return Math.max(0, account.worth - heldBy(account, ({ isDue }) => !isDue));
}

function end(account: Account, hold: Hold, state: Hold["state"]): void {
  hold.state = state;
  hold.remainingAfterEnd = remainingOf(account);
}

/** Ends what has expired, as every call does about its user. */
function endDue(account: Account): void {
  for (const hold of account.holds.values()) {
    if (hold.state === "open" && hold.isDue) end(account, hold, "expired");
  }
}

/** The charges of a reference: the account's own, else those of accounts that were merged into it. */
function chargesOf(
  world: World,
  account: Account,
  reference: string,
): { charge: Charge; hold: Hold | undefined }[] {
  const merged = [...world.accounts.values()].filter(({ mergedInto }) => mergedInto === account.id);
  const found = (account: Account) => {
    const charge = account.charges.get(reference);
    return charge ? [{ charge, hold: account.holds.get(reference) }] : [];
  };
  const own = found(account);
  return own.length > 0 ? own : merged.flatMap(found);
}

function homeOf(world: World, person: number): Account {
  return accountOf(world, at(world.homes, person));
}

function accountOf(world: World, id: string): Account {
  const account = world.accounts.get(id);
  if (account === undefined) throw new Error(`The model has no account ${id}`);
  return account;
}

/** All ways in which a step may go. A reference that two merged accounts have charged has two. */
function coursesOf(before: World, step: Step): Course[] {
  const world = structuredClone(before);
  const course = (expected: Expected): Course[] => [{ world, expected }];
  switch (step.kind) {
    case "deduct":
    case "reserve":
    case "capture":
    case "release": {
      const account = homeOf(world, step.person);
      endDue(account);
      return answersTo(world, account, step).map((expected) => ({ world, expected }));
    }
    case "sweep": {
      // One that meets other calls passes over users who are locked.
      const due = [...world.accounts.values()].filter(({ holds }) =>
        [...holds.values()].some(({ state, isDue }) => state === "open" && isDue)
      );
      const subsets = step.isAlone ? [due] : due.reduce<Account[][]>(
        (subsets, account) => subsets.flatMap((subset) => [subset, [...subset, account]]),
        [[]],
      );
      return subsets.map((subset) => {
        const swept = structuredClone(world);
        for (const { id } of subset) endDue(accountOf(swept, id));
        return { world: swept, expected: null };
      });
    }
    case "buy": {
      const account = homeOf(world, step.person);
      endDue(account);
      account.worth += STARTER.credits;
      if (step.payment === null) fail("The purchase was not made");
      world.payments.set(step.payment.id, {
        ...step.payment,
        account: account.id,
        reversals: new Map(),
      });
      return course(null);
    }
    case "reverse": {
      const payment = world.payments.get(step.payment);
      if (payment === undefined) throw new Error("The model has no such payment");
      const account = accountOf(world, payment.account);
      endDue(account);
      account.worth -= keptOf(payment);
      const { reversal: id, status, paise } = step;
      const kind = id.startsWith("rfnd") ? "refund" : "dispute";
      const known = payment.reversals.get(id);
      if (known?.status !== "failed" && known?.status !== "won") {
        payment.reversals.set(id, { kind, status, paise });
      }
      account.worth += keptOf(payment);
      return course(null);
    }
    case "merge":
      return course(mergeInto(world, accountOf(world, step.from), accountOf(world, step.into)));
    case "lapse": {
      const hold = homeOf(world, step.person).holds.get(step.reference);
      if (hold) hold.isDue = true;
      return course(null);
    }
  }
}

/** The credits of a payment that are left, in proportion to the money that is. */
function keptOf({ reversals }: Payment): number {
  const gone = [...reversals.values()]
    .filter(({ status }) => status === "processed" || status === "lost")
    .reduce((sum, { paise }) => sum + paise, 0);
  return STARTER.credits -
    Math.floor(STARTER.credits * Math.min(STARTER.paise, gone) / STARTER.paise);
}

function answersTo(world: World, account: Account, call: Call): Expected[] {
  const charged = call.reference === null ? [] : chargesOf(world, account, call.reference);
  switch (call.kind) {
    case "deduct":
      return charged.length > 0
        ? charged.map(({ charge }) =>
          isSame(charge.request, requestOf(call.demand))
            ? { outcome: "replayed", remaining_credits: charge.remaining }
            : { outcome: "reference_reused" }
        )
        : [deductNew(account, call.reference, requestOf(call.demand))];
    case "reserve":
      return charged.length > 0
        ? charged.map(({ hold }) => reserveAgain(hold, requestOf(call.demand), "captured"))
        : [reserveNew(account, call.reference, requestOf(call.demand))];
    case "capture":
      return charged.length > 0
        ? charged.map(({ charge, hold }) => captureAgain(charge, hold, call.demand))
        : [captureOpen(account, call.reference, call.demand)];
    case "release": {
      const hold = account.holds.get(call.reference);
      if (charged.length > 0) return [{ outcome: "hold_captured" }];
      if (hold === undefined) return [{ outcome: "hold_not_found" }];
      const outcome = hold.state === "open" ? "released" : "replayed";
      if (hold.state === "open") end(account, hold, "released");
      return [{
        outcome,
        remaining_credits: hold.remainingAfterEnd ?? null,
        released_credits: hold.credits,
      }];
    }
  }
}

function deductNew(account: Account, reference: string | null, request: Request): Expected {
  if (reference !== null && account.holds.get(reference)?.state === "open") {
    return { outcome: "reference_held" };
  }
  const refusal = refusalOf(account, request);
  if (refusal) return refusal;
  const remaining = charge(account, reference, request, costOf(request) ?? 0);
  return { outcome: "deducted", remaining_credits: remaining };
}

/** Why a request cannot be served, if it cannot. */
function refusalOf(account: Account, request: Request, isHold = false): Expected | undefined {
  const cost = costOf(request);
  if (cost === undefined) return { outcome: "action_not_found" };
  if (cost > MAX_CREDITS_PER_CALL) return { outcome: "too_many_credits" };
  const open = [...account.holds.values()].filter(({ state }) => state === "open").length;
  if (isHold && open >= MAX_OPEN_HOLDS) return { outcome: "too_many_holds" };
  const remaining = remainingOf(account);
  return cost <= remaining ? undefined : {
    outcome: "insufficient_credits",
    remaining_credits: remaining,
    reserved_credits: heldBy(account),
    needed_credits: String(cost),
  };
}

/** Charges and returns what remains. */
function charge(
  account: Account,
  reference: string | null,
  request: Request,
  credits: number,
): number {
  account.worth -= credits;
  account.spent += credits;
  const remaining = remainingOf(account);
  if (reference !== null) account.charges.set(reference, { request, credits, remaining });
  return remaining;
}

function reserveAgain(
  hold: Hold | undefined,
  request: Request,
  state: "open" | "captured",
): Expected {
  return hold?.state === state && isSame(hold.request, request)
    ? {
      outcome: "replayed",
      remaining_credits: hold.remaining,
      reserved_credits: hold.credits,
      state,
    }
    : { outcome: "reference_reused" };
}

function reserveNew(account: Account, reference: string, request: Request): Expected {
  const hold = account.holds.get(reference);
  if (hold?.state === "open") return reserveAgain(hold, request, "open");
  const refusal = refusalOf(account, request, true);
  if (refusal) return refusal;
  const credits = costOf(request) ?? 0;
  const remaining = remainingOf(account) - credits;
  account.holds.set(reference, { request, credits, remaining, state: "open", isDue: false });
  return {
    outcome: "reserved",
    remaining_credits: remaining,
    reserved_credits: credits,
    state: "open",
  };
}

function captureAgain(charge: Charge, hold: Hold | undefined, part: Demand): Expected {
  const isNamed = part.quantity !== undefined || part.credits !== undefined;
  const asked = isNamed
    ? { ...part, action: hold?.request.action ?? charge.request.action }
    : hold?.request;
  if (asked && !isSame(charge.request, asked)) return { outcome: "reference_reused" };
  return {
    outcome: "replayed",
    remaining_credits: charge.remaining,
    captured_credits: charge.credits,
  };
}

function captureOpen(account: Account, reference: string, part: Demand): Expected {
  const hold = account.holds.get(reference);
  if (hold === undefined) return { outcome: "hold_not_found" };
  const isNamed = part.quantity !== undefined || part.credits !== undefined;
  const amount = part.quantity ?? part.credits;
  if (hold.state === "released") {
    return hold.isEmpty && amount === 0
      ? {
        outcome: "replayed",
        remaining_credits: hold.remainingAfterEnd ?? null,
        captured_credits: 0,
      }
      : { outcome: "hold_released" };
  }
  if (isNamed && (part.quantity === undefined) !== (hold.request.quantity === undefined)) {
    return { outcome: "wrong_unit" };
  }
  const request = isNamed ? { ...part, action: hold.request.action } : hold.request;
  const credits = amount === 0 ? 0 : costOf(request) ?? 0;
  if (credits > hold.credits || (part.quantity ?? 0) > (hold.request.quantity ?? 0)) {
    return { outcome: "capture_exceeds_hold" };
  }
  if (hold.state === "expired" && credits > remainingOf(account)) {
    return { outcome: "hold_expired" };
  }
  hold.isLate = hold.state === "expired" && credits > 0;
  hold.state = credits === 0 ? "released" : "captured";
  hold.isEmpty = credits === 0;
  if (credits > 0) charge(account, reference, request, credits);
  end(account, hold, hold.state);
  return {
    outcome: "captured",
    remaining_credits: remainingOf(account),
    captured_credits: credits,
    is_late: hold.isLate,
  };
}

function mergeInto(world: World, from: Account, into: Account): string {
  if (from === into) return "same_user";
  const isRepeated = from.mergedInto === into.id;
  if (!isRepeated && (from.mergedInto ?? into.mergedInto) !== null) return "merged_before";
  endDue(from);
  endDue(into);
  const isOpen = (account: Account, reference: string) =>
    account.holds.get(reference)?.state === "open";
  const isCharged = (account: Account, reference: string) =>
    chargesOf(world, account, reference).length > 0;
  const common = [
    ...[...into.holds.keys()]
      .filter((reference) => isOpen(into, reference) && isCharged(from, reference))
      .map((reference) => ({ account: into, reference })),
    ...[...from.holds.keys()]
      .filter((reference) =>
        isOpen(from, reference) && (isOpen(into, reference) || isCharged(into, reference))
      )
      .map((reference) => ({ account: from, reference })),
  ];
  const inOrder = common.sort((a, b) => a.reference < b.reference ? -1 : 1);
  for (const { account, reference } of inOrder) {
    const hold = account.holds.get(reference);
    if (hold) end(account, hold, "released");
  }

  into.worth += from.worth;
  from.worth = 0;
  for (const [reference, hold] of from.holds) {
    const other = into.holds.get(reference);
    const makesRoom = hold.state === "open" &&
      (other?.state === "released" || other?.state === "expired");
    if (hold.state === "captured" || other && !makesRoom) continue;
    into.holds.set(reference, hold);
    from.holds.delete(reference);
  }
  for (const account of world.accounts.values()) {
    if (account === from || account.mergedInto === from.id) account.mergedInto = into.id;
  }
  for (const [person, home] of world.homes.entries()) {
    if (home === from.id) world.homes[person] = into.id;
  }
  for (const payment of world.payments.values()) {
    if (payment.account === from.id) payment.account = into.id;
  }
  return isRepeated ? "replayed" : "merged";
}

/** Whether an answer says what the model says; the model is silent about the rest. */
function isExpected(expected: Expected, answer: unknown): boolean {
  if (typeof expected !== "object" || expected === null) return expected === answer;
  const row = answer as Record<string, unknown>;
  return Object.entries(expected).every(([name, value]) => row[name] === value);
}

/** The worlds that any order of these steps may have led to, given what was answered. */
function explain(world: World, steps: readonly { step: Step; answer: unknown }[]): World[] {
  if (steps.length === 0) return [world];
  return steps.flatMap(({ step, answer }, index) =>
    coursesOf(world, step)
      .filter(({ expected }) => isExpected(expected, answer))
      .flatMap(({ world }) => explain(world, steps.toSpliced(index, 1)))
  );
}

/** A world as the database shows it. */
function shownBy({ accounts }: World): Record<string, unknown>[] {
  return [...accounts.values()].sort((a, b) => a.id < b.id ? -1 : 1).map((account) => {
    const held = heldBy(account);
    return {
      id: account.id,
      merged_into: account.mergedInto,
      credits: Math.max(account.worth, held),
      held,
      open_holds: [...account.holds.values()].filter(({ state }) => state === "open").length,
      debt: Math.max(0, held - account.worth),
      remaining: remainingOf(account),
      spent: account.spent,
      holds: [...account.holds].map(([reference, { state }]) => `${reference} ${state}`).sort(),
    };
  });
}

async function shownByDatabase(
  sql: postgres.Sql,
  { accounts }: World,
): Promise<Record<string, unknown>[]> {
  const rows = await sql`
    select u.id, u.merged_into, u.credits, u.held_credits as held, u.open_holds,
      u.debt_credits as debt, private.remaining_credits(u) as remaining,
      (select coalesce(sum(t.credits), 0)::integer from public.credit_transactions t
       where t.user_id = u.id
         and t.source not in ('system', 'payment', 'refund', 'dispute', 'merge')) as spent,
      array(select h.reference_id || ' ' || h.state from public.holds h
        where h.user_id = u.id order by 1) as holds
    from public.users u where u.id in ${sql([...accounts.keys()])} order by u.id`;
  return rows.map((row) => ({ ...row }));
}

/** A database that plays plans; `await using` closes its connections. */
export interface Player extends AsyncDisposable {
  /** Plays a plan, and fails where the database and the model part. */
  play(plan: readonly Round[]): Promise<void>;
}

/** Opens a database for plans. */
export async function openPlayer(database: TestDatabase): Promise<Player> {
  const { sql, url } = database;
  await sql`update public.settings set value = ${MAX_OPEN_HOLDS} where name = 'max_open_holds'`;
  const sizes = [2, 3, 4];
  const connections = new Map(
    await Promise.all(
      sizes.map(async (size) => [size, await openConnections(url, size)] as const),
    ),
  );
  return {
    async play(plan) {
      const persons = Array.from({ length: PERSONS }, () => ({
        phone: newPhoneNumber(),
        whatsappId: newWhatsappId(),
      }));
      let world: World = { accounts: new Map(), homes: [], payments: new Map() };
      for (const who of persons) {
        await sql`select from public.get_user(${who.phone}, ${who.whatsappId})`;
        const id = await idOf(sql, who);
        world.homes.push(id);
        world.accounts.set(id, {
          id,
          worth: FREE_CREDITS,
          spent: 0,
          mergedInto: null,
          holds: new Map(),
          charges: new Map(),
        });
      }
      for (const round of plan) {
        const steps = round.flatMap((item) => stepsOf(world, item, round.length === 1))
          // Two purchases at once would be one order, which only one of their payments pays.
          .filter(({ kind }, index, steps) =>
            kind !== "buy" || steps.findIndex((step) => step.kind === "buy") === index
          );
        const take = async (sql: postgres.ISql, step: Step) => ({
          step,
          answer: await perform(sql, persons, step, world),
        });
        const [alone] = steps;
        const done = steps.length > 1
          ? await connections.get(steps.length)?.all((sql, index) => take(sql, at(steps, index)))
          : alone && [await take(sql, alone)];
        world = await expectExplained(sql, world, done ?? []);
        await assertBooksAreRight(sql);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const opened of connections.values()) await opened[Symbol.asyncDispose]();
    },
  };
}

/** Returns the world that the answers and the database agree on, and fails if there is none. */
async function expectExplained(
  sql: postgres.Sql,
  world: World,
  done: readonly { step: Step; answer: unknown }[],
): Promise<World> {
  const worlds = explain(world, done);
  const shown = await shownByDatabase(sql, world);
  const found = worlds.find((world) => JSON.stringify(shownBy(world)) === JSON.stringify(shown));
  if (found) return found;
  if (worlds[0]) deepStrictEqual(shown, shownBy(worlds[0]));
  fail(
    `No order of these calls explains the answers: ${JSON.stringify(done)}\n` +
      `Before: ${JSON.stringify(shownBy(world))}\nAfter: ${JSON.stringify(shown)}\n` +
      `Alone: ${
        JSON.stringify(done.map(({ step }) => coursesOf(world, step).map((c) => c.expected)))
      }`,
  );
}

/** What a part of a round does, if what it chooses exists. */
function stepsOf(world: World, item: Round[number], isAlone: boolean): Step[] {
  const pick = <Item>(items: readonly Item[], number: number) => items[number % items.length];
  const paid = [...world.payments.values()];
  const reversals = (status: string) =>
    paid.flatMap((payment) =>
      [...payment.reversals].filter(([, reversal]) => reversal.status === status)
        .map(([id, { paise }]) => ({ payment: payment.id, reversal: id, paise }))
    );
  switch (item.kind) {
    case "sweep":
      return [{ kind: "sweep", isAlone }];
    case "buy":
      return [{ ...item, payment: null }];
    case "refund":
    case "lose dispute": {
      const payment = pick(paid, item.payment);
      const [word, status] = item.kind === "refund" ? ["rfnd", "processed"] : ["disp", "lost"];
      const reversal = newPaymentId().replace("pay", word ?? "");
      const paise = Math.floor(STARTER.paise * item.share);
      return payment
        ? [{ kind: "reverse", payment: payment.id, reversal, status: status ?? "", paise }]
        : [];
    }
    case "fail refund":
    case "win dispute": {
      const [before, status] = item.kind === "fail refund"
        ? ["processed", "failed"] as const
        : ["lost", "won"] as const;
      const chosen = pick(reversals(before), item.reversal);
      return chosen ? [{ kind: "reverse", ...chosen, status }] : [];
    }
    case "merge":
      return [{
        kind: "merge",
        from: at(world.homes, item.from),
        into: at(world.homes, item.into),
      }];
    case "lapse": {
      const open = world.homes.flatMap((home, person) =>
        [...accountOf(world, home).holds]
          .filter(([, { state, isDue }]) => state === "open" && !isDue)
          .map(([reference]) => ({ person, reference }))
      );
      const chosen = pick(open, item.hold);
      return chosen ? [{ kind: "lapse", ...chosen }] : [];
    }
    default: {
      const known = world.homes.flatMap((home, person) => {
        const charged = [...world.accounts.values()]
          .filter(({ id, mergedInto }) => id === home || mergedInto === home)
          .flatMap(({ charges }) => [...charges.keys()]);
        const references = new Set([...accountOf(world, home).holds.keys(), ...charged]);
        return [...references].map((reference) => ({ person, reference }));
      });
      return [{ ...item, ...(item.aim !== null && pick(known, item.aim)) }];
    }
  }
}

/** Takes a step in the database and returns what it answered. */
async function perform(
  sql: postgres.ISql,
  persons: readonly Required<Who>[],
  step: Step,
  world: World,
): Promise<unknown> {
  switch (step.kind) {
    case "deduct":
      return await deduct(sql, whoOf(persons, step), step.reference, step.demand);
    case "reserve":
      return await reserve(sql, whoOf(persons, step), step.reference, step.demand);
    case "capture":
      return await capture(sql, whoOf(persons, step), step.reference, step.demand);
    case "release":
      return await release(sql, whoOf(persons, step), step.reference);
    case "sweep":
      await expireHolds(sql);
      return null;
    case "buy":
      step.payment = await buyStarter(sql, at(persons, step.person));
      return null;
    case "reverse": {
      const payment = world.payments.get(step.payment);
      if (payment === undefined) throw new Error("The model has no such payment");
      const { reversal: id, status, paise } = step;
      const kind = id.startsWith("rfnd") ? "refund" : "dispute";
      await reportReversals(sql, payment, [{ id, kind, status, paise }]);
      return null;
    }
    case "merge": {
      const rows = await sql`
        select public.merge_users(${step.from}, ${step.into}) as outcome`;
      return rows[0]?.outcome;
    }
    case "lapse":
      strictEqual(await letExpire(sql, at(persons, step.person), step.reference), true);
      return null;
  }
}

function whoOf(persons: readonly Required<Who>[], { person, naming }: Call): Who {
  const { phone, whatsappId } = at(persons, person);
  return { both: { phone, whatsappId }, phone: { phone }, whatsappId: { whatsappId } }[naming];
}
