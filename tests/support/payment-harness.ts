/**
 * What tests of payments need: the backend, and what customers, Razorpay and operators do with it.
 *
 * The stand-in keeps Razorpay's events until a test delivers them, so that each test chooses what is
 * reported, when, how often and in which order.
 * @module
 */

import { deepStrictEqual } from "node:assert/strict";
import { z } from "zod";
import type { RazorpayControl } from "../../local/razorpay/control-client.ts";
import type { WebhookEvent } from "../../local/razorpay/webhooks.ts";
import { assertBooksAreRight, type Backend, startBackend } from "./backend.ts";
import { type Answer, call, dataOf, operatorHeaders } from "./calls.ts";
import type { Purchase } from "./purchases.ts";
import { one } from "./lists.ts";
import { newEventId } from "./razorpay-ids.ts";
import { sign } from "./signing.ts";

/** The packages of the seed, as far as the tests rely on them. */
export const PACKAGES = {
  starter: { credits: 20, amountPaise: 9_900 },
  popular: { credits: 75, amountPaise: 29_900 },
  pro: { credits: 250, amountPaise: 79_900 },
};

/** What a newcomer gets for free. */
export const FREE_CREDITS = 3;

/** A retry that Razorpay sends after 6 seconds is sent after 6 milliseconds. */
const WEBHOOK_TIME_FACTOR = 0.001;

/** What a user has, in credits. */
export interface Account {
  credits: number;
  debt: number;
}

/** An event as Razorpay sends it; without an id, the header with the id is missing. */
export type SignedEvent = Partial<WebhookEvent> & Pick<WebhookEvent, "body" | "signature">;

/** A running backend, with what tests of payments ask of it. */
export interface PaymentHarness extends Backend {
  readonly control: RazorpayControl;
  /** Where Razorpay sends its events. */
  readonly webhookUrl: string;
  /** Our id of a purchase's order. */
  orderIdOf(purchase: Pick<Purchase, "checkout">): Promise<string>;
  /** Razorpay's events about an order, a payment or a payment link, oldest first. */
  eventsAbout(id: string): Promise<WebhookEvent[]>;
  /** Makes every order that is still watched due, and runs the reconciler. */
  reconcile(): Promise<Record<string, unknown>>;
  /** See {@linkcode PaymentHarness.reconcile}. */
  makeDue(): Promise<void>;
  /** Makes the reconciler ignore all orders so far, which belong to earlier tests. */
  forgetOrders(): Promise<void>;
}

/**
 * Starts a harness for all tests of a file: it keeps their orders apart, clears the faults and checks
 * the books after each, and stops after the last.
 */
export async function usePaymentHarness(): Promise<PaymentHarness> {
  const harness = await startPaymentHarness();
  Deno.test.afterAll(() => harness.stop());
  Deno.test.beforeEach(() => harness.forgetOrders());
  Deno.test.afterEach(async () => {
    await harness.control.clearFaults();
    await assertBooksAreRight(harness.sql);
  });
  return harness;
}

/** Starts a harness with a database of its own. Stop it with `Deno.test.afterAll`. */
export async function startPaymentHarness(): Promise<PaymentHarness> {
  const backend = await startBackend();
  const { control } = backend.razorpay;
  const webhookUrl = `${backend.environment.SUPABASE_URL}/functions/v1/razorpay-webhook`;
  await control.changeSettings({
    webhook_url: webhookUrl,
    webhook_time_factor: WEBHOOK_TIME_FACTOR,
  });

  // The reconciler waits for minutes before it asks about an order, and no API changes that time. The
  // tests do not wait: they write the column.
  async function makeDue(): Promise<void> {
    await backend.sql`
      update public.payment_orders set next_check_at = clock_timestamp()
      where next_check_at < 'infinity'`;
  }

  return {
    ...backend,
    control,
    webhookUrl,
    makeDue,
    async forgetOrders() {
      await backend.sql`
        update public.payment_orders set next_check_at = 'infinity' where next_check_at is not null`;
    },
    async orderIdOf({ checkout }) {
      const orders = await backend.sql<{ id: string }[]>`
        select id from public.payment_orders
        where razorpay_order_id = ${checkout.razorpay_order_id}`;
      return one(orders).id;
    },
    async eventsAbout(id) {
      return (await control.webhookEvents()).filter(({ body }) => body.includes(id));
    },
    async reconcile() {
      await makeDue();
      return dataOf(await runReconciler());
    },
  };
}

/** Runs the reconciler once, as the scheduler does. */
export function runReconciler(): Promise<Answer> {
  return call("POST", "reconcile-payments", { body: {}, headers: operatorHeaders() });
}

/** Settles an order by hand; `fields` adds to the request and replaces parts of it. */
export function settleByHand(
  fields: Record<string, unknown>,
  headers: Record<string, string> = operatorHeaders(),
): Promise<Answer> {
  const body = { operator: "Asha", reason: "The customer called", ...fields };
  return call("POST", "settle-order", { body, headers });
}

/** An event made up by the test, signed as Razorpay would sign it. Text goes out as it is. */
export function signedEvent(body: unknown, secret: string): SignedEvent & { id: string } {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { id: newEventId(), body: text, signature: sign(text, secret) };
}

/** Delivers an event to the webhook, as Razorpay does. */
export function deliver({ id, body, signature }: SignedEvent): Promise<Answer> {
  const headers = {
    "content-type": "application/json",
    "x-razorpay-signature": signature,
    ...(id !== undefined && { "x-razorpay-event-id": id }),
  };
  return call("POST", "razorpay-webhook", { body, headers });
}

/** Delivers events one after the other, and returns the outcome of each. */
export async function deliverAll(events: SignedEvent[]): Promise<unknown[]> {
  const outcomes: unknown[] = [];
  for (const event of events) outcomes.push(dataOf(await deliver(event)).outcome);
  return outcomes;
}

/** The one event of this name. */
export function named(events: WebhookEvent[], name: WebhookEvent["event"]): WebhookEvent {
  const found = events.filter(({ event }) => event === name);
  if (found.length !== 1) throw new Error(`There are ${found.length} events ${name}`);
  return one(found);
}

/** What a user has, as the page sees it. */
export async function accountOf(phone: string): Promise<Account> {
  const profile = z.object({ id: z.string(), credits: z.int() })
    .parse(dataOf(await call("GET", `users/${phone}`)));
  const { debt_credits } = z.object({ debt_credits: z.int() })
    .parse(dataOf(await call("GET", `credit-history/${profile.id}`)));
  return { credits: profile.credits, debt: debt_credits };
}

/** Fails unless the user has these credits besides the free ones, and this debt. */
export async function expectBought(phone: string, credits: number, debt = 0): Promise<void> {
  deepStrictEqual(await accountOf(phone), { credits: FREE_CREDITS + credits, debt });
}

const page = z.object({
  transactions: z.array(z.object({
    action: z.string(),
    credits: z.int(),
    source: z.string(),
    reference_id: z.string().nullable(),
    balance_after: z.int(),
  })),
});

/** The user's history after the welcome, oldest first, each entry as `+20 payment pay_...: 23`. */
export async function historyOf(phone: string): Promise<string[]> {
  const { id } = dataOf(await call("GET", `users/${phone}`));
  const { transactions } = page.parse(
    dataOf(await call("GET", `credit-history/${id}?limit=100`)),
  );
  return transactions.reverse().slice(1).map((entry) =>
    `${entry.action === "credit" ? "+" : "-"}${entry.credits} ${entry.source} ` +
    `${entry.reference_id}: ${entry.balance_after}`
  );
}

/** Spends credits without a reference. */
export async function spend(phone: string, credits: number): Promise<void> {
  dataOf(await call("POST", "bot-deduct", { body: { phone_number: phone, credits } }));
}
