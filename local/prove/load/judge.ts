/**
 * The judgment of a load: what its journal and Razorpay's books say must be there, compared with what is.
 * Calls nothing and waits for nothing.
 * @module
 */

import { type Entry, isDone, KINDS, nameOf } from "./entry.ts";
import type { Evidence, LedgerEntry } from "./evidence.ts";
import type { Findings } from "./findings.ts";
import type { Journal } from "./journal.ts";
import { PACKAGE } from "./load.ts";

/** Judges what there is, once nothing is left to do, by what was asked for and answered. */
export function judge(journal: Journal, evidence: Evidence, findings: Findings): void {
  checkAnswers(journal, findings);
  checkWebhooks(evidence, findings);
  checkCharges(journal, evidence, findings);
  checkHolds(journal, evidence, findings);
  checkPurchases(journal, evidence, findings);
  checkReversals(journal, evidence, findings);
  checkBalances(journal, evidence, findings);
  checkEvents(evidence, findings);
  checkTold(journal, evidence, findings);
  checkInvariants(evidence, findings);
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

/**
 * Refunds: each that was acknowledged was made, and no money went back that nobody asked for, or twice:
 * the load asks once for each payment. What they took is in the balances.
 */
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
  const unasked = [...made].filter(([payment, { length }]) => !asked.has(payment) || length > 1);
  findings.addCount(
    "payments that were refunded once, and on request",
    made.size,
    unasked.map(([payment, { length }]) =>
      `${payment} was refunded ${length} times instead of ${asked.has(payment) ? 1 : 0}`
    ),
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
function checkEvents({ events, arrived, unsigned }: Evidence, findings: Findings): void {
  const missing = events.filter(({ id, deliveries, delivered }) =>
    !arrived.has(id) || deliveries !== 1 || delivered !== 1
  );
  findings.addCount(
    "events that arrived, with a signature that verifies",
    events.length,
    missing.map(({ id, type }) => `${type} ${id} has not arrived`),
  );
  const written = new Set(events.map(({ id }) => id));
  const invented = [...arrived].filter((id) => !written.has(id));
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

/** The backend's own check of its books. */
function checkInvariants({ violations }: Evidence, findings: Findings): void {
  findings.add(
    "violations that check_invariants finds",
    violations.map(({ invariant, subject, detail }) => `${invariant}: ${subject} ${detail}`),
    String(violations.length),
  );
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
