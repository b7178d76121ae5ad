/**
 * The check after a load: whether everything that was acknowledged is there, once, and nothing else.
 *
 * What must be there comes from the journal and from Razorpay's books; what is there, from the tables,
 * from repeated calls, and from what the bot was told.
 * @module
 */

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type postgres from "postgres";
import type { WebhookEvent } from "../../razorpay/webhooks.ts";
import { until } from "../../system/until.ts";
import { type PartResult, resultOf, type Row } from "../part.ts";
import { randomOf } from "../random.ts";
import { Client } from "./client.ts";
import { type Entry, isDone, KINDS } from "./entry.ts";
import type { Journal } from "./journal.ts";
import { differenceOfReplay, PACKAGE, REPEATABLE } from "./load.ts";
import { type HeldPayment, type HeldRefund, RazorpayBooks } from "./razorpay-books.ts";
import type { Target } from "./target.ts";

/**
 * How long the backend may take, after the load, until less is left to do than before. Not for all of it:
 * what an hour leaves takes longer than what a minute does.
 */
const SETTLE_MS = 120_000;

/** How often it is asked what is left. */
const LOOK_MS = 500;

/** At most so many calls are repeated, drawn at random. */
const MAX_REPEATED = 1_000;

/** At most so many people spend another credit, drawn at random. */
const MAX_SPENDERS = 100;

const CALLS_AT_ONCE = 8;

/** How many misses of one kind are told one by one. */
const MAX_TOLD = 10;

/** A row of the ledger, with whose it is. */
interface LedgerEntry {
  readonly phone: string;
  readonly action: "credit" | "debit";
  readonly credits: number;
  readonly source: string;
  readonly reference_id: string | null;
  readonly remaining_after: number | null;
}

interface Hold {
  readonly phone: string;
  readonly reference_id: string;
  readonly credits: number;
  readonly state: string;
  readonly captured_credits: number | null;
}

interface Order {
  readonly phone: string;
  readonly razorpay_order_id: string | null;
  readonly razorpay_payment_id: string | null;
  readonly short_url: string | null;
  readonly amount_paise: number;
  readonly state: string;
}

interface Account {
  readonly phone: string;
  /** The balance less what is owed. */
  readonly net: number;
}

interface ToldEvent {
  readonly id: string;
  readonly type: string;
  readonly payment_id: string | null;
  readonly reversal_id: string | null;
  /** Whom it is about, if that is somebody with an account. */
  readonly phone: string | null;
  /** The bot's reference of a reservation. */
  readonly reference_id: string | null;
  readonly source: string | null;
  readonly credits_added: number | null;
  readonly deliveries: number;
  readonly delivered: number;
}

/** Everything that the backend and Razorpay hold. */
interface Evidence {
  readonly ledger: readonly LedgerEntry[];
  readonly holds: readonly Hold[];
  readonly orders: readonly Order[];
  readonly accounts: readonly Account[];
  readonly events: readonly ToldEvent[];
  readonly violations: readonly { invariant: string; subject: string; detail: string }[];
  readonly payments: readonly HeldPayment[];
  readonly refunds: readonly HeldRefund[];
  /** The webhook events that Razorpay has sent at least once, or still has to. */
  readonly webhooks: readonly WebhookEvent[];
  /** Razorpay's ids of the events that the backend has handled. */
  readonly handledWebhooks: ReadonlySet<string>;
}

/**
 * Waits until the backend has nothing left to do, and checks it. The load must have been stopped.
 *
 * `seed` draws who spends another credit and which calls are repeated, and `settleMs` is how long nothing
 * may get less of what is left.
 */
export async function checkAfterLoad(
  target: Target,
  journal: Journal,
  { seed, settleMs = SETTLE_MS }: { seed: number; settleMs?: number },
): Promise<PartResult> {
  const findings = new Findings();
  // Before anything is counted, so that what is spent is found in the books as well.
  await checkSpending(target, journal, seed, findings);
  const left = await settle(target, settleMs);
  const evidence = await gather(target, journal);
  findings.add(
    "nothing is left to do, once what waits is put forward",
    Object.entries(left).map(([what, count]) =>
      `${count} ${what}, after ${settleMs / 1_000} seconds without less to do`
    ),
    "",
  );
  checkAnswers(journal, findings);
  checkWebhooks(evidence, findings);
  checkCharges(journal, evidence, findings);
  checkHolds(journal, evidence, findings);
  checkPurchases(journal, evidence, findings);
  checkReversals(journal, evidence, findings);
  checkBalances(journal, evidence, findings);
  checkEvents(target, evidence, findings);
  checkTold(journal, evidence, findings);
  await checkReplays(target, journal, seed, findings);
  findings.add(
    "violations that check_invariants finds",
    evidence.violations.map(({ invariant, subject, detail }) =>
      `${invariant}: ${subject} ${detail}`
    ),
    String(evidence.violations.length),
  );
  return findings.result();
}

/** Rows of the table, each with what contradicts it. */
class Findings {
  readonly #rows: Row[] = [];
  readonly #misses: string[] = [];

  add(what: string, misses: readonly string[], figure: string): void {
    const holds = misses.length === 0;
    this.#rows.push({ what, figure: figure || (holds ? "yes" : "no"), holds });
    this.#misses.push(...misses.slice(0, MAX_TOLD));
    const untold = misses.length - MAX_TOLD;
    if (untold > 0) this.#misses.push(`${what}: ${untold} more`);
  }

  /** As {@linkcode add}, for things of which each should be right. None at all shows nothing. */
  addCount(what: string, count: number, misses: readonly string[]): void {
    const right = Math.max(0, count - misses.length);
    this.add(
      what,
      count === 0 ? [...misses, `${what}: there were none`] : misses,
      `${right.toLocaleString("en-US")} of ${count.toLocaleString("en-US")}`,
    );
  }

  result(): PartResult {
    return resultOf(this.#rows, this.#misses);
  }
}

/** What is left to do, each with how much of it. */
type Left = Readonly<Record<string, number>>;

/**
 * Waits for webhooks, the reconciler and events, and returns what is left to do if nothing gets less for
 * too long. What would come in minutes or hours is put forward: the reconciler's next look at an order,
 * and the next attempt at an event that the bot refused, or at one after which it was called down. The
 * reconciler is called as well, because the scheduler does so but once a minute. Events are not: whether
 * they are sent shows whether the scheduler is running.
 */
async function settle({ sql, control, environment }: Target, settleMs: number): Promise<Left> {
  const client = new Client(environment, { random: randomOf(0), cutRate: 0, surprised: () => {} });
  // The connection that asks may have been among those that were cut.
  await until("the database answers", () => sql`select`.then(() => true, () => false));
  // Razorpay sends one after the other. Those that are still on their way are told of one by one.
  await untilDone(async () => {
    const events = await control.webhookEvents();
    return { webhooks: events.filter(({ state }) => state === "pending").length };
  }, settleMs);
  await sql`
    update public.payment_orders set next_check_at = clock_timestamp()
    where next_check_at < 'infinity'`;
  const [{ since } = { since: new Date(0) }] = await sql<{ since: Date }[]>`
    select clock_timestamp() as since`;
  return await untilDone(async () => {
    await sql`
      update public.event_deliveries set next_attempt_at = clock_timestamp()
      where state = 'pending' and lease_token is null and next_attempt_at > clock_timestamp()`;
    await sql`
      update public.event_addresses set next_probe_at = clock_timestamp()
      where next_probe_at > clock_timestamp()`;
    await client.send({ as: "operator", path: "reconcile-payments", body: {} });
    const [counts = {}] = await sql<Left[]>`
      select
        (select count(*) from public.events where state = 'new')::integer
          as "events that were not handed out",
        (select count(*) from public.event_deliveries where state = 'pending')::integer
          as "events that were not sent",
        (
          select count(*) from public.payment_orders
          where next_check_at < 'infinity' and (checked_at is null or checked_at < ${since})
        )::integer as "orders that Razorpay was not asked about",
        -- Those that a bot forgot are waited for, so that the end of each is seen.
        (
          select count(*) from public.holds
          where state = 'open' and expires_at < clock_timestamp() + interval '1 minute'
        )::integer as "reservations that have not expired"`;
    return counts;
  }, settleMs);
}

/** Asks what is left until nothing is, or nothing has become less for too long, and returns it. */
async function untilDone(look: () => Promise<Left>, settleMs: number): Promise<Left> {
  let least = Infinity;
  let deadline = Date.now() + settleMs;
  for (;;) {
    const left = Object.fromEntries(Object.entries(await look()).filter(([, count]) => count > 0));
    const work = Object.values(left).reduce((sum, count) => sum + count, 0);
    if (work === 0) return {};
    if (work < least) deadline = Date.now() + settleMs;
    least = Math.min(least, work);
    if (Date.now() > deadline) return left;
    await delay(LOOK_MS);
  }
}

async function gather({ sql, environment, control }: Target, journal: Journal): Promise<Evidence> {
  const books = new RazorpayBooks(environment);
  const underWay = await journal.noteWebhooks(control);
  const handled = await sql<{ event_id: string }[]>`
    select distinct event_id from public.webhook_deliveries where outcome <> 'failed'`;
  return {
    webhooks: [...journal.finishedWebhooks.values(), ...underWay],
    handledWebhooks: new Set(handled.map(({ event_id }) => event_id)),
    ledger: await all<LedgerEntry>(sql`
      select i.value as phone, t.action, t.credits, t.source, t.reference_id, t.remaining_after
      from public.credit_transactions t
      join public.identities i on i.user_id = t.user_id and i.kind = 'phone'`),
    holds: await all<Hold>(sql`
      select i.value as phone, h.reference_id, h.credits, h.state, h.captured_credits
      from public.holds h
      join public.identities i on i.user_id = h.user_id and i.kind = 'phone'`),
    orders: await all<Order>(sql`
      select phone_number as phone, razorpay_order_id, razorpay_payment_id, short_url, amount_paise, state
      from public.payment_orders`),
    accounts: await all<Account>(sql`
      select phone_number as phone, credits - debt_credits as net from public.users`),
    events: await all<ToldEvent>(sql`
      select e.id, e.type, e.data ->> 'payment_id' as payment_id, e.data ->> 'reversal_id' as reversal_id,
        i.value as phone, e.data ->> 'reference_id' as reference_id, e.data ->> 'source' as source,
        (e.data ->> 'credits_added')::integer as credits_added,
        count(d.event_id)::integer as deliveries,
        (count(*) filter (where d.state = 'delivered'))::integer as delivered
      from public.events e
      left join public.event_deliveries d on d.event_id = e.id
      left join public.identities i on i.user_id = e.user_id and i.kind = 'phone'
      group by e.id, i.value`),
    violations: await all<Evidence["violations"][number]>(sql`
      select invariant, subject, detail from public.check_invariants()`),
    payments: await books.payments(),
    refunds: await books.refunds(),
  };
}

async function all<Found>(query: postgres.PendingQuery<postgres.Row[]>): Promise<Found[]> {
  return [...await query] as unknown as Found[];
}

function checkAnswers(journal: Journal, findings: Findings): void {
  const unanswered = journal.entries.filter(({ answer, isAbandoned }) => !answer && !isAbandoned);
  findings.addCount(
    "calls that had an answer in the end",
    journal.entries.length - journal.entries.filter(({ isAbandoned }) => isAbandoned).length,
    unanswered.map((entry) => `${nameOf(entry)} never had an answer`),
  );
  findings.addCount(
    "kinds of calls of which some were acknowledged",
    KINDS.length,
    journal.missingKinds().map((kind) => `no ${kind} was acknowledged`),
  );
  findings.add(
    "answers that nobody has to expect",
    journal.surprises,
    String(journal.surprises.length),
  );
  const refusals = groupBy(journal.refused(), ({ answer }) => answer?.code ?? answer?.status ?? "");
  findings.add(
    "calls that were refused, and that had to be carried out",
    journal.unfounded,
    `${refusalsText(refusals)}, and ${journal.unfounded.length}`,
  );
}

function refusalsText(refusals: ReadonlyMap<string, readonly Entry[]>): string {
  const counts = [...refusals].map(([code, { length }]) =>
    `${length.toLocaleString("en-US")} ${code}`
  );
  return counts.join(", ") || "0";
}

/**
 * A backend that refuses whatever it is asked for loses nothing: those who have credits left for certain
 * must be able to spend one.
 */
async function checkSpending(
  { environment }: Target,
  journal: Journal,
  seed: number,
  findings: Findings,
): Promise<void> {
  const misses: string[] = [];
  const surprised = (sentence: string) => misses.push(sentence);
  const random = randomOf(seed);
  const client = new Client(environment, { random, cutRate: 0, surprised });
  const drawn = random.shuffled(journal.allowances.solvent()).slice(0, MAX_SPENDERS);
  const queue = drawn.values();
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, async () => {
    for (const phone of queue) {
      const reference = `another-${randomUUID()}`;
      const body = { phone_number: phone, reference_id: reference, credits: 1 };
      const call = { as: "bot", path: "bot-deduct", body } as const;
      const entry = journal.begin({ kind: "deduction", phone, reference, credits: 1, call });
      const answer = await client.insist(call);
      if (answer !== undefined) journal.answer(entry, answer);
      if (!isDone(entry)) {
        misses.push(`${phone} cannot spend a credit: ${answer?.code ?? answer?.status}`);
      }
    }
  }));
  findings.addCount("people with credits left who could spend another one", drawn.length, misses);
}

/** Webhooks: each that Razorpay sent was acknowledged in the end, by a backend that had handled it. */
function checkWebhooks({ webhooks, handledWebhooks }: Evidence, findings: Findings): void {
  const misses = webhooks.flatMap(({ id, event, state, attempts }) => {
    if (state !== "delivered") {
      const { status, error } = attempts.at(-1) ?? { status: null, error: "no attempt" };
      const became = state === "failed" ? "was given up" : "is still on its way";
      return [`the webhook ${event} ${id} ${became}: ${status ?? error}`];
    }
    return handledWebhooks.has(id)
      ? []
      : [`the webhook ${event} ${id} was acknowledged and not handled`];
  });
  findings.addCount("webhooks that were acknowledged, and handled before", webhooks.length, misses);
}

/** First contacts, deductions and adjustments: one entry each, with the figures that were answered. */
function checkCharges(journal: Journal, { ledger }: Evidence, findings: Findings): void {
  const kept = groupBy(ledger, ({ phone, source, reference_id }) => {
    if (source === "system") return keyOf("first contact", phone, phone);
    const kind = source === "adjustment" ? "adjustment" : "charge";
    return keyOf(kind, phone, reference_id ?? "");
  });
  for (const kind of ["first contact", "deduction", "adjustment"] as const) {
    const acknowledged = journal.acknowledged(kind);
    const misses = acknowledged.flatMap((entry) => {
      const name = kind === "deduction" ? "charge" : kind;
      const found = kept.get(keyOf(name, entry.phone, entry.reference)) ?? [];
      const told = kind === "deduction" ? entry.answer?.data.remaining_credits : undefined;
      if (found.length !== 1) return [`${nameOf(entry)} has ${found.length} entries`];
      const [{ credits, remaining_after } = { credits: 0, remaining_after: null }] = found;
      if (credits !== entry.credits) return [`${nameOf(entry)} moved ${credits} credits`];
      if (told !== undefined && remaining_after !== told) {
        return [`${nameOf(entry)} left ${remaining_after}, and ${told} was answered`];
      }
      return [];
    });
    findings.addCount(`acknowledged ${kind}s with exactly one entry`, acknowledged.length, misses);
  }
  const asked = new Set(journal.entries.map(({ kind, phone, reference, answer }) => {
    // Nothing may follow from a call that was refused.
    if (answer !== undefined && answer.status !== "SUCCESS") return "";
    const name = kind === "deduction" || kind === "capture" ? "charge" : kind;
    return keyOf(name, phone, reference);
  }));
  const own = ledger.filter(({ source }) => !["payment", "refund", "dispute"].includes(source));
  const unasked = [...kept].filter(([key, entries]) =>
    own.includes(entries[0] as LedgerEntry) && (!asked.has(key) || entries.length > 1)
  );
  findings.addCount(
    "entries that somebody asked for, once",
    own.length,
    unasked.map(([key, { length }]) => `${key} has ${length} entries that nobody asked for`),
  );
}

/** Reservations: in the state that the last acknowledged call left them in. */
function checkHolds(journal: Journal, { holds, ledger }: Evidence, findings: Findings): void {
  const kept = new Map(holds.map((hold) => [keyOf("hold", hold.phone, hold.reference_id), hold]));
  const ends = new Map(
    journal.entries.filter(({ kind }) => kind === "capture" || kind === "release")
      .map((entry) => [keyOf("hold", entry.phone, entry.reference), entry]),
  );
  const charged = groupBy(
    ledger,
    ({ phone, reference_id }) => keyOf("hold", phone, reference_id ?? ""),
  );
  const acknowledged = journal.acknowledged("reservation");
  const misses = acknowledged.flatMap((entry) => {
    const key = keyOf("hold", entry.phone, entry.reference);
    const hold = kept.get(key);
    if (hold?.credits !== entry.credits) return [`${nameOf(entry)} is not there`];
    const state = hold.state === "captured" ? `captured ${hold.captured_credits}` : hold.state;
    const expected = statesAfter(ends.get(key));
    if (!expected.includes(state)) {
      return [`${nameOf(entry)} is ${state}, and not ${expected.join(" or ")}`];
    }
    const charges = charged.get(key)?.length ?? 0;
    return charges === (hold.state === "captured" ? 1 : 0)
      ? []
      : [`${nameOf(entry)} is ${state} and has ${charges} entries`];
  });
  findings.addCount("acknowledged reservations in the right state", acknowledged.length, misses);
}

/** The states that a reservation may be in after this call, or without one. */
function statesAfter(end: Entry | undefined): string[] {
  if (end === undefined) return ["open", "expired"];
  const done = end.kind === "capture" ? `captured ${end.credits}` : "released";
  return isDone(end) ? [done] : [done, "open", "expired"];
}

/** Orders, links and payments: each payment that Razorpay holds bought its credits once. */
function checkPurchases(journal: Journal, evidence: Evidence, findings: Findings): void {
  const { orders, payments, ledger } = evidence;
  const known = new Map(orders.map((order) => [order.razorpay_order_id, order]));
  const links = new Map(orders.map((order) => [order.short_url, order]));
  const placed = journal.acknowledged("order", "payment link");
  const lost = placed.filter(({ kind, phone, answer }) => {
    const order = kind === "order"
      ? known.get(String(answer?.data.order_id))
      : links.get(String(answer?.data.short_url));
    return order?.phone !== phone || order.amount_paise !== PACKAGE.amountPaise;
  });
  findings.addCount(
    "acknowledged orders and links that are there",
    placed.length,
    lost.map((entry) => `${nameOf(entry)} is not there`),
  );

  const credited = groupBy(
    ledger.filter(({ source }) => source === "payment"),
    ({ reference_id }) => reference_id ?? "",
  );
  const captured = payments.filter(({ status }) => status === "captured" || status === "refunded");
  const wrong = captured.filter(({ id, order_id }) => {
    const [entry, ...others] = credited.get(id) ?? [];
    const order = known.get(order_id);
    return others.length > 0 || entry?.credits !== PACKAGE.credits ||
      entry.phone !== order?.phone ||
      order.state !== "paid" || order.razorpay_payment_id !== id;
  });
  findings.addCount(
    "payments at Razorpay that bought their credits once",
    captured.length,
    wrong.map(({ id }) => `${id} has ${credited.get(id)?.length ?? 0} entries, or another's order`),
  );
  const held = new Set(captured.map(({ id }) => id));
  const invented = [...credited.keys()].filter((id) => !held.has(id));
  const verified = journal.acknowledged("verification").filter(({ reference }) =>
    !held.has(reference)
  );
  findings.add(
    "credits for payments that Razorpay does not hold",
    [
      ...invented.map((id) => `${id} was credited, and Razorpay does not hold it`),
      ...verified.map((entry) =>
        `${nameOf(entry)} was acknowledged, and Razorpay does not hold it`
      ),
    ],
    `${invented.length} credited, ${verified.length} acknowledged`,
  );
}

/** Refunds: each that was acknowledged was made once, and took its credits once. */
function checkReversals(journal: Journal, { refunds }: Evidence, findings: Findings): void {
  const acknowledged = journal.acknowledged("refund");
  const made = groupBy(refunds, ({ payment_id }) => payment_id);
  const misses = acknowledged.flatMap((entry) => {
    const found = made.get(String(entry.call.body?.payment_id)) ?? [];
    return found.length === 1 && found[0]?.id === entry.answer?.data.refund_id
      ? []
      : [`${nameOf(entry)} was made ${found.length} times`];
  });
  findings.addCount("acknowledged refunds that Razorpay made once", acknowledged.length, misses);
  const asked = new Set(
    [...acknowledged, ...journal.unknown("refund")].map(({ call }) => call.body?.payment_id),
  );
  const unasked = refunds.filter(({ payment_id }) => !asked.has(payment_id));
  findings.add(
    "refunds that nobody asked for",
    unasked.map(({ id, payment_id }) => `${id} of ${payment_id}`),
    String(unasked.length),
  );
}

/** Balances: the sum of what was acknowledged, and of nothing else. */
function checkBalances(journal: Journal, evidence: Evidence, findings: Findings): void {
  const { accounts, payments, refunds, orders } = evidence;
  const phones = new Map(orders.map(({ razorpay_order_id, phone }) => [razorpay_order_id, phone]));
  const buyers = new Map(payments.map(({ id, order_id }) => [id, phones.get(order_id) ?? ""]));
  const sums = new Map<string, { least: number; most: number }>();
  const add = (phone: string, least: number, most: number) => {
    const sum = sums.get(phone) ?? { least: 0, most: 0 };
    sums.set(phone, { least: sum.least + least, most: sum.most + most });
  };
  const directions = {
    "first contact": 1,
    "deduction": -1,
    "capture": -1,
    "adjustment": 1,
  } as const;
  for (const [kind, direction] of typedEntries(directions)) {
    for (const { phone, credits } of journal.acknowledged(kind)) {
      add(phone, direction * credits, direction * credits);
    }
    // It may have happened, or not.
    for (const { phone, credits } of journal.unknown(kind)) {
      const change = direction * credits;
      add(phone, Math.min(0, change), Math.max(0, change));
    }
  }
  for (const { id, status } of payments) {
    const isCaptured = status === "captured" || status === "refunded";
    if (isCaptured) add(buyers.get(id) ?? "", PACKAGE.credits, PACKAGE.credits);
  }
  for (const { payment_id, amount } of refunds) {
    const taken = PACKAGE.credits * amount / PACKAGE.amountPaise;
    add(buyers.get(payment_id) ?? "", -taken, -taken);
  }
  const nets = new Map(accounts.map(({ phone, net }) => [phone, net]));
  const everybody = new Set([...sums.keys(), ...nets.keys()]);
  const misses = [...everybody].flatMap((phone) => {
    const { least, most } = sums.get(phone) ?? { least: 0, most: 0 };
    const net = nets.get(phone);
    if (net !== undefined && net >= least && net <= most) return [];
    return [
      `${phone} has ${net ?? "no account"} instead of ${
        least === most ? least : `${least} to ${most}`
      }`,
    ];
  });
  findings.addCount("balances that are the sum of what was acknowledged", everybody.size, misses);
}

/** Events: each that was written has arrived, signed. */
function checkEvents(target: Target, { events }: Evidence, findings: Findings): void {
  const { arrivals, unsigned } = target.listener;
  const arrived = new Set(arrivals.map(({ data }) => data.event_id));
  const missing = events.filter(({ id, deliveries, delivered }) =>
    !arrived.has(id) || deliveries !== 1 || delivered !== 1
  );
  findings.addCount(
    "events that arrived, with a signature that verifies",
    events.length,
    missing.map(({ id, type }) => `${type} ${id} has not arrived`),
  );
  const written = new Set(events.map(({ id }) => id));
  const invented = [...arrived].map(String).filter((id) => !written.has(id));
  findings.add(
    "events without a right signature, and events of what never happened",
    [...unsigned, ...invented],
    `${unsigned.length}, and ${invented.length}`,
  );
}

/** Each purchase, refund, adjustment and expired reservation has an event of its own. */
function checkTold(journal: Journal, evidence: Evidence, findings: Findings): void {
  const { events, payments, refunds, holds } = evidence;
  const of = (type: string, id: string) =>
    events.filter((event) =>
      event.type === type && [event.payment_id, event.reversal_id].includes(id)
    );
  const captured = payments.filter(({ status }) => status === "captured" || status === "refunded");
  const untold = [
    ...captured.filter(({ id }) => of("credits.granted", id).length !== 1),
    ...refunds.filter(({ id }) => of("credits.taken_back", id).length !== 1),
  ];
  findings.addCount(
    "purchases and refunds that the bot was told of, as one event",
    captured.length + refunds.length,
    untold.map(({ id }) => `the event of ${id} is not there, or not alone`),
  );

  // An event does not name its adjustment, so those of the same person and size are counted together.
  const sizeOf = ({ phone, credits }: Entry) => keyOf("adjustment", phone, String(credits));
  const adjusted = groupBy(journal.acknowledged("adjustment"), sizeOf);
  const perhapsAdjusted = groupBy(journal.unknown("adjustment"), sizeOf);
  const told = groupBy(
    events.filter(({ type, source }) => type === "credits.granted" && source === "adjustment"),
    ({ phone, credits_added }) => keyOf("adjustment", phone ?? "", String(credits_added)),
  );
  const sizes = new Set([...adjusted.keys(), ...told.keys()]);
  const wronglyTold = [...sizes].flatMap((size) => {
    const count = told.get(size)?.length ?? 0;
    const least = adjusted.get(size)?.length ?? 0;
    const most = least + (perhapsAdjusted.get(size)?.length ?? 0);
    if (count >= least && count <= most) return [];
    return [`${size} was done ${least} times and told of ${count} times`];
  });
  findings.addCount(
    "adjustments of one person and size that the bot was told of as often",
    sizes.size,
    wronglyTold,
  );

  const expired = holds.filter(({ state }) => state === "expired");
  const ends = groupBy(
    events.filter(({ type }) => type === "hold.expired"),
    ({ phone, reference_id }) => keyOf("hold", phone ?? "", reference_id ?? ""),
  );
  const silent = expired.filter(({ phone, reference_id }) =>
    ends.get(keyOf("hold", phone, reference_id))?.length !== 1
  );
  findings.addCount(
    "expired reservations that the bot was told of, as one event",
    expired.length,
    silent.map(({ reference_id }) => `the end of ${reference_id} is not told of, or not once`),
  );
}

/** Repeated calls: each gets its first answer again. */
async function checkReplays(
  { environment }: Target,
  journal: Journal,
  seed: number,
  findings: Findings,
): Promise<void> {
  const misses: string[] = [];
  const surprised = (sentence: string) => misses.push(sentence);
  const random = randomOf(seed);
  const client = new Client(environment, { random, cutRate: 0, surprised });
  const known = journal.acknowledged(...REPEATABLE);
  const drawn = random.shuffled(known).slice(0, MAX_REPEATED);
  const queue = drawn.values();
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, async () => {
    for (const entry of queue) {
      const again = await client.insist(entry.call);
      if (again === undefined) misses.push(`${nameOf(entry)} was repeated, and had no answer`);
      const difference = again && differenceOfReplay(entry, again);
      if (difference) misses.push(difference);
    }
  }));
  findings.addCount("repeated calls that got their first answer again", drawn.length, misses);
}

function nameOf({ kind, phone, reference }: Entry): string {
  return reference && reference !== phone ? `${kind} ${reference}` : `${kind} of ${phone}`;
}

function keyOf(kind: string, phone: string, reference: string): string {
  return `${kind} ${phone} ${reference}`;
}

function groupBy<Item>(items: readonly Item[], key: (item: Item) => string): Map<string, Item[]> {
  return Map.groupBy(items, key);
}

function typedEntries<Key extends string, Value>(record: Record<Key, Value>): [Key, Value][] {
  return Object.entries(record) as [Key, Value][];
}
