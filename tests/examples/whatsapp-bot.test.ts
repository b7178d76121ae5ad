/**
 * examples/whatsapp-bot, played with a backend and the stand-ins of WhatsApp and Razorpay.
 * @module
 */

import { deepStrictEqual, match, ok, rejects, strictEqual, throws } from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { join } from "node:path";
import { Inbox, TryLater } from "../../examples/whatsapp-bot/inbox.ts";
import { readSettings, type Settings } from "../../examples/whatsapp-bot/settings.ts";
import { startWhatsApp } from "../../local/whatsapp/server.ts";
import type { Incoming } from "../../local/whatsapp/webhook.ts";
import { startBackend } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { deliverTo, forgetEvents, makeEventsDue } from "../support/events.ts";
import { at } from "../support/lists.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { keepPrivate } from "../support/private-values.ts";
import { until } from "../../local/system/until.ts";

const backend = await startBackend();
const { sql, razorpay: { control }, environment, secrets } = backend;
await control.changeSettings({
  webhook_url: `${environment.SUPABASE_URL}/functions/v1/razorpay-webhook`,
});
// The bot reads the backend's address once, when it is loaded.
const { startBot } = await import("../../examples/whatsapp-bot/server.ts");

const app = {
  accessToken: randomUUID(),
  appSecret: randomUUID(),
  verifyToken: randomUUID(),
  phoneNumberId: "105550000000001",
};
Object.values(app).forEach(keepPrivate);
const whatsapp = startWhatsApp(app);
const folder = await Deno.makeTempDir({ prefix: "whatsapp-bot-" });
const settings: Settings = {
  ...app,
  port: 0,
  stateFile: join(folder, "state.sqlite"),
  graphUrl: whatsapp.graphUrl,
  eventsSecret: secrets.eventsSecret,
};
let bot = await startBot(settings);
await whatsapp.subscribe(`${bot.url}/webhook`);

Deno.test.afterAll(async () => {
  await bot.stop();
  await whatsapp.stop();
  await Deno.remove(folder, { recursive: true });
  await backend.stop();
});
Deno.test.beforeEach(() => forgetEvents(sql));

/** A new customer, with the 3 free credits. */
class Customer {
  readonly phone = newPhoneNumber();
  readonly number = this.phone.slice(1);
  /** What has been read of {@linkcode said}. */
  #read = 0;

  /** Everything that the bot has said to this customer. */
  get said(): string[] {
    return whatsapp.sent.filter(({ to }) => to === this.number).map(({ text }) => text);
  }

  write(text: string): Incoming {
    return whatsapp.write(this.number, text);
  }

  /** Waits until the bot has said so many things more, and returns them. */
  async hears(count = 1): Promise<string[]> {
    await until(
      "the bot has spoken",
      () => Promise.resolve(this.said.length >= this.#read + count),
    );
    const heard = this.said.slice(this.#read);
    this.#read += heard.length;
    strictEqual(heard.length, count, heard.join("\n"));
    return heard;
  }

  /** Writes, and returns what the bot says to it. */
  async asks(text: string, count = 1): Promise<string[]> {
    strictEqual(await whatsapp.deliver(this.write(text)), 200);
    return await this.hears(count);
  }

  /** Asks for a payment link. */
  async wantsToBuy(packageId = "starter"): Promise<string> {
    return linkIn(at(await this.asks(`buy ${packageId}`), 0));
  }
}

function linkIn(text: string): string {
  const link = /http\S+$/.exec(text)?.[0];
  ok(link, text);
  return link;
}

/** Presses a button of a link's page, and returns once Razorpay's events have arrived. */
async function press(link: string, outcome: "captured" | "failed"): Promise<void> {
  const response = await fetch(link, { method: "POST", body: new URLSearchParams({ outcome }) });
  match(await response.text(), outcome === "captured" ? /are paid/ : /You can try again/);
  await control.webhooksDelivered();
}

function tellBot() {
  return deliverTo([`${bot.url}/events`]);
}

Deno.test("a customer asks, spends the credits, buys on the link's page and is thanked", async () => {
  const customer = new Customer();
  match(at(await customer.asks("Hi"), 0), /^Write what you want:/);
  deepStrictEqual(await customer.asks(" Balance "), ["You have 3 credits remaining."]);
  deepStrictEqual(await customer.asks("image a cat\non a roof", 2), [
    "[A stand-in for a picture: a cat\non a roof]",
    "Image generated successfully. You have 2 credits remaining.",
  ]);
  deepStrictEqual(await customer.asks("image a dog", 2), [
    "[A stand-in for a picture: a dog]",
    'Image generated successfully. You have 1 credit remaining. Write "buy" for more.',
  ]);
  await customer.asks("image", 2);
  const [offer = ""] = await customer.asks("image a bird");
  match(offer, /^You have no credits left\. .*\n20 credits for 99 rupees: http:\/\/127/);

  await press(linkIn(offer), "captured");
  await tellBot();
  deepStrictEqual(await customer.hears(), [
    "Thank you! 20 credits have arrived. You have 20 credits remaining.",
  ]);
});

Deno.test("every reply quotes the message that it answers", async () => {
  const customer = new Customer();
  const messages = ["balance", "help"].map((text) => customer.write(text));
  await whatsapp.deliver(...messages);
  await customer.hears(2);
  const replies = whatsapp.sent.filter(({ to }) => to === customer.number);
  const quoted = new Map(replies.map(({ inReplyTo, text }) => [inReplyTo, text.slice(0, 8)]));
  deepStrictEqual(messages.map(({ id }) => quoted.get(id)), ["You have", "Write wh"]);
});

Deno.test("of two messages at once for the last credit, one gets its image and the other an offer", async () => {
  const customer = new Customer();
  await customer.asks("image 1", 2);
  await customer.asks("image 2", 2);
  strictEqual(await whatsapp.deliver(customer.write("image 3"), customer.write("image 4")), 200);
  const said = (await customer.hears(3)).map((text) => text.replace(/\d\]|\n[\s\S]*/, "")).sort();
  strictEqual(
    said[0],
    'Image generated successfully. You have no credits remaining. Write "buy" for more.',
  );
  match(at(said, 1), /^You(r last credit is reserved| have no credits left)/);
  match(at(said, 2), /^\[A stand-in/);
});

Deno.test("a message that WhatsApp delivers again, or in another batch, is answered once", async () => {
  const customer = new Customer();
  const image = customer.write("image a cat");
  const balance = customer.write("balance");
  await whatsapp.deliver(image);
  await customer.hears(2);
  strictEqual(await whatsapp.deliver(image), 200);
  strictEqual(await whatsapp.deliver(balance, image, balance), 200);
  deepStrictEqual(await customer.hears(), ["You have 2 credits remaining."]);
});

Deno.test("a request without WhatsApp's signature, or for another number, does nothing", async () => {
  const customer = new Customer();
  const post = (body: string, headers: Record<string, string>) =>
    fetch(`${bot.url}/webhook`, { method: "POST", body, headers });
  const notification = (phone_number_id: string, message: object) =>
    JSON.stringify({
      object: "whatsapp_business_account",
      entry: [{ changes: [{ value: { metadata: { phone_number_id }, messages: [message] } }] }],
    });
  const sign = (body: string, secret: string) => ({
    "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
  });
  const { id, from } = customer.write("balance");
  const text = { id, from, type: "text", text: { body: "balance" } };
  const body = notification(app.phoneNumberId, text);
  strictEqual((await post(body, {})).status, 401);
  strictEqual((await post(body, sign(body, "another secret"))).status, 401);
  strictEqual((await post(body, sign(`${body} `, app.appSecret))).status, 401);
  for (
    const other of [
      notification("105550000000002", text),
      notification(app.phoneNumberId, { id, from, type: "sticker", sticker: {} }),
      JSON.stringify({ entry: [{ changes: [{ value: { statuses: [{ id, status: "read" }] } }] }] }),
    ]
  ) {
    strictEqual((await post(other, sign(other, app.appSecret))).status, 200);
  }
  // The same message, so none of the above has been taken for it.
  strictEqual((await post(body, sign(body, app.appSecret))).status, 200);
  deepStrictEqual(await customer.hears(), ["You have 3 credits remaining."]);
});

Deno.test("the webhook is set up only with the right token", async () => {
  const stranger = startWhatsApp({ ...app, verifyToken: randomUUID() });
  await rejects(stranger.subscribe(`${bot.url}/webhook`), /could not be validated/);
  await stranger.stop();
});

Deno.test("a payment that fails is told with an offer, and the same link can then be paid", async () => {
  const customer = new Customer();
  const link = await customer.wantsToBuy();
  await press(link, "failed");
  await tellBot();
  const [offer = ""] = await customer.hears();
  match(offer, /^The payment failed\. Would you like to try again\?\n20 credits for 99 rupees: /);
  strictEqual(linkIn(offer), link);
  await press(link, "captured");
  await tellBot();
  match(at(await customer.hears(), 0), /^Thank you! 20 credits have arrived\./);
});

Deno.test("what is paid while the bot is down is told when it is back", async () => {
  const customer = new Customer();
  const link = await customer.wantsToBuy();
  const port = Number(new URL(bot.url).port);
  await bot.stop();
  await press(link, "captured");
  strictEqual((await tellBot()).failed, 1);
  bot = await startBot({ ...settings, port });
  await makeEventsDue(sql);
  strictEqual((await tellBot()).delivered, 1);
  deepStrictEqual(await customer.hears(), [
    "Thank you! 20 credits have arrived. You have 23 credits remaining.",
  ]);
});

Deno.test("an event that is delivered again is told once", async () => {
  const customer = new Customer();
  await press(await customer.wantsToBuy(), "captured");
  await tellBot();
  await customer.hears();
  await sql`
    update public.event_deliveries set state = 'pending', next_attempt_at = clock_timestamp(),
      attempts = 0, finished_at = null`;
  strictEqual((await tellBot()).delivered, 1);
  deepStrictEqual(await customer.asks("balance"), ["You have 23 credits remaining."]);
});

Deno.test("an event that comes late is told without a balance, and the newest with that of now", async () => {
  const customer = new Customer();
  await press(await customer.wantsToBuy("starter"), "captured");
  await sql`select public.hand_out_events(${[`${bot.url}/events`]}, 10)`;
  await sql`update public.event_deliveries set next_attempt_at = 'infinity'`;
  await press(await customer.wantsToBuy("popular"), "captured");
  // Spent after the event was written, and before it is told.
  await customer.asks("image a cat", 2);
  await tellBot();
  deepStrictEqual(await customer.hears(), [
    "Thank you! 75 credits have arrived. You have 97 credits remaining.",
  ]);
  await makeEventsDue(sql);
  await tellBot();
  deepStrictEqual(await customer.hears(), ["Thank you! 20 credits have arrived."]);
});

Deno.test("an event without the backend's signature is not believed", async () => {
  const response = await fetch(`${bot.url}/events`, {
    method: "POST",
    body: JSON.stringify({ type: "credits.granted" }),
    headers: {
      "webhook-id": randomUUID(),
      "webhook-timestamp": String(Math.floor(Date.now() / 1000)),
      "webhook-signature": "v1,AAAA",
    },
  });
  strictEqual(response.status, 401);
});

Deno.test("a package that is not sold is answered with those that are", async () => {
  const [list = ""] = await new Customer().asks("buy everything");
  match(list, /^There is no such package\..*\nbuy starter: 20 credits for 99 rupees\n/);
});

Deno.test("a message that the bot had taken before it was killed is answered by the next start, and charged once", async () => {
  const customer = new Customer();
  const { id, from } = customer.write("image a cat");
  const body = { phone_number: customer.phone, reference_id: id };
  const stateFile = join(folder, "killed.sqlite");
  // The killed bot has kept the message and reserved its credit.
  const killed = new Inbox(stateFile, () => Promise.reject(new Error("the bot is gone")));
  killed.add("message", id, JSON.stringify({ id, from, text: "image a cat" }));
  await killed.stop();
  dataOf(await call("POST", "bot-reserve", { body: { ...body, expires_in_seconds: 30 } }));

  const due = Promise.withResolvers<Date>();
  const { answer } = await import("../../examples/whatsapp-bot/decisions.ts");
  const { Replies } = await import("../../examples/whatsapp-bot/replies.ts");
  await answer({ id, from, text: "image a cat" }, new Replies(settings)).catch((error) => {
    ok(error instanceof TryLater);
    due.resolve(error.at);
  });
  ok((await due.promise).getTime() > Date.now());
  // As if its time had passed.
  dataOf(await call("POST", "bot-release", { body }));
  const next = await startBot({ ...settings, stateFile });
  deepStrictEqual(await customer.hears(2), [
    "[A stand-in for a picture: a cat]",
    "Image generated successfully. You have 2 credits remaining.",
  ]);
  await next.stop();
});

const VARIABLES = {
  WHATSAPP_VERIFY_TOKEN: "a token of your own",
  WHATSAPP_APP_SECRET: "0123456789abcdef",
  WHATSAPP_ACCESS_TOKEN: "EAAG",
  WHATSAPP_PHONE_NUMBER_ID: "105550000000001",
  EVENTS_SECRET: `whsec_${"A".repeat(32)}`,
};

Deno.test("a bot that is set up right needs no more than five variables", () => {
  const { port, graphUrl } = readSettings(VARIABLES);
  deepStrictEqual([port, graphUrl], [8080, "https://graph.facebook.com/v23.0"]);
});

Deno.test("a bot that is set up wrongly names every mistake, and no secret", () => {
  const wrong = { ...VARIABLES, WHATSAPP_APP_SECRET: "", EVENTS_SECRET: "hush", PORT: "http" };
  throws(() => readSettings(wrong), ({ message }: Error) => {
    match(message, /WHATSAPP_APP_SECRET is not set/);
    match(message, /EVENTS_SECRET is not valid/);
    match(message, /PORT is not valid/);
    return !message.includes("hush");
  });
});
