/**
 * One call of the load: what it asked for and what it was told.
 * @module
 */

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

/** Whether the backend said that it has done what was asked for. */
export function isDone({ answer }: Entry): boolean {
  return answer?.status === "SUCCESS";
}

/** How a call is called in what is said of it. */
export function nameOf({ kind, phone, reference }: Entry): string {
  return reference && reference !== phone ? `${kind} ${reference}` : `${kind} of ${phone}`;
}
