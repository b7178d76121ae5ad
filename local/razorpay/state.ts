/**
 * Everything that Razorpay would remember: in memory and, if there is a path for it, in a JSON
 * file.
 * @module
 */

import { z } from "zod";
import { PRIVATE_FILE } from "../system/files.ts";
import { parseJson } from "../system/json.ts";
import type { Dispute, Order, Payment, PaymentLink, Refund } from "./entities.ts";
import { newId } from "./ids.ts";
import type { WebhookEvent } from "./webhooks.ts";

/** The request that a refund's idempotency key was used for, and its refund. */
interface RefundKey {
  readonly key: string;
  readonly payment_id: string;
  readonly body: string;
  readonly refund_id: string;
}

/** The maps hold the records by identifier, oldest first. */
export interface State {
  readonly accountId: string;
  readonly orders: Map<string, Order>;
  readonly payments: Map<string, Payment>;
  readonly refunds: Map<string, Refund>;
  readonly refundKeys: Map<string, RefundKey>;
  readonly paymentLinks: Map<string, PaymentLink>;
  readonly disputes: Map<string, Dispute>;
  readonly events: Map<string, WebhookEvent>;
}

/** Returns the state of a merchant who has not sold anything yet. */
export function emptyState(): State {
  return {
    accountId: newId("acc"),
    orders: new Map(),
    payments: new Map(),
    refunds: new Map(),
    refundKeys: new Map(),
    paymentLinks: new Map(),
    disputes: new Map(),
    events: new Map(),
  };
}

const FORMAT = 1;

// Only this module writes the file, and always completely, so the records themselves are not
// checked.
const savedState = z.object({
  format: z.literal(FORMAT),
  account_id: z.string(),
  orders: z.array(z.custom<Order>()),
  payments: z.array(z.custom<Payment>()),
  refunds: z.array(z.custom<Refund>()),
  refund_keys: z.array(z.custom<RefundKey>()),
  payment_links: z.array(z.custom<PaymentLink>()),
  disputes: z.array(z.custom<Dispute>()),
  events: z.array(z.custom<WebhookEvent>()),
});

/** A JSON file that holds the state between runs. */
export class StateFile {
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(readonly path: string) {}

  /** Reads the state, empty if there is no file. Throws if the file holds anything else. */
  async load(): Promise<State> {
    let text: string;
    try {
      text = await Deno.readTextFile(this.path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return emptyState();
      throw error;
    }
    return parseState(text, this.path);
  }

  /**
   * Resolves when the file holds the state as of this moment or later. Calls during a write share
   * the next one.
   */
  save(state: State): Promise<void> {
    this.#next ??= this.#last.then(async () => {
      this.#next = undefined;
      await this.#write(state);
    });
    const saved = this.#next;
    this.#last = saved.catch(() => {});
    return saved;
  }

  /** Renaming replaces the file in one step, so neither a reader nor a crash leaves half of it. */
  async #write(state: State): Promise<void> {
    const unfinished = `${this.path}.unfinished`;
    // It holds what payers have typed, which is nobody else's business.
    await Deno.writeTextFile(unfinished, serializeState(state), { mode: PRIVATE_FILE });
    await Deno.rename(unfinished, this.path);
  }
}

function serializeState(state: State): string {
  const saved: z.infer<typeof savedState> = {
    format: FORMAT,
    account_id: state.accountId,
    orders: [...state.orders.values()],
    payments: [...state.payments.values()],
    refunds: [...state.refunds.values()],
    refund_keys: [...state.refundKeys.values()],
    payment_links: [...state.paymentLinks.values()],
    disputes: [...state.disputes.values()],
    events: [...state.events.values()],
  };
  return JSON.stringify(saved);
}

function parseState(text: string, path: string): State {
  const parsed = savedState.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new Error(
      `${path} does not hold the Razorpay stand-in's state. Delete it to start over.`,
    );
  }
  const saved = parsed.data;
  return {
    accountId: saved.account_id,
    orders: byId(saved.orders),
    payments: byId(saved.payments),
    refunds: byId(saved.refunds),
    refundKeys: new Map(saved.refund_keys.map((key) => [key.key, key])),
    paymentLinks: byId(saved.payment_links),
    disputes: byId(saved.disputes),
    events: byId(saved.events),
  };
}

function byId<Entry extends { readonly id: string }>(
  records: readonly Entry[],
): Map<string, Entry> {
  return new Map(records.map((record) => [record.id, record]));
}
