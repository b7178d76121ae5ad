/**
 * examples/page.ts, played against a backend that asks for proof, with the stand-in for Checkout.
 * @module
 */
import { deepStrictEqual, fail, rejects, strictEqual } from "node:assert/strict";
import { z } from "zod";
import { openPage } from "../../examples/page.ts";
import { startBackend } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { lossyProxy } from "../support/faulty-servers.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { keepPrivate } from "../support/private-values.ts";

const backend = await startBackend();
const { control } = backend.razorpay;
Deno.env.set("FRONTEND_ACCESS", "phone-proof");
const proxy = lossyProxy(backend.environment.SUPABASE_URL);
Deno.test.afterAll(async () => {
  await proxy.stop();
  await backend.stop();
});

const phone = newPhoneNumber();
const link = dataOf(await call("POST", "bot-link", { body: { phone_number: phone } }));
keepPrivate(z.string().parse(link.token));
const { SUPABASE_PUBLISHABLE_KEY } = backend.environment;
const page = openPage(proxy.url, SUPABASE_PUBLISHABLE_KEY, z.url().parse(link.url));
const stranger = openPage(proxy.url, SUPABASE_PUBLISHABLE_KEY, "https://shop.example/");

/** What the customer does in Checkout. */
type Customer = (checkout: CheckoutOptions, tellFailure: Failure) => void | Promise<void>;

interface CheckoutOptions {
  readonly key: string;
  readonly order_id: string;
  readonly amount: number;
  readonly prefill: { contact: string };
  readonly handler: (paid: object) => void;
  readonly modal: { ondismiss: () => void };
}

/** What Checkout tells the page of a payment that failed. */
type Failure = (failure: { error: { description: string } }) => void;

const pays: Customer = async ({ order_id, handler }) => {
  handler(await control.payOrder(order_id, { outcome: "captured", deliver_webhooks: false }));
};

/** Buys a package as `customer` would, and returns how the page was told of its end. */
function buy(customer: Customer, refused: (reason: string) => void = fail): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  class Razorpay {
    tellFailure: Failure = () => {};
    constructor(readonly options: CheckoutOptions) {}
    on(event: string, act: Failure): void {
      strictEqual(event, "payment.failed");
      this.tellFailure = act;
    }
    open(): void {
      strictEqual(this.options.amount, 9_900);
      strictEqual(this.options.prefill.contact, phone);
      Promise.resolve(customer(this.options, this.tellFailure)).catch(reject);
    }
  }
  Object.assign(globalThis, { Razorpay });
  const outcome = { done: resolve, failed: reject, refused, closed: () => resolve("closed") };
  page.buy(phone, "starter", outcome).catch(reject);
  return promise;
}

Deno.test("a page that the bot's link opened shows the account and its history", async () => {
  const { phone_number, credits, history } = await page.loadProfile(phone);
  deepStrictEqual([phone_number, credits, history.length], [phone, 3, 1]);
});

Deno.test("a page without the link is refused with an envelope", async () => {
  await rejects(stranger.loadProfile(phone), { status: "ERROR", code: "PROOF_REQUIRED" });
});

Deno.test("the packages come in the order of their prices", async () => {
  const prices = (await page.loadPackages()).map(({ price }) => price);
  strictEqual(prices[0], 99);
  deepStrictEqual(prices, prices.toSorted((one, other) => one - other));
});

Deno.test("a page shows what actions cost now, and neither former nor planned prices", async () => {
  await backend.sql`
    insert into public.action_prices (action_id, unit, credits, done_message, valid_from) values
      ('video_generation', 'video', 6, 'Video generated successfully.', now()),
      ('video_generation', 'video', 7, 'Video generated successfully.', now() + interval '1 day')`;
  const prices = await stranger.loadPrices();
  deepStrictEqual(
    prices.filter(({ action_id }) => /^v/.test(action_id)),
    [
      {
        action_id: "video_generation",
        unit: "video",
        credits: 6,
        per_quantity: 1,
        minimum_credits: 1,
      },
      {
        action_id: "voice_message",
        unit: "second",
        credits: 1,
        per_quantity: 30,
        minimum_credits: 1,
      },
    ],
  );
});

Deno.test("a purchase ends with the credits", async () => {
  const { status, data } = z.object({
    status: z.string(),
    data: z.object({ credits_added: z.int(), remaining_credits: z.int() }),
  }).parse(await buy(pays));
  deepStrictEqual([status, data], ["SUCCESS", { credits_added: 20, remaining_credits: 23 }]);
});

Deno.test("a payment that Razorpay does not confirm at once is asked about again", async () => {
  const before = proxy.paths.length;
  await control.addFault({ kind: "500", method: "GET" });
  const { status } = await buy(pays) as { status: string };
  strictEqual(status, "SUCCESS");
  const calls = proxy.paths.slice(before).map((path) => path.split("/").at(-1));
  deepStrictEqual(calls, ["create-order", "verify-payment", "verify-payment"]);
});

Deno.test("the page learns why a payment failed, and the next one may succeed", async () => {
  const reasons: string[] = [];
  const { status } = await buy(async (checkout, tellFailure) => {
    tellFailure({ error: { description: "Your payment was declined by the bank." } });
    await pays(checkout, tellFailure);
  }, (reason) => reasons.push(reason)) as { status: string };
  deepStrictEqual([reasons, status], [["Your payment was declined by the bank."], "SUCCESS"]);
});

Deno.test("a customer who closes Checkout leaves the page usable, and the order open", async () => {
  strictEqual(await buy(({ modal }) => modal.ondismiss()), "closed");
});

Deno.test("a package that is not for sale opens no Checkout", async () => {
  const outcome = { done() {}, failed() {}, refused() {}, closed() {} };
  await rejects(page.buy(phone, "none", outcome), { code: "PACKAGE_NOT_FOUND" });
});
