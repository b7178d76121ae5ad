/**
 * One merchant's account at Razorpay: its key, its state, its settings and its webhook.
 * @module
 */

import { createHmac } from "node:crypto";
import type { Dispute, Order, Payment, PaymentLink, Refund } from "./entities.ts";
import { invalidId, unknownId } from "./errors.ts";
import { type IdPrefix, isId } from "./ids.ts";
import type { StandInSettings } from "./settings.ts";
import { emptyState, type State, StateFile } from "./state.ts";
import { Webhooks } from "./webhooks.ts";

/** How to open an account. */
interface AccountOptions {
  readonly keyId: string;
  readonly keySecret: string;
  readonly settings: StandInSettings;
  /** Path of the JSON file that keeps the state between runs. */
  readonly stateFile?: string;
}

/** The account that all routes work on. */
export class Account {
  readonly webhooks: Webhooks;
  /** Idempotency keys of refund requests in progress. */
  readonly refundKeysInProgress = new Set<string>();
  readonly #keySecret: string;
  readonly #stopping = new AbortController();

  private constructor(
    readonly keyId: string,
    keySecret: string,
    readonly settings: StandInSettings,
    readonly state: State,
    readonly stateFile: StateFile | undefined,
  ) {
    this.#keySecret = keySecret;
    this.webhooks = new Webhooks(state.events, settings, () => this.#saveOrReport());
  }

  /** Opens the account with the state in its file, and resumes interrupted deliveries. */
  static async open(
    { keyId, keySecret, settings, stateFile }: AccountOptions,
  ): Promise<Account> {
    const file = stateFile === undefined ? undefined : new StateFile(stateFile);
    const state = file === undefined ? emptyState() : await file.load();
    const account = new Account(keyId, keySecret, settings, state, file);
    account.webhooks.resume();
    return account;
  }

  /** Returns whether the `Authorization` header is this account's. The scheme is case-sensitive. */
  authenticates(authorization: string | undefined): boolean {
    return authorization === `Basic ${btoa(`${this.keyId}:${this.#keySecret}`)}`;
  }

  /** HMAC-SHA256 with the key secret over the parts joined by `|`, as lower-case hex. */
  sign(...parts: string[]): string {
    return createHmac("sha256", this.#keySecret).update(parts.join("|")).digest("hex");
  }

  /** @throws {RazorpayError} 400 */
  order(id: string): Order {
    return found(this.state.orders.get(checked("order", id)));
  }

  /** @throws {RazorpayError} 400 */
  payment(id: string): Payment {
    return found(this.state.payments.get(checked("pay", id)));
  }

  /** @throws {RazorpayError} 400 */
  refund(id: string): Refund {
    return found(this.state.refunds.get(checked("rfnd", id)));
  }

  /** @throws {RazorpayError} 400 */
  dispute(id: string): Dispute {
    return found(this.state.disputes.get(checked("disp", id)));
  }

  /** Returns undefined for an unknown id, for which payment links have an error of their own. */
  paymentLink(id: string): PaymentLink | undefined {
    return this.state.paymentLinks.get(id);
  }

  /** Returns the payments of an order, newest first. */
  paymentsOf(order: Order): Payment[] {
    return [...this.state.payments.values()]
      .filter(({ order_id }) => order_id === order.id)
      .reverse();
  }

  /** How far lists lag behind reads by id. */
  get listing(): { readonly lagMs: number } {
    return { lagMs: this.settings.list_lag_ms };
  }

  /** Resolves when the current state is in the file, or at once if there is none. */
  async save(): Promise<void> {
    await this.stateFile?.save(this.state);
  }

  /** Waits and returns true, or returns false as soon as the stand-in is stopped. */
  pause(delayMs: number): Promise<boolean> {
    const { signal } = this.#stopping;
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const abandon = () => {
        clearTimeout(timer);
        resolve(false);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", abandon);
        resolve(true);
      }, delayMs);
      signal.addEventListener("abort", abandon, { once: true });
    });
  }

  /** Ends deliveries and pauses, and saves the state. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.webhooks.stop();
    await this.save();
  }

  async #saveOrReport(): Promise<void> {
    try {
      await this.save();
    } catch (error) {
      console.error("The Razorpay stand-in could not save its state:", error);
    }
  }
}

function checked(prefix: IdPrefix, id: string): string {
  if (!isId(prefix, id)) throw invalidId(id);
  return id;
}

function found<Record>(record: Record | undefined): Record {
  if (record === undefined) throw unknownId();
  return record;
}
