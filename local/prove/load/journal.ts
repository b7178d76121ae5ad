/**
 * The load's own record of what it asked for and what it was told. The check afterwards believes this,
 * and nothing that the backend keeps.
 * @module
 */

import type { Answer, Call } from "./client.ts";

/** What a call asks for. */
export type Kind =
  | "first contact"
  | "deduction"
  | "reservation"
  | "capture"
  | "release"
  | "order"
  | "payment link"
  | "verification"
  | "refund"
  | "adjustment";

/** One call, repeated until it was answered. */
export interface Entry {
  readonly kind: Kind;
  readonly phone: string;
  /** The caller's reference, or what takes its place: Razorpay's id of the order or the payment. */
  readonly reference: string;
  /** How many credits it is about. */
  readonly credits: number;
  readonly call: Call;
  /** The first answer that was not an outage. Undefined: nobody knows what became of the call. */
  answer: Answer | undefined;
  /** Whether the caller went away without an answer, so that it may have happened or not. */
  isAbandoned: boolean;
}

/** Everything that one load did. */
export class Journal {
  readonly entries: Entry[] = [];
  /** Answers that no caller has to expect, a sentence each. */
  readonly surprises: string[] = [];
  /** How many calls were answered, whatever with. */
  answered = 0;

  /** Writes down a call before it is made. */
  begin(entry: Omit<Entry, "answer" | "isAbandoned">): Entry {
    const begun = { ...entry, answer: undefined, isAbandoned: false };
    this.entries.push(begun);
    return begun;
  }

  /** Writes down what a call was answered with. */
  answer(entry: Entry, answer: Answer): void {
    entry.answer = answer;
    this.answered++;
  }

  /** The calls of these kinds that were carried out, as far as their callers know. */
  acknowledged(...kinds: Kind[]): Entry[] {
    return this.entries.filter((entry) => kinds.includes(entry.kind) && isDone(entry));
  }

  /** The calls that may have been carried out, because their callers never heard. */
  unknown(...kinds: Kind[]): Entry[] {
    return this.entries.filter(({ kind, answer }) => kinds.includes(kind) && answer === undefined);
  }
}

/** Whether the backend said that it has done what was asked for. */
export function isDone({ answer }: Entry): boolean {
  return answer?.status === "SUCCESS";
}
