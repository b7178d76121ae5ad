/**
 * What each person can spend for certain, whatever calls are under way: by this a refusal is judged.
 * @module
 */

import type { Entry } from "./journal.ts";

/** How many reservations of one person may be open, as in supabase/schemas/rows.sql. */
export const MAX_OPEN_HOLDS = 20;

/** A call under way, and what was certain about its person at the worst moment since it began. */
interface UnderWay {
  readonly entry: Entry;
  /** Without what the call itself asks for. */
  leastLeft: number;
  mostOpen: number;
}

interface Person {
  /** The least that can be spent. */
  left: number;
  /** The most reservations that may be open. */
  open: number;
  readonly underWay: Map<Entry, UnderWay>;
  /** The credits of each acknowledged reservation. */
  readonly held: Map<string, number>;
}

/**
 * Counts against the backend's favor: what gives credits from its acknowledgment on, what takes them from
 * its beginning on, unless it is known to have been refused. A reservation is open until its end was
 * acknowledged. What was bought is left out, because nobody says when it arrives; it never makes less.
 */
export class Allowances {
  readonly #people = new Map<string, Person>();

  /** Notes that a call is about to be made. */
  begin(entry: Entry): void {
    if (!takes(entry)) return;
    const person = this.#of(entry.phone);
    this.#change(person, -entry.credits, entry.kind === "reservation" ? 1 : 0);
    person.underWay.set(entry, {
      entry,
      leastLeft: person.left + entry.credits,
      mostOpen: person.open - (entry.kind === "reservation" ? 1 : 0),
    });
  }

  /** Notes the answer of a call. Returns why the call had to succeed, if it was refused and had to. */
  answer(entry: Entry): string | undefined {
    const person = this.#of(entry.phone);
    const seen = person.underWay.get(entry);
    person.underWay.delete(entry);
    if (entry.answer?.status !== "SUCCESS") {
      if (seen === undefined) return undefined;
      this.#change(person, entry.credits, entry.kind === "reservation" ? -1 : 0);
      return unfounded(seen);
    }
    const held = person.held.get(entry.reference) ?? 0;
    if (entry.kind === "first contact" || entry.kind === "adjustment") {
      this.#change(person, entry.credits, 0);
    } else if (entry.kind === "reservation") {
      person.held.set(entry.reference, entry.credits);
    } else if (entry.kind === "release") {
      this.#change(person, held, -1);
    } else if (entry.kind === "capture") {
      this.#change(person, held - entry.credits, -1);
    }
    return undefined;
  }

  /** Everybody who can spend something now. */
  solvent(): string[] {
    return [...this.#people].filter(([, { left }]) => left >= 1).map(([phone]) => phone);
  }

  #of(phone: string): Person {
    const person = this.#people.get(phone) ??
      { left: 0, open: 0, underWay: new Map(), held: new Map() };
    this.#people.set(phone, person);
    return person;
  }

  #change(person: Person, credits: number, open: number): void {
    person.left += credits;
    person.open += open;
    for (const call of person.underWay.values()) {
      const own = call.entry.kind === "reservation" ? 1 : 0;
      call.leastLeft = Math.min(call.leastLeft, person.left + call.entry.credits);
      call.mostOpen = Math.max(call.mostOpen, person.open - own);
    }
  }
}

function takes({ kind }: Entry): boolean {
  return kind === "deduction" || kind === "reservation";
}

function unfounded({ entry, leastLeft, mostOpen }: UnderWay): string | undefined {
  const { answer, credits } = entry;
  const refusal = answer?.code ?? answer?.status;
  if (refusal === "INSUFFICIENT_CREDITS" && leastLeft >= credits) {
    return `refused ${credits} of at least ${leastLeft} credits`;
  }
  if (refusal === "TOO_MANY_HOLDS" && mostOpen < MAX_OPEN_HOLDS) {
    return `refused, and at most ${mostOpen} were open`;
  }
  return undefined;
}
