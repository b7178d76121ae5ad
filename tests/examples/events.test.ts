/**
 * examples/events.ts, told of events by a backend.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { deliverTo, forgetEvents, makeEventsDue } from "../support/events.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits } from "../support/purchases.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());
const { sql, razorpay: { control } } = backend;
Deno.test.beforeEach(() => forgetEvents(sql));

// The example reads its secret once, when it is loaded.
const { onEvent } = await import("../../examples/events.ts");

/** A bot that serves the example, and what it has said. */
class ExampleBot implements AsyncDisposable {
  readonly said: string[] = [];
  readonly statuses: number[] = [];
  /** How many acknowledgments get lost. */
  lost = 0;
  readonly #handled = new Set<string>();
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const response = await onEvent(request, this);
      this.statuses.push(response.status);
      return this.lost-- > 0 ? new Response(null, { status: 502 }) : response;
    },
  );

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/events`;
  }

  isHandled(eventId: string): Promise<boolean> {
    return Promise.resolve(this.#handled.has(eventId));
  }

  handled(eventId: string): Promise<void> {
    return Promise.resolve(void this.#handled.add(eventId));
  }

  send(_phoneNumber: string, text: string): Promise<void> {
    return Promise.resolve(void this.said.push(text));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

Deno.test("a customer is thanked once, although the event arrives twice", async () => {
  await using bot = new ExampleBot();
  bot.lost = 1;
  await buyCredits(control, newPhoneNumber(), "starter");
  strictEqual((await deliverTo([bot.url])).failed, 1);
  await makeEventsDue(sql);
  strictEqual((await deliverTo([bot.url])).delivered, 1);
  deepStrictEqual(bot.statuses, [204, 204]);
  deepStrictEqual(bot.said, ["20 credits have arrived. You have 23 credits remaining."]);
});

Deno.test("an event that comes late is told with the balance of now", async () => {
  await using bot = new ExampleBot();
  const phone = newPhoneNumber();
  await buyCredits(control, phone, "starter");
  await sql`select public.hand_out_events(${[bot.url]}, 10)`;
  await sql`update public.event_deliveries set next_attempt_at = 'infinity'`;
  await buyCredits(control, phone, "popular");
  await deliverTo([bot.url]);
  // A charge makes no event.
  dataOf(await call("POST", "bot-deduct", { body: { phone_number: phone, credits: 8 } }));
  await makeEventsDue(sql);
  await deliverTo([bot.url]);
  deepStrictEqual(bot.said, [
    "75 credits have arrived. You have 98 credits remaining.",
    "20 credits have arrived. You have 90 credits remaining.",
  ]);
});

Deno.test("nobody else can tell the bot anything", async () => {
  await using bot = new ExampleBot();
  const body = JSON.stringify({
    type: "credits.granted",
    data: { phone_number: newPhoneNumber() },
  });
  for (const signature of ["", "v1,AAAA"]) {
    const response = await fetch(bot.url, {
      method: "POST",
      body,
      headers: {
        "webhook-id": "1",
        "webhook-timestamp": String(Math.floor(Date.now() / 1000)),
        "webhook-signature": signature,
      },
    });
    strictEqual(response.status, 401);
  }
  deepStrictEqual(bot.said, []);
});

Deno.test("what the bot says itself is not said again by an event", async () => {
  await using bot = new ExampleBot();
  const body = { phone_number: newPhoneNumber(), credits: 3 };
  strictEqual(dataOf(await call("POST", "bot-deduct", { body })).low_balance, true);
  strictEqual((await deliverTo([bot.url])).delivered, 1);
  deepStrictEqual(bot.said, []);
});
