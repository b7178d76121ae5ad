/**
 * POST bot-payment-link: a way to pay in the chat, whose payment brings its credits without another
 * call.
 * @module
 */

import { deepStrictEqual, notStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { type Answer, call, dataOf, expectError } from "../support/calls.ts";
import { alteringProxy, whileRazorpayIs } from "../support/faulty-servers.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, orderPackage } from "../support/purchases.ts";
import {
  deliverAll,
  expectBought,
  historyOf,
  named,
  PACKAGES,
  usePaymentHarness,
} from "../support/payment-harness.ts";
import { first, one } from "../support/lists.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";

const shop = await usePaymentHarness();
const { control } = shop;
Deno.test.beforeEach(() => control.clearRequests());

const { credits: CREDITS, amountPaise: AMOUNT } = PACKAGES.starter;

const offer = z.object({
  short_url: z.url(),
  amount: z.int(),
  currency: z.string(),
  package: z.object({ id: z.string(), name: z.string(), credits: z.int(), price: z.number() }),
  expires_at: z.iso.datetime({ offset: true }),
});

function ask(
  phone_number: string,
  fields: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body = { phone_number, package_id: "starter", ...fields };
  return call("POST", "bot-payment-link", { body, headers });
}

async function linkFor(
  phone: string,
  fields: Record<string, unknown> = {},
): Promise<z.infer<typeof offer>> {
  return offer.parse(dataOf(await ask(phone, fields)));
}

/** Razorpay's id of the link that a URL leads to. */
async function linkId({ short_url }: { short_url: string }): Promise<string> {
  const { id } = one(
    await shop.sql<{ id: string }[]>`
    select razorpay_payment_link_id as id from public.payment_orders where short_url = ${short_url}`,
  );
  return id;
}

/** The bodies of the links that Razorpay was asked to make. */
async function linksMade() {
  const requests = await control.requests({ method: "POST", path: "/v1/payment_links" });
  return requests.map(({ body }) => z.record(z.string(), z.unknown()).parse(JSON.parse(body)));
}

/** Makes a link expire, here and at Razorpay. */
async function expire(link: { short_url: string }): Promise<void> {
  await control.expirePaymentLink(await linkId(link), { deliver_webhooks: false });
  await shop.sql`
    update public.payment_orders set expires_at = clock_timestamp()
    where short_url = ${link.short_url}`;
}

Deno.test("a link says what is paid for, and where and until when", async () => {
  const answer = await ask(newPhoneNumber());
  strictEqual(answer.body.message, "Payment link created successfully");
  const { expires_at, short_url, ...rest } = offer.parse(dataOf(answer));
  deepStrictEqual(rest, {
    amount: AMOUNT,
    currency: "INR",
    package: { id: "starter", name: "Starter", credits: CREDITS, price: 99 },
  });
  ok(short_url.startsWith(`${shop.razorpay.url}/rzp/`));
  ok(new Date(expires_at).getTime() > Date.now() + 15 * 60 * 1000);
});

Deno.test("Razorpay sends nothing itself, takes the whole amount only, and ends the link soon", async () => {
  const phone = newPhoneNumber();
  await linkFor(phone);
  const made = one(await linksMade());
  deepStrictEqual({ ...made, reference_id: "", expire_by: 0, description: "" }, {
    amount: AMOUNT,
    currency: "INR",
    customer: { contact: phone },
    description: "",
    reference_id: "",
    expire_by: 0,
    accept_partial: false,
    notify: { sms: false, email: false },
    reminder_enable: false,
  });
  const lifeSeconds = z.number().parse(made.expire_by) - Date.now() / 1000;
  ok(lifeSeconds > 15 * 60 && lifeSeconds <= 60 * 60);
});

Deno.test("a paid link brings its credits by webhook", async () => {
  const phone = newPhoneNumber();
  const id = await linkId(await linkFor(phone));
  await control.payPaymentLink(id, { outcome: "captured", deliver_webhooks: true });
  await control.webhooksDelivered();
  await expectBought(phone, CREDITS);
  strictEqual((await historyOf(phone)).length, 1);
});

Deno.test.each(["payment.captured", "order.paid", "payment_link.paid"] as const)(
  "%s alone brings the credits of a paid link",
  async (event) => {
    const phone = newPhoneNumber();
    const id = await linkId(await linkFor(phone));
    const { razorpay_payment_id } = await control.payPaymentLink(id, {
      outcome: "captured",
      deliver_webhooks: false,
    });
    const events = await shop.eventsAbout(razorpay_payment_id);
    deepStrictEqual(await deliverAll([named(events, event)]), ["settled"]);
    await expectBought(phone, CREDITS);
    await deliverAll(events);
    await expectBought(phone, CREDITS);
  },
);

Deno.test("a paid link brings its credits by the reconciler when no webhook comes", async () => {
  const phone = newPhoneNumber();
  const id = await linkId(await linkFor(phone));
  await shop.reconcile();
  await expectBought(phone, 0);
  await control.payPaymentLink(id, { outcome: "captured", deliver_webhooks: false });
  strictEqual((await shop.reconcile()).settled, 1);
  await expectBought(phone, CREDITS);
});

Deno.test("money that goes back on a paid link takes its credits along", async () => {
  const phone = newPhoneNumber();
  const id = await linkId(await linkFor(phone));
  const { razorpay_payment_id } = await control.payPaymentLink(id, {
    outcome: "captured",
    deliver_webhooks: false,
  });
  await shop.reconcile();
  await control.refund(razorpay_payment_id, { deliver_webhooks: false });
  await deliverAll(await shop.eventsAbout(razorpay_payment_id));
  await expectBought(phone, 0);
});

Deno.test("an open link is answered again for the same user and package, and for no other", async () => {
  const phone = newPhoneNumber();
  const first = await linkFor(phone);
  deepStrictEqual(await linkFor(phone), first);
  deepStrictEqual(await linkFor(phone, { reference_id: randomUUID() }), first);
  strictEqual((await linksMade()).length, 1);
  notStrictEqual((await linkFor(phone, { package_id: "pro" })).short_url, first.short_url);
  notStrictEqual((await linkFor(newPhoneNumber())).short_url, first.short_url);
});

Deno.test("a link is not made of a page's order, nor an order of a link", async () => {
  const phone = newPhoneNumber();
  const orderId = await orderPackage(phone, "starter");
  const link = await linkFor(phone);
  strictEqual(await orderPackage(phone, "starter"), orderId);
  deepStrictEqual(await linkFor(phone), link);
});

Deno.test("a paid or expired link is followed by a new one", async () => {
  const phone = newPhoneNumber();
  const first = await linkFor(phone);
  await expire(first);
  const second = await linkFor(phone);
  notStrictEqual(second.short_url, first.short_url);
  await control.payPaymentLink(await linkId(second), {
    outcome: "captured",
    deliver_webhooks: true,
  });
  await control.webhooksDelivered();
  const third = await linkFor(phone);
  notStrictEqual(third.short_url, second.short_url);
  await expectBought(phone, CREDITS);
});

Deno.test("a link that ends in a moment is not offered again, and one with more time is", async () => {
  const phone = newPhoneNumber();
  const first = await linkFor(phone);
  const leave = (time: string) =>
    shop.sql`
      update public.payment_orders set expires_at = clock_timestamp() + ${time}::interval
      where short_url = ${first.short_url}`;
  await leave("6 minutes");
  strictEqual((await linkFor(phone)).short_url, first.short_url);
  await leave("4 minutes");
  notStrictEqual((await linkFor(phone)).short_url, first.short_url);
});

Deno.test("a link that was paid in its last second is settled after its end", async () => {
  const phone = newPhoneNumber();
  const link = await linkFor(phone);
  const id = await linkId(link);
  await expire(link);
  await control.payPaymentLink(id, { outcome: "captured", force: true, deliver_webhooks: true });
  await control.webhooksDelivered();
  await expectBought(phone, CREDITS);
});

Deno.test("a repeated reference is answered with its own link, whatever became of it", async () => {
  const phone = newPhoneNumber();
  const reference_id = randomUUID();
  const first = await ask(phone, { reference_id });
  strictEqual(first.headers.get("idempotent-replayed"), null);
  const again = await ask(phone, { reference_id });
  strictEqual(again.headers.get("idempotent-replayed"), "true");
  deepStrictEqual(again.body, first.body);
  deepStrictEqual((await ask(phone, {}, { "idempotency-key": reference_id })).body, first.body);

  const id = await linkId(offer.parse(dataOf(first)));
  await control.payPaymentLink(id, { outcome: "captured", deliver_webhooks: true });
  await control.webhooksDelivered();
  deepStrictEqual((await ask(phone, { reference_id })).body, first.body);
  strictEqual((await linksMade()).length, 1);
});

Deno.test("a repeated reference returns its link even if its package is no longer for sale", async () => {
  const [phone, reference_id] = [newPhoneNumber(), randomUUID()];
  const first = await ask(phone, { reference_id });
  await shop.sql`update public.packages set is_active = false where id = 'starter'`;
  try {
    const again = await ask(phone, { reference_id });
    strictEqual(again.headers.get("idempotent-replayed"), "true");
    deepStrictEqual(again.body, first.body);
    expectError(await ask(phone, { reference_id: randomUUID() }), {
      httpStatus: 404,
      code: "PACKAGE_NOT_FOUND",
    });
  } finally {
    await shop.sql`update public.packages set is_active = true where id = 'starter'`;
  }
});

Deno.test("an unknown package creates no user for an unknown number", async () => {
  const phone = newPhoneNumber();
  for (const reference_id of [undefined, randomUUID()]) {
    expectError(await ask(phone, { reference_id, package_id: "no-such-package" }), {
      httpStatus: 404,
      code: "PACKAGE_NOT_FOUND",
    });
  }
  deepStrictEqual([...await shop.sql`select from public.identities where value = ${phone}`], []);
});

Deno.test("a reference of the test mode gets an order that can be paid when the keys are live, and keeps both", async () => {
  const [phone, reference] = [newPhoneNumber(), randomUUID()];
  const place = async (mode: string) => {
    const { outcome, order_id } = one(
      await shop.sql`
      select outcome, order_id from public.place_order(
        'starter', ${mode}, 'link', ${reference}, ${phone})`,
    );
    return { outcome, order_id };
  };
  const [test, live] = [await place("test"), await place("live")];
  notStrictEqual(live.order_id, test.order_id);
  deepStrictEqual([test.outcome, live.outcome], ["placed", "placed"]);
  for (const [mode, { order_id }] of [["test", test], ["live", live]] as const) {
    deepStrictEqual(await place(mode), { outcome: "replayed", order_id });
  }
});

Deno.test("an open link is offered again to every identity of its user, and to nobody else", async () => {
  const whatsapp_user_id = newWhatsappId();
  const phone = newPhoneNumber();
  const both = await linkFor(phone, { whatsapp_user_id });
  const byId = dataOf(
    await call("POST", "bot-payment-link", { body: { whatsapp_user_id, package_id: "starter" } }),
  );
  deepStrictEqual(byId, { ...both });
  deepStrictEqual(await linkFor(phone), both);
  notStrictEqual((await linkFor(newPhoneNumber())).short_url, both.short_url);
});

Deno.test("a reference that got an older open link keeps it too, so that nobody pays twice", async () => {
  const phone = newPhoneNumber();
  const first = await ask(phone, { reference_id: randomUUID() });
  const reference_id = randomUUID();
  deepStrictEqual((await ask(phone, { reference_id })).body, first.body);

  const id = await linkId(offer.parse(dataOf(first)));
  await control.payPaymentLink(id, { outcome: "captured", deliver_webhooks: true });
  await control.webhooksDelivered();
  const again = await ask(phone, { reference_id });
  strictEqual(again.headers.get("idempotent-replayed"), "true");
  deepStrictEqual(again.body, first.body);
  strictEqual((await linksMade()).length, 1);
});

Deno.test("a reference that stands for another package is REFERENCE_REUSED", async () => {
  const phone = newPhoneNumber();
  const reference_id = randomUUID();
  await linkFor(phone, { reference_id });
  expectError(await ask(phone, { reference_id, package_id: "pro" }), {
    httpStatus: 409,
    code: "REFERENCE_REUSED",
  });
  dataOf(await ask(newPhoneNumber(), { reference_id, package_id: "pro" }));
});

Deno.test("calls at the same moment share one link", async () => {
  for (const reference_id of [undefined, randomUUID()]) {
    const phone = newPhoneNumber();
    await control.clearRequests();
    const links = await Promise.all(
      Array.from({ length: 5 }, () => linkFor(phone, { reference_id })),
    );
    for (const link of links) deepStrictEqual(link, links[0]);
    const references = (await linksMade()).map(({ reference_id }) => reference_id);
    strictEqual(new Set(references).size, 1);
  }
});

Deno.test("a link whose making was not answered is found again, not made twice", async () => {
  const phone = newPhoneNumber();
  await control.addFault({ kind: "502_html", method: "POST", applied: true });
  expectError(await ask(phone), { httpStatus: 503, code: "GATEWAY_UNAVAILABLE" });
  const link = await linkFor(phone);
  await control.payPaymentLink(await linkId(link), { outcome: "captured", deliver_webhooks: true });
  await control.webhooksDelivered();
  await expectBought(phone, CREDITS);
  const made = await linksMade();
  deepStrictEqual(made.map(({ reference_id }) => reference_id), [
    first(made).reference_id,
    first(made).reference_id,
  ]);
});

Deno.test("a link is found again among other people's, even if Razorpay lists them all", async () => {
  const phone = newPhoneNumber();
  await control.addFault({ kind: "502_html", method: "POST", applied: true });
  expectError(await ask(phone), { httpStatus: 503, code: "GATEWAY_UNAVAILABLE" });
  const others = [await linkFor(newPhoneNumber()), await linkFor(newPhoneNumber())];
  const unfiltered = alteringProxy(shop.razorpay.url, {
    address: ({ searchParams }) => searchParams.delete("reference_id"),
  });
  await whileRazorpayIs(unfiltered, async () => {
    const link = await linkFor(phone);
    ok(others.every(({ short_url }) => short_url !== link.short_url));
    await control.payPaymentLink(await linkId(link), {
      outcome: "captured",
      deliver_webhooks: true,
    });
  });
  await control.webhooksDelivered();
  await expectBought(phone, CREDITS);
});

Deno.test("a link that is found again with another amount is not handed out, now or later", async () => {
  const phone = newPhoneNumber();
  await control.addFault({ kind: "502_html", method: "POST", applied: true });
  expectError(await ask(phone), { httpStatus: 503, code: "GATEWAY_UNAVAILABLE" });
  const mistaken = alteringProxy(shop.razorpay.url, {
    answer(json, method) {
      if (method !== "GET") return json;
      const { payment_links } = z.object({ payment_links: z.array(z.looseObject({})) }).parse(json);
      return { payment_links: payment_links.map((link) => ({ ...link, amount: AMOUNT - 1 })) };
    },
  });
  await whileRazorpayIs(mistaken, async () => {
    expectError(await ask(phone), { httpStatus: 502, code: "GATEWAY_ERROR" });
  });
  await control.clearRequests();
  strictEqual((await linkFor(phone)).amount, AMOUNT);
  strictEqual((await linksMade()).length, 1);
});

Deno.test("a link that Razorpay's lists do not show yet is an error until they do", async () => {
  const phone = newPhoneNumber();
  await control.addFault({ kind: "200_cut_off", method: "POST" });
  await control.changeSettings({ list_lag_ms: 60_000 });
  expectError(await ask(phone), { httpStatus: 502, code: "GATEWAY_ERROR" });
  expectError(await ask(phone), { httpStatus: 502, code: "GATEWAY_ERROR" });
  await control.changeSettings({ list_lag_ms: 0 });
  await linkFor(phone);
});

Deno.test("a link for an unknown package, or without a number, is refused and asks nobody", async () => {
  const phone = newPhoneNumber();
  expectError(await ask(phone, { package_id: "none" }), {
    httpStatus: 404,
    code: "PACKAGE_NOT_FOUND",
    message: "Package not found",
  });
  for (const fields of [{ package_id: null }, { phone_number: "" }]) {
    expectError(await ask(phone, fields), {
      httpStatus: 400,
      code: "MISSING_FIELD",
      message: "Package ID and phone number are required",
    });
  }
  expectError(await ask("12345"), { httpStatus: 400, code: "INVALID_REQUEST" });
  deepStrictEqual(await control.requests(), []);
});

Deno.test("only the bot may ask for a link", async () => {
  const body = { phone_number: newPhoneNumber(), package_id: "starter" };
  expectError(await call("POST", "bot-payment-link", { body, asBot: false }), {
    httpStatus: 401,
    code: "MISSING_BOT_SECRET",
  });
  expectError(
    await call("POST", "bot-payment-link", { body, headers: { "x-bot-secret": "nonsense" } }),
    {
      httpStatus: 401,
      code: "INVALID_BOT_SECRET",
    },
  );
});

Deno.test("a price that changed makes a new link, and the old one grants what it promised", async () => {
  const packageId = `p-${randomUUID()}`;
  await shop.sql`
    insert into public.packages (id, name, price, credits) values (${packageId}, 'Test', 50, 10)`;
  const phone = newPhoneNumber();
  const old = await linkFor(phone, { package_id: packageId });
  await shop.sql`update public.packages set price = 60, credits = 5 where id = ${packageId}`;
  strictEqual((await linkFor(phone, { package_id: packageId })).amount, 6_000);
  await control.payPaymentLink(await linkId(old), { outcome: "captured", deliver_webhooks: true });
  await control.webhooksDelivered();
  await expectBought(phone, 10);
});

Deno.test("what a link brings pays a debt first", async () => {
  const phone = newPhoneNumber();
  const purchase = await buyCredits(control, phone, "starter");
  await call("POST", "bot-deduct", { body: { phone_number: phone, credits: 23 } });
  await control.refund(purchase.checkout.razorpay_payment_id, { deliver_webhooks: false });
  await shop.reconcile();
  await expectBought(phone, -3, 20);
  await control.payPaymentLink(await linkId(await linkFor(phone)), {
    outcome: "captured",
    deliver_webhooks: true,
  });
  await control.webhooksDelivered();
  await expectBought(phone, -3);
});
