/**
 * Faults: what a test wants Razorpay to do wrong with the next requests that match.
 * @module
 */

import { z } from "zod";

/**
 * The kinds of faults, and whether Razorpay carries out the request before it fails, unless
 * `applied` says otherwise.
 */
const APPLIED_BY_DEFAULT = {
  /** 401 `Authentication failed`. */
  "401": false,
  /** 429 `Too many requests`. */
  "429": false,
  /** 500 with Razorpay's error object. */
  "500": false,
  /** 502 with a gateway's HTML. */
  "502_html": false,
  /** 504 with an empty body. */
  "504_empty": false,
  /** 200 with HTML, as a captive portal sends. */
  "200_html": false,
  /** 200 with half of the JSON, in a complete response. */
  "200_cut_off": true,
  /** 200 with half of the JSON, then the connection breaks. */
  "200_broken_off": true,
  /** The request is read, and the connection is closed without a response. */
  "drop": true,
  /** The request is read, and no response is ever sent. */
  "hang": false,
  /** The right response, `delay_ms` late. */
  "delay": true,
} as const;

type FaultKind = keyof typeof APPLIED_BY_DEFAULT;

/** A fault, as a test orders it. */
export const faultSchema = z.strictObject({
  kind: z.enum(Object.keys(APPLIED_BY_DEFAULT) as [FaultKind, ...FaultKind[]]),
  /** Only requests with this method. */
  method: z.string().optional(),
  /** Only requests with this path, in which a segment `*` stands for any segment. */
  path: z.string().startsWith("/v1/").optional(),
  /** How many requests it affects. */
  times: z.int().min(1).default(1),
  /** How long to wait before the fault, or before the response. */
  delay_ms: z.int().min(0).default(0),
  /** Whether Razorpay carries out the request before it fails. */
  applied: z.boolean().optional(),
});

export type NewFault = z.input<typeof faultSchema>;

/** A fault that still waits for requests. */
export interface Fault {
  readonly kind: FaultKind;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  /** How many requests it will still affect. */
  times: number;
  readonly delay_ms: number;
  readonly applied: boolean;
}

/** The faults that still wait for requests, oldest first. */
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

  /** Returns the fault for a request, if there is one, and counts the request against it. */
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
