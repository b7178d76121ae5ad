/**
 * One person, one account: phone numbers and WhatsApp user ids, and accounts that an operator merges.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { OPERATIONS } from "shared/contract/operations.ts";
import { assertBooksAreRight } from "../support/backend.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { openConnections, waitingForLocks } from "../support/connections.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, orderPackage, payForPackage, verify } from "../support/purchases.ts";
import {
  accountOf,
  deliverAll,
  expectBought,
  FREE_CREDITS,
  historyOf,
  named,
  PACKAGES,
  spend,
  startPaymentHarness,
} from "../support/payment-harness.ts";
import { at, one } from "../support/lists.ts";
import { newPaymentId } from "../support/razorpay-ids.ts";
import { settlePayment } from "../support/settlements.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";
import { until } from "../../local/system/until.ts";

const shop = await startPaymentHarness();
const { control, sql } = shop;
Deno.test.afterAll(() => shop.stop());
Deno.test.afterEach(() => assertBooksAreRight(sql));

const { credits: STARTER } = PACKAGES.starter;

/** How a bot identifies the person it serves. */
interface Person {
  phone_number?: string;
  whatsapp_user_id?: string;
}

/** A person's balance, as the bot reads it. */
async function balanceOf(person: Person): Promise<unknown> {
  const query = new URLSearchParams({ ...person });
  return dataOf(await call("GET", `bot-credits?${query}`)).remaining_credits;
}

const deduct = (person: Person, more: Record<string, unknown> = {}) =>
  call("POST", "bot-deduct", { body: { ...person, ...more } });

/** The accounts behind these identities, each once. */
async function accountsOf({ phone_number = "", whatsapp_user_id = "" }: Person): Promise<string[]> {
  const found = await sql`
    select distinct user_id from public.identities
    where value in (${phone_number}, ${whatsapp_user_id})`;
  return found.map(({ user_id }) => user_id);
}

async function accountBehind(person: Person): Promise<string> {
  return one(await accountsOf(person));
}

/** The number that an account shows to an operator. */
async function shownNumberOf(userId: string): Promise<unknown> {
  return one(await sql`select phone_number from public.users where id = ${userId}`).phone_number;
}

/** Asks for a payment link as the bot does. */
const askForLink = (person: Person, more: Record<string, unknown> = {}) =>
  call("POST", "bot-payment-link", { body: { ...person, package_id: "starter", ...more } });

async function merge(from: string, into: string): Promise<string> {
  const { merge_users: outcome } = one(await sql`select public.merge_users(${from}, ${into})`);
  return outcome;
}

/** Two accounts of one person: one that the page made, and one that the bot made. */
async function twoAccounts() {
  const byPage = { phone_number: newPhoneNumber() };
  const byChat = { whatsapp_user_id: newWhatsappId() };
  await balanceOf(byPage);
  await balanceOf(byChat);
  return {
    byPage,
    byChat,
    pageId: await accountBehind(byPage),
    chatId: await accountBehind(byChat),
  };
}

/** Two accounts with a number each. */
async function twoNumbers() {
  const [old, now] = [newPhoneNumber(), newPhoneNumber()];
  await balanceOf({ phone_number: old });
  await balanceOf({ phone_number: now });
  return {
    old,
    now,
    oldId: await accountBehind({ phone_number: old }),
    nowId: await accountBehind({ phone_number: now }),
  };
}

Deno.test("every spelling of a number, from the bot and from a page, is one user with one welcome", async () => {
  const [spaced, whatsappId, trunk] = ["+91 98765 43210", "919876543210", "09876543210"];
  const ids = [
    dataOf(await call("GET", `users/${encodeURIComponent(spaced)}`)).id,
    dataOf(await call("GET", `users/${trunk}`)).id,
    dataOf(await call("GET", `users?phone_number=${whatsappId}`)).id,
  ];
  for (const spelling of [spaced, whatsappId, trunk]) {
    strictEqual(await balanceOf({ phone_number: spelling }), FREE_CREDITS);
    const body = { phone_number: spelling, package_id: "starter" };
    const { order_id } = dataOf(await call("POST", "create-order", { body }));
    const orders = await sql`
      select phone_number from public.payment_orders where razorpay_order_id = ${String(order_id)}`;
    strictEqual(one(orders).phone_number, "+919876543210");
  }
  strictEqual(new Set(ids).size, 1);
  strictEqual(await accountBehind({ phone_number: "+919876543210" }), ids[0]);
  deepStrictEqual(await historyOf("+919876543210"), []);
});

/** Uses a function for somebody who is named by bare digits. */
type Use = (digits: string) => Promise<unknown>;

const useAsBot = (name: string, fields: Record<string, unknown> = {}): Use => async (digits) =>
  dataOf(await call("POST", name, { body: { phone_number: digits, ...fields } }));

const useWithoutHold = (name: string): Use => async (digits) =>
  expectError(await call("POST", name, { body: { phone_number: digits, reference_id: "job-1" } }), {
    httpStatus: 404,
    code: "HOLD_NOT_FOUND",
  });

/** Every function that takes a number, used in a way that leaves an account behind. */
const USES: Record<"whatsapp" | "page", Record<string, Use>> = {
  whatsapp: {
    "bot-credits": async (digits) => dataOf(await call("GET", `bot-credits/${digits}`)),
    "bot-deduct": useAsBot("bot-deduct"),
    "bot-reserve": useAsBot("bot-reserve", { reference_id: "job-1" }),
    "bot-capture": useWithoutHold("bot-capture"),
    "bot-release": useWithoutHold("bot-release"),
    "bot-link": useAsBot("bot-link"),
    "bot-payment-link": useAsBot("bot-payment-link", { package_id: "starter" }),
  },
  page: {
    "users": async (digits) => dataOf(await call("GET", `users/${digits}`)),
    "create-order": async (digits) => {
      const { checkout } = await payForPackage(control, digits, "starter");
      const events = await shop.eventsAbout(checkout.razorpay_payment_id);
      await deliverAll([named(events, "payment.captured")]);
    },
    "verify-payment": async (digits) => {
      const purchase = await payForPackage(control, `+91${digits}`, "starter");
      dataOf(await verify({ ...purchase, phone: digits }));
    },
  },
};

const usesOf = Object.entries(USES).flatMap(([source, uses]) =>
  Object.entries(uses).map(([name, use], index) => ({ source, name, use, index }))
);

deepStrictEqual(
  usesOf.map(({ name }) => name).sort(),
  OPERATIONS.filter(({ input }) => "phone_number" in input.shape).map(({ name }) => name).sort(),
);

Deno.test.each(usesOf)(
  "$name reads ten digits as $source does, and not as the other would",
  async ({ source, use, index }) => {
    // A mobile number of Singapore with its country code, and an Indian one without.
    const digits = `65912345${source === "page" ? 7 : 6}${index}`;
    const readings = { whatsapp: `+${digits}`, page: `+91${digits}` };
    await use(digits);
    const known = await sql`
      select value from public.identities where value in ${sql(Object.values(readings))}`;
    deepStrictEqual(known.map(({ value }) => value), [
      source === "page" ? readings.page : readings.whatsapp,
    ]);
  },
);

Deno.test("somebody whose number WhatsApp does not share is one user by the WhatsApp user id", async () => {
  const person = { whatsapp_user_id: newWhatsappId() };
  strictEqual(await balanceOf(person), 3);
  const reference_id = `wamid.${randomUUID()}`;
  strictEqual(dataOf(await deduct(person, { reference_id })).remaining_credits, 2);
  strictEqual(dataOf(await deduct(person, { reference_id })).remaining_credits, 2);
  const link = dataOf(
    await call("POST", "bot-link", { body: { ...person, phone_number: null } }),
  );
  strictEqual(typeof link.token, "string");
  strictEqual(await balanceOf(person), 2);
});

Deno.test.each([
  ["another spelling of the country", "in.1A2B3C"],
  ["no country", "1A2B3C"],
  ["nothing after the dot", "IN."],
  ["a phone number", "+919876543210"],
  ["spaces", "IN.1A 2B"],
  ["a NUL", "IN.1A\u0000"],
  ["another script", "IN.１Ａ"],
  ["more than 128 characters", `IN.${"A".repeat(129)}`],
  ["a number", 12],
  ["an object", {}],
])("a WhatsApp user id with %s is refused", async (_, id) => {
  const answer = await call("POST", "bot-deduct", { body: { whatsapp_user_id: id } });
  expectError(answer, { httpStatus: 400, code: "INVALID_REQUEST", message: /^whatsapp_user_id / });
});

Deno.test("a number and a WhatsApp user id that come together are one person from then on", async () => {
  for (const known of ["neither", "number", "id"]) {
    const both = { phone_number: newPhoneNumber(), whatsapp_user_id: newWhatsappId() };
    const { phone_number, whatsapp_user_id } = both;
    if (known === "number") await balanceOf({ phone_number });
    if (known === "id") await balanceOf({ whatsapp_user_id });
    strictEqual(dataOf(await deduct(both)).remaining_credits, 2);
    strictEqual(await balanceOf({ phone_number }), 2);
    strictEqual(await balanceOf({ whatsapp_user_id }), 2);
    strictEqual((await accountsOf(both)).length, 1);
    const { id } = dataOf(await call("GET", `users/${phone_number}`));
    strictEqual(id, await accountBehind(both));
    strictEqual(await shownNumberOf(await accountBehind(both)), phone_number);
  }
});

Deno.test("two accounts do not become one because the bot names both; the number decides", async () => {
  const { byPage, byChat, pageId, chatId } = await twoAccounts();
  strictEqual(dataOf(await deduct({ ...byPage, ...byChat })).remaining_credits, 2);
  strictEqual(await balanceOf(byPage), 2);
  strictEqual(await balanceOf(byChat), 3);
  strictEqual(await accountBehind(byPage), pageId);
  strictEqual(await accountBehind(byChat), chatId);
});

Deno.test("whatever the bot asks for somebody with two accounts, the number decides whose it is", async () => {
  const { byPage, byChat, pageId } = await twoAccounts();
  const both = { ...byPage, ...byChat };
  await spend(byPage.phone_number, 1);
  strictEqual(await balanceOf(both), 2);

  const { url } = dataOf(await call("POST", "bot-link", { body: both }));
  const fragment = new URLSearchParams(new URL(String(url)).hash.slice(1));
  strictEqual(fragment.get("user_id"), pageId);

  const { short_url } = dataOf(await askForLink(both));
  const { id } = one(
    await sql<{ id: string }[]>`
    select razorpay_payment_link_id as id from public.payment_orders
    where short_url = ${String(short_url)}`,
  );
  await control.payPaymentLink(id, { outcome: "captured", deliver_webhooks: true });
  await control.webhooksDelivered();
  strictEqual(await balanceOf(byPage), 2 + STARTER);
  strictEqual(await balanceOf(byChat), 3);
});

Deno.test("30 first contacts at once that name both are one user with one welcome", async () => {
  await using connections = await openConnections(shop.database.url, 30);
  for (let round = 0; round < 5; round++) {
    const [phone, whatsappId] = [newPhoneNumber(), newWhatsappId()];
    const rows = await connections.all((sql) =>
      sql`select user_id, credits from public.get_user(${phone}, ${whatsappId})`
    );
    strictEqual(new Set(rows.map((rows) => one(rows).user_id)).size, 1);
    for (const { credits } of rows.map(one)) strictEqual(credits, 3);
    strictEqual(
      (await accountsOf({ phone_number: phone, whatsapp_user_id: whatsappId })).length,
      1,
    );
  }
});

Deno.test("first contacts at once by number, by id and by both all find an account", async () => {
  await using connections = await openConnections(shop.database.url, 30);
  for (let round = 0; round < 20; round++) {
    const [phone, whatsappId] = [newPhoneNumber(), newWhatsappId()];
    const contacts = [[phone, null], [null, whatsappId], [phone, whatsappId]] as const;
    const rows = await connections.all((sql, index) => {
      const [phone_number, whatsapp_user_id] = at(contacts, index % contacts.length);
      return sql`select credits from public.get_user(${phone_number}, ${whatsapp_user_id})`;
    });
    for (const { credits } of rows.map(one)) strictEqual(credits, 3);
    await assertBooksAreRight(sql);
  }
});

Deno.test("merging moves the balance and the identities, and both histories stay as they were", async () => {
  const { byPage, byChat, pageId, chatId } = await twoAccounts();
  const { phone_number } = byPage;
  await spend(phone_number, 1);
  await deduct(byChat);
  const oldHistory = await sql`
    select id, balance_after from public.credit_transactions
    where user_id = ${chatId} order by sequence_number`;

  strictEqual(await merge(chatId, pageId), "merged");
  strictEqual(await balanceOf(byPage), 4);
  strictEqual(await balanceOf(byChat), 4);
  strictEqual(await accountBehind({ ...byPage, ...byChat }), pageId);
  deepStrictEqual(await historyOf(phone_number), [
    "-1 image_generation null: 2",
    `+2 merge from ${chatId}: 4`,
  ]);
  const history = await sql`
    select id, balance_after from public.credit_transactions
    where user_id = ${chatId} order by sequence_number`;
  deepStrictEqual([...history].slice(0, -1), [...oldHistory]);
  strictEqual(history.at(-1)?.balance_after, 0);

  strictEqual(await merge(chatId, pageId), "replayed");
  strictEqual(await balanceOf(byPage), 4);
});

Deno.test("the account that a number was merged into shows it, unless it has one of its own", async () => {
  const { byPage, pageId, chatId } = await twoAccounts();
  strictEqual(await merge(pageId, chatId), "merged");
  strictEqual(await shownNumberOf(chatId), byPage.phone_number);

  const { now, oldId, nowId } = await twoNumbers();
  strictEqual(await merge(oldId, nowId), "merged");
  strictEqual(await shownNumberOf(nowId), now);
});

Deno.test("a bot that repeats a reference after the merge gets the same link", async () => {
  const { old, now, oldId, nowId } = await twoNumbers();
  const reference_id = randomUUID();
  const first = await askForLink({ phone_number: old }, { reference_id });
  strictEqual(await merge(oldId, nowId), "merged");
  for (const phone_number of [old, now]) {
    const again = await askForLink({ phone_number }, { reference_id });
    strictEqual(again.headers.get("idempotent-replayed"), "true");
    deepStrictEqual(again.body, first.body);
  }
});

Deno.test("accounts that used one reference each for itself can be merged", async () => {
  const { old, now, oldId, nowId } = await twoNumbers();
  const reference_id = randomUUID();
  const links = [
    dataOf(await askForLink({ phone_number: old }, { reference_id })).short_url,
    dataOf(await askForLink({ phone_number: now }, { reference_id })).short_url,
  ];
  strictEqual(await merge(oldId, nowId), "merged");
  for (const phone_number of [old, now]) {
    const again = dataOf(await askForLink({ phone_number }, { reference_id }));
    ok(links.includes(again.short_url), String(again.short_url));
  }
});

Deno.test("an empty account is merged without an entry", async () => {
  const { byPage, byChat, pageId, chatId } = await twoAccounts();
  await deduct(byChat, { credits: 3 });
  strictEqual(await merge(chatId, pageId), "merged");
  strictEqual(await balanceOf(byChat), 3);
  deepStrictEqual(await historyOf(byPage.phone_number), []);
});

Deno.test("a merged number opens the account that took it over", async () => {
  const { old, now, oldId, nowId } = await twoNumbers();
  strictEqual(await merge(oldId, nowId), "merged");
  for (const phone of [old, now]) {
    const profile = dataOf(await call("GET", `users/${phone}`));
    deepStrictEqual(profile.id, nowId);
    strictEqual(profile.credits, 6);
  }
});

Deno.test("a merge that makes no sense changes nothing", async () => {
  const { oldId, nowId } = await twoNumbers();
  const other = await twoNumbers();
  strictEqual(await merge(oldId, oldId), "same_user");
  strictEqual(await merge(randomUUID(), nowId), "user_not_found");
  strictEqual(await merge(oldId, randomUUID()), "user_not_found");
  strictEqual(await merge(oldId, nowId), "merged");
  strictEqual(await merge(nowId, oldId), "merged_before");
  strictEqual(await merge(oldId, other.nowId), "merged_before");
  strictEqual(await merge(other.nowId, oldId), "merged_before");
  strictEqual(await balanceOf({ phone_number: other.now }), 3);
});

Deno.test("accounts that were merged into one go on with it", async () => {
  const [first, second, third] = [newPhoneNumber(), newPhoneNumber(), newPhoneNumber()];
  const ids: string[] = [];
  for (const phone_number of [first, second, third]) {
    await balanceOf({ phone_number });
    ids.push(await accountBehind({ phone_number }));
  }
  strictEqual(await merge(at(ids, 0), at(ids, 1)), "merged");
  strictEqual(await merge(at(ids, 1), at(ids, 2)), "merged");
  for (const phone_number of [first, second, third]) {
    strictEqual(await balanceOf({ phone_number }), 9);
    strictEqual(await accountBehind({ phone_number }), ids[2]);
  }
  strictEqual(await merge(at(ids, 0), at(ids, 2)), "replayed");
});

Deno.test("merges of the same two accounts at once, from both ends, leave one", async () => {
  await using connections = await openConnections(shop.database.url, 10);
  for (let round = 0; round < 5; round++) {
    const { old, oldId, nowId } = await twoNumbers();
    const outcomes = await connections.all(async (sql, index) => {
      const [from, into] = index % 2 ? [oldId, nowId] : [nowId, oldId];
      return one(await sql`select public.merge_users(${from}, ${into}) as outcome`).outcome;
    });
    strictEqual(outcomes.filter((outcome) => outcome === "merged").length, 1);
    strictEqual(await balanceOf({ phone_number: old }), 6);
  }
});

Deno.test("deductions during a merge are charged once, to whoever has the credits then", async () => {
  await using connections = await openConnections(shop.database.url, 12);
  const { byPage, byChat, pageId, chatId } = await twoAccounts();
  const outcomes = await connections.all(async (sql, index) => {
    if (index === 0) return (await sql`select public.merge_users(${chatId}, ${pageId})`).length;
    const [phone, id] = index % 2 ? [byPage.phone_number, null] : [null, byChat.whatsapp_user_id];
    const { outcome } = one(
      await sql`
      select outcome from public.deduct_credits(
        phone_number => ${phone}, whatsapp_user_id => ${id}, credits => 1)`,
    );
    return outcome;
  });
  const charged = outcomes.filter((outcome) => outcome === "deducted").length;
  strictEqual(await balanceOf(byPage), 6 - charged);
});

Deno.test("an order from before the merge is paid to the merged account, whichever number pays", async () => {
  for (const payer of ["old", "now"] as const) {
    const numbers = await twoNumbers();
    const purchase = await payForPackage(control, numbers.old, "starter");
    strictEqual(await merge(numbers.oldId, numbers.nowId), "merged");
    const { credits_added, remaining_credits } = dataOf(
      await verify({ ...purchase, phone: numbers[payer] }),
    );
    deepStrictEqual({ credits_added, remaining_credits }, {
      credits_added: STARTER,
      remaining_credits: 6 + STARTER,
    });
    strictEqual(await balanceOf({ phone_number: numbers.old }), 6 + STARTER);
  }
});

Deno.test("a webhook after the merge pays an order from before it", async () => {
  const { old, now, oldId, nowId } = await twoNumbers();
  const { checkout } = await payForPackage(control, old, "starter");
  strictEqual(await merge(oldId, nowId), "merged");
  await deliverAll(await shop.eventsAbout(checkout.razorpay_payment_id));
  await expectBought(now, 3 + STARTER);
});

Deno.test("a webhook during a merge waits for it, and credits the account that stays", async () => {
  const { old, now, oldId, nowId } = await twoNumbers();
  const { checkout } = await payForPackage(control, old, "starter");
  const events = await shop.eventsAbout(checkout.razorpay_payment_id);
  const captured = named(events, "payment.captured");
  const outcomes = await sql.begin(async (merging) => {
    await merging`select public.merge_users(${oldId}, ${nowId})`;
    const delivery = deliverAll([captured]);
    await until("the webhook waits", async () => await waitingForLocks(sql) === 1);
    // In an object, because `begin` would wait for a bare promise, and the webhook waits for `begin`.
    return { delivery };
  });
  deepStrictEqual(await outcomes.delivery, ["settled"]);
  await expectBought(now, 3 + STARTER);
});

Deno.test("a settlement that waits for its user does not keep others from the order, so that they cannot block each other", async () => {
  const phone = newPhoneNumber();
  await balanceOf({ phone_number: phone });
  const orderId = await orderPackage(phone, "starter");
  const userId = await accountBehind({ phone_number: phone });
  await using connections = await openConnections(shop.database.url, 1);
  const { settlement } = await sql.begin(async (holder) => {
    await holder`select from public.users where id = ${userId} for update`;
    const settlement = connections.all((settling) =>
      settlePayment(settling, orderId, newPaymentId())
    );
    await until("the settlement waits", async () => await waitingForLocks(sql) === 1);
    await sql`
      select from public.payment_orders where razorpay_order_id = ${orderId} for update nowait`;
    return { settlement };
  });
  strictEqual(one(one(await settlement)).outcome, "settled");
});

Deno.test("a refund after the merge takes back what was bought before it", async () => {
  const { old, now, oldId, nowId } = await twoNumbers();
  const { checkout } = await buyCredits(control, old, "starter");
  strictEqual(await merge(oldId, nowId), "merged");
  await spend(now, 6 + STARTER - 1);
  await control.refund(checkout.razorpay_payment_id);
  await deliverAll(await shop.eventsAbout(checkout.razorpay_payment_id));
  deepStrictEqual(await accountOf(now), { credits: 0, debt: STARTER - 1 });

  await buyCredits(control, old, "starter");
  deepStrictEqual(await accountOf(now), { credits: 1, debt: 0 });
});

Deno.test("a debt moves with the merge, and the other account's credits pay it", async () => {
  const { old, now, oldId, nowId } = await twoNumbers();
  const { checkout } = await buyCredits(control, old, "starter");
  await spend(old, FREE_CREDITS + STARTER);
  await control.refund(checkout.razorpay_payment_id);
  await deliverAll(await shop.eventsAbout(checkout.razorpay_payment_id));
  deepStrictEqual(await accountOf(old), { credits: 0, debt: STARTER });
  strictEqual(await merge(oldId, nowId), "merged");
  deepStrictEqual(await accountOf(now), { credits: 0, debt: STARTER - FREE_CREDITS });
});

Deno.test("a payment that is reported again after the merge counts once", async () => {
  const { old, now, oldId, nowId } = await twoNumbers();
  const purchase = await buyCredits(control, old, "starter");
  const before = await verify(purchase);
  strictEqual(await merge(oldId, nowId), "merged");
  deepStrictEqual((await verify(purchase)).body, before.body);
  await deliverAll(await shop.eventsAbout(purchase.checkout.razorpay_payment_id));
  await expectBought(now, 3 + STARTER);
});

Deno.test("a deduction that is repeated after the merge is charged once", async () => {
  const { old, now, oldId, nowId } = await twoNumbers();
  const reference_id = `wamid.${randomUUID()}`;
  const first = await deduct({ phone_number: old }, { reference_id });
  strictEqual(await merge(oldId, nowId), "merged");
  for (const phone_number of [old, now]) {
    const again = await deduct({ phone_number }, { reference_id });
    strictEqual(again.headers.get("idempotent-replayed"), "true");
    deepStrictEqual(again.body, first.body);
  }
  strictEqual(await balanceOf({ phone_number: now }), 5);
  expectError(await deduct({ phone_number: now }, { reference_id, credits: 2 }), {
    httpStatus: 409,
    code: "REFERENCE_REUSED",
  });
});
