/**
 * Faults to order: what a test wants Razorpay to do wrong, for the next requests that match.
 * @module
 */

import { z } from "zod";

/**
 * Each fault, and whether Razorpay does what was asked before it goes wrong (unless the test says
 * otherwise by `applied`).
 */
const APPLIED_BY_DEFAULT = {
  /** 401 `Authentication failed`. */
  "401": false,
  /** 429 `Too many requests`. */
  "429": false,
  /** 500 with Razorpay's error object. */
  "500": false,
  /** 502 with the HTML of a gateway. */
  "502_html": false,
  /** 504 with an empty body. */
  "504_empty": false,
  /** 200 with HTML, as a captive proxy sends. */
  "200_html": false,
  /** 200 with half of the JSON, as if that were all. */
  "200_cut_off": true,
  /** 200 with half of the JSON, then the connection breaks. */
  "200_broken_off": true,
  /** The request is read, and the connection closed without an answer. */
  "drop": true,
  /** The request is read and never answered. */
  "hang": false,
  /** The right answer, `delay_ms` late. */
  "delay": true,
} as const;

export type FaultKind = keyof typeof APPLIED_BY_DEFAULT;

/** The fault that a test orders. */
export const faultSchema = z.strictObject({
  kind: z.enum(Object.keys(APPLIED_BY_DEFAULT) as [FaultKind, ...FaultKind[]]),
  /** Only requests with this method. */
  method: z.string().optional(),
  /** Only requests with this path, segment by segment, where `*` stands for any one. */
  path: z.string().startsWith("/v1/").optional(),
  /** How many requests it hits. */
  times: z.int().min(1).default(1),
  /** Waits before it, or before the answer. */
  delay_ms: z.int().min(0).default(0),
  /** Whether Razorpay does what was asked before it goes wrong. */
  applied: z.boolean().optional(),
});

export type NewFault = z.input<typeof faultSchema>;

/** A fault in waiting. */
export interface Fault {
  readonly kind: FaultKind;
  readonly method?: string;
  readonly path?: string;
  /** How many requests it will still hit. */
  times: number;
  readonly delay_ms: number;
  readonly applied: boolean;
}

/** The faults in waiting, in the order in which they were ordered. */
export class Faults {
  #faults: Fault[] = [];

  get list(): Fault[] {
    return this.#faults.map((fault) => ({ ...fault }));
  }

  add(fault: z.output<typeof faultSchema>): Fault {
    const added = { ...fault, applied: fault.applied ?? APPLIED_BY_DEFAULT[fault.kind] };
    this.#faults.push(added);
    return added;
  }

  clear(): void {
    this.#faults = [];
  }

  /** The fault that this request meets, which is then one request closer to its end. */
  take(method: string, path: string): Fault | undefined {
    const fault = this.#faults.find((fault) => matches(fault, method, path));
    if (fault !== undefined) {
      fault.times -= 1;
      this.#faults = this.#faults.filter(({ times }) => times > 0);
    }
    return fault;
  }
}

function matches(fault: Fault, method: string, path: string): boolean {
  if (fault.method !== undefined && fault.method !== method) return false;
  if (fault.path === undefined) return true;
  const wanted = fault.path.split("/");
  const given = path.split("/");
  return wanted.length === given.length &&
    wanted.every((segment, index) => segment === "*" || segment === given[index]);
}
