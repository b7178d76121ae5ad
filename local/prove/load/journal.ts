/**
 * The load's own record of what it asked for and what it was told. The check afterwards believes this,
 * and nothing that the backend keeps.
 * @module
 */

import type { RazorpayControl } from "../../razorpay/control-client.ts";
import type { WebhookEvent } from "../../razorpay/webhooks.ts";
import { Allowances } from "./allowances.ts";
import type { Answer, Call } from "./client.ts";

/** What calls ask for. */
export const KINDS = [
  "first contact",
  "deduction",
  "reservation",
  "capture",
  "release",
  "order",
  "payment link",
  "verification",
  "refund",
  "adjustment",
] as const;

/** What a call asks for. */
export type Kind = typeof KINDS[number];

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
  /** Refused calls that had to succeed, as far as the journal can say, a sentence each. */
  readonly unfounded: string[] = [];
  /** What each person can spend for certain. */
  readonly allowances = new Allowances();
  /** The webhook events that Razorpay is done with, whether they were delivered or given up. */
  readonly finishedWebhooks = new Map<string, WebhookEvent>();
  /** How many calls were answered, whatever with. */
  answered = 0;
  #answeredAt = performance.now();
  #longestSilenceMs = 0;

  /** Writes down a call before it is made. */
  begin(entry: Omit<Entry, "answer" | "isAbandoned">): Entry {
    const begun = { ...entry, answer: undefined, isAbandoned: false };
    this.entries.push(begun);
    this.allowances.begin(begun);
    return begun;
  }

  /** Writes down what a call was answered with. */
  answer(entry: Entry, answer: Answer): void {
    this.#longestSilenceMs = this.longestSilenceMs;
    this.#answeredAt = performance.now();
    entry.answer = answer;
    this.answered++;
    const reason = this.allowances.answer(entry);
    if (reason !== undefined) this.unfounded.push(`${entry.kind} ${entry.reference}: ${reason}`);
  }

  /** For how long, at most, no call was answered; up to now, if none was lately. */
  get longestSilenceMs(): number {
    return Math.max(this.#longestSilenceMs, performance.now() - this.#answeredAt);
  }

  /**
   * Writes down which webhook events Razorpay is done with, and returns those that are on their way. Those
   * that it was told not to send are neither.
   */
  async noteWebhooks(control: RazorpayControl): Promise<WebhookEvent[]> {
    const events = await control.webhookEvents();
    for (const event of events) {
      if (event.state === "delivered" || event.state === "failed") {
        this.finishedWebhooks.set(event.id, event);
      }
    }
    return events.filter(({ state }) => state === "pending");
  }

  /** The calls of these kinds that were carried out, as far as their callers know. */
  acknowledged(...kinds: Kind[]): Entry[] {
    return this.entries.filter((entry) => kinds.includes(entry.kind) && isDone(entry));
  }

  /** The calls that the backend refused to carry out. */
  refused(): Entry[] {
    return this.entries.filter((entry) => entry.answer !== undefined && !isDone(entry));
  }

  /** The kinds of which no call was carried out, as far as anybody knows. */
  missingKinds(): Kind[] {
    return KINDS.filter((kind) => this.acknowledged(kind).length === 0);
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
