/**
 * Limits: how often a caller may try, order and verify, and who is never limited.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { randomInt } from "node:crypto";
import { startBackend } from "../support/backend.ts";
import { type Answer, call, dataOf, expectError } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { payForPackage, type Purchase } from "../support/purchases.ts";
import { runReconciler } from "../support/payment-harness.ts";
import { newSecret } from "../support/signing.ts";
import { one } from "../support/lists.ts";

const backend = await startBackend();
const { environment, razorpay, sql } = backend;
Deno.test.afterAll(() => backend.stop());

const WINDOW_SECONDS = 3600;

/** The limits as they are shipped. */
const SHIPPED: readonly { action: Action; scope: Scope }[] = await sql<
  { action: Action; scope: Scope }[]
>`select action, scope from public.rate_limits order by action, scope`;

type Action = "wrong_secret" | "create_user" | "create_order" | "verify_payment";
type Scope = "address" | "phone" | "user" | "project";

/** Who makes an attempt, as far as limits can tell. */
interface Caller {
  readonly address: string;
  readonly phone: string;
}

/** What is counted. */
const ATTEMPTS: Record<Action, (caller: Caller) => Promise<Answer>> = {
  wrong_secret: ({ address, phone }) =>
    call("GET", `bot-credits/${phone}`, {
      headers: { ...from(address), "x-bot-secret": newSecret() },
    }),
  create_user: ({ address }) =>
    call("GET", `users/${newPhoneNumber()}`, { headers: from(address) }),
  create_order: ({ address, phone }) => order(phone, from(address)),
  verify_payment: async ({ address, phone }) => {
    const { checkout, packageId } = await purchaseOf(phone);
    const body = { ...checkout, phone_number: phone, package_id: packageId };
    return await call("POST", "verify-payment", { body, headers: from(address) });
  },
};

const from = (address: string) => ({ "x-forwarded-for": address });

const order = (phone: string, headers: Record<string, string> = {}, package_id = "starter") =>
  call("POST", "create-order", { body: { phone_number: phone, package_id }, headers });

const purchases = new Map<string, Promise<Purchase>>();

/** The purchase of a number: always the same one, so that a test may verify it many times. */
function purchaseOf(phone: string): Promise<Purchase> {
  const purchase = purchases.get(phone) ?? payForPackage(razorpay.control, phone, "starter");
  purchases.set(phone, purchase);
  return purchase;
}

const newAddress = () => `2001:db8::${randomInt(2 ** 16).toString(16)}:${randomInt(2 ** 16)}`;

const newCaller = (): Caller => ({ address: newAddress(), phone: newPhoneNumber() });

/** Another caller, who shares with this one only what the scope counts by. */
function another(scope: Scope, { address, phone }: Caller): Caller {
  switch (scope) {
    case "address":
      return { ...newCaller(), address };
    case "phone":
    case "user":
      return { ...newCaller(), phone };
    case "project":
      return newCaller();
  }
}

/** Makes this the only limit, with nothing counted yet. */
async function limitOnly(action: Action, scope: Scope, maxCount: number): Promise<void> {
  await sql`delete from public.rate_limits`;
  await sql`delete from public.rate_counters`;
  await sql`
    insert into public.rate_limits (action, scope, max_count, window_seconds)
    values (${action}, ${scope}, ${maxCount}, ${WINDOW_SECONDS})`;
}

/** Everything that a refused attempt could have left behind. */
async function contents() {
  const [counts] = await sql`
    select
      (select count(*) from public.users) as users,
      (select count(*) from public.identities) as identities,
      (select count(*) from public.credit_transactions) as transactions,
      (select count(*) from public.payment_orders) as orders,
      (select count(*) from public.payments) as payments`;
  return { ...counts };
}

const isLimited = ({ httpStatus }: Answer) => httpStatus === 429;

/** Fails unless the response asks the caller to wait; returns for how many seconds. */
function expectLimited(answer: Answer): number {
  expectError(answer, {
    httpStatus: 429,
    code: "RATE_LIMITED",
    message: "Too many requests, please try again later",
  });
  const seconds = answer.headers.get("retry-after") ?? "";
  match(seconds, /^[1-9][0-9]*$/);
  return Number(seconds);
}

for (const { action, scope } of SHIPPED) {
  Deno.test(`the limit of ${action} by ${scope} refuses one too many, and nothing comes of it`, async () => {
    await limitOnly(action, scope, 2);
    const attempt = ATTEMPTS[action];
    const caller = newCaller();
    strictEqual(isLimited(await attempt(caller)), false);
    strictEqual(isLimited(await attempt(another(scope, caller))), false);
    const next = another(scope, caller);
    if (action === "verify_payment") await purchaseOf(next.phone);
    const before = await contents();
    const seconds = expectLimited(await attempt(next));
    ok(seconds > WINDOW_SECONDS - 60 && seconds <= WINDOW_SECONDS, `${seconds} s`);
    deepStrictEqual(await contents(), before);

    if (scope !== "project") strictEqual(isLimited(await attempt(newCaller())), false);

    await sql`update public.rate_counters set window_ends_at = clock_timestamp() + '1.5 seconds'`;
    strictEqual(expectLimited(await attempt(next)), 2);
    await sql`update public.rate_counters set window_ends_at = clock_timestamp()`;
    strictEqual(isLimited(await attempt(next)), false);
  });
}

Deno.test("no limit that is shipped rests on an address alone", () => {
  for (const { action } of SHIPPED) {
    ok(SHIPPED.some((limit) => limit.action === action && limit.scope === "project"), action);
  }
  strictEqual(new Set(SHIPPED.map(({ action }) => action)).size, Object.keys(ATTEMPTS).length);
});

Deno.test("of 30 attempts at once exactly as many pass as may", async () => {
  await limitOnly("create_user", "project", 7);
  const answers = await Promise.all(
    Array.from({ length: 30 }, () => ATTEMPTS.create_user(newCaller())),
  );
  strictEqual(answers.filter(isLimited).length, 23);
});

Deno.test("an unknown number that comes with an order counts as one that comes with a profile", async () => {
  await limitOnly("create_user", "address", 1);
  const { address } = newCaller();
  dataOf(await order(newPhoneNumber(), from(address)));
  const before = await contents();
  expectLimited(await order(newPhoneNumber(), from(address)));
  expectLimited(await ATTEMPTS.create_user({ address, phone: newPhoneNumber() }));
  deepStrictEqual(await contents(), before);
});

Deno.test("a known user is not limited as a newcomer, and not counted", async () => {
  const { address, phone } = newCaller();
  dataOf(await call("GET", `users/${phone}`));
  await limitOnly("create_user", "address", 0);
  dataOf(await call("GET", `users/${phone}`, { headers: from(address) }));
  dataOf(await order(phone, from(address)));
  deepStrictEqual([...await sql`select from public.rate_counters`], []);
});

Deno.test("what a client writes into x-forwarded-for in front does not make it somebody else", async () => {
  await limitOnly("create_user", "address", 1);
  const { address } = newCaller();
  const attempt = (header: string) => ATTEMPTS.create_user({ ...newCaller(), address: header });
  strictEqual(isLimited(await attempt(address)), false);
  for (const forged of [`${newAddress()}, ${address}`, `${newAddress()},,  ${address} `]) {
    expectLimited(await attempt(forged));
  }
});

Deno.test("the address that the platform's edge saw counts more than x-forwarded-for", async () => {
  await limitOnly("create_user", "address", 1);
  const edge = { "cf-connecting-ip": newAddress() };
  const attempt = (headers: Record<string, string>) =>
    call("GET", `users/${newPhoneNumber()}`, { headers });
  strictEqual(isLimited(await attempt({ ...edge, ...from(newAddress()) })), false);
  expectLimited(await attempt({ ...edge, ...from(newAddress()) }));
});

Deno.test("callers without an address, or with a very long one, are limited together", async () => {
  for (const headers of [undefined, from(""), from("x".repeat(8000))]) {
    await limitOnly("create_user", "address", 1);
    const attempt = () => call("GET", `users/${newPhoneNumber()}`, { headers });
    strictEqual(isLimited(await attempt()), false);
    expectLimited(await attempt());
  }
});

Deno.test("a caller who invents a new address for each request still meets the project's limit", async () => {
  await limitOnly("create_user", "project", 3);
  const answers: Answer[] = [];
  for (let attempt = 0; attempt < 6; attempt++) {
    answers.push(await ATTEMPTS.create_user(newCaller()));
  }
  deepStrictEqual(answers.map(isLimited), [false, false, false, true, true, true]);
});

Deno.test("the bot's own calls are never limited", async () => {
  await sql`delete from public.rate_limits`;
  for (const { action, scope } of SHIPPED) {
    await sql`
      insert into public.rate_limits (action, scope, max_count, window_seconds)
      values (${action}, ${scope}, 0, ${WINDOW_SECONDS})`;
  }
  const headers = from(newAddress());
  const withSecret = { ...headers, "x-bot-secret": environment.BOT_SECRET };
  const newcomer = () => ({ phone_number: newPhoneNumber() });
  dataOf(await call("GET", `bot-credits/${newPhoneNumber()}`, { headers }));
  dataOf(await call("POST", "bot-deduct", { body: newcomer(), headers }));
  dataOf(await call("POST", "bot-link", { body: newcomer(), headers }));
  const link = { ...newcomer(), package_id: "starter" };
  dataOf(await call("POST", "bot-payment-link", { body: link, headers }));
  dataOf(await call("GET", `users/${newPhoneNumber()}`, { headers: withSecret }));
});

Deno.test("guesses from the bot's own address do not lock the bot out", async () => {
  await limitOnly("wrong_secret", "address", 1);
  const caller = newCaller();
  await ATTEMPTS.wrong_secret(caller);
  expectLimited(await ATTEMPTS.wrong_secret(caller));
  dataOf(await call("GET", `bot-credits/${caller.phone}`, { headers: from(caller.address) }));
});

Deno.test("a wrong bot secret counts wherever it is shown", async () => {
  await limitOnly("wrong_secret", "address", 1);
  const { address, phone } = newCaller();
  const headers = { ...from(address), "x-bot-secret": newSecret() };
  expectError(await call("GET", `users/${phone}`, { headers }), {
    httpStatus: 401,
    code: "INVALID_BOT_SECRET",
  });
  expectLimited(await call("POST", "bot-deduct", { headers, body: {} }));
  expectLimited(await call("GET", `users/${phone}`, { headers }));
});

Deno.test("where no limit is set nothing is counted", async () => {
  await sql`delete from public.rate_limits`;
  await sql`delete from public.rate_counters`;
  for (const attempt of Object.values(ATTEMPTS)) {
    strictEqual(isLimited(await attempt(newCaller())), false);
  }
  deepStrictEqual([...await sql`select from public.rate_counters`], []);
});

Deno.test("the reconciler forgets counters that have run out, and no others", async () => {
  await limitOnly("create_user", "address", 5);
  const [gone, current] = [newCaller(), newCaller()];
  await ATTEMPTS.create_user(gone);
  await sql`update public.rate_counters set window_ends_at = clock_timestamp() - '1 second'::interval`;
  await ATTEMPTS.create_user(current);
  dataOf(await runReconciler());
  const left = await sql`select subject from public.rate_counters`;
  deepStrictEqual(left.map(({ subject }) => subject), [current.address]);
});

Deno.test("20 clicks on one package are one order, here and at Razorpay", async () => {
  await sql`delete from public.rate_limits`;
  const phone = newPhoneNumber();
  const answers = await Promise.all(Array.from({ length: 20 }, () => order(phone)));
  const ids = new Set(answers.map((answer) => dataOf(answer).order_id));
  strictEqual(ids.size, 1);
  ids.add(dataOf(await order(phone)).order_id);
  strictEqual(ids.size, 1);
  const { orders } = one(
    await sql`
    select count(*)::int as orders from public.payment_orders where phone_number = ${phone}`,
  );
  strictEqual(orders, 1);
});

Deno.test("an order is used again only while it is young, unpaid and of today's price", async () => {
  const phone = newPhoneNumber();
  const first = dataOf(await order(phone)).order_id;
  strictEqual(dataOf(await order(phone)).order_id, first);
  const other = dataOf(await order(phone, {}, "pro")).order_id;
  strictEqual(new Set([first, other]).size, 2);

  await sql`
    update public.payment_orders set created_at = created_at - '31 minutes'::interval
    where razorpay_order_id = ${String(first)}`;
  const second = dataOf(await order(phone)).order_id;
  strictEqual(new Set([first, second]).size, 2);

  await sql`update public.packages set price = price + 1 where id = 'starter'`;
  const dearer = dataOf(await order(phone));
  strictEqual(new Set([first, second, dearer.order_id]).size, 3);
  strictEqual(dearer.amount, 10_000);
});

Deno.test("an address that is refused uses up nothing of what all have together", async () => {
  await limitOnly("create_user", "address", 1);
  await sql`insert into public.rate_limits values ('create_user', 'project', 3, ${WINDOW_SECONDS})`;
  const greedy = newCaller();
  const others = Array.from({ length: 3 }, newCaller);
  const refused: boolean[] = [];
  for (const caller of [greedy, greedy, greedy, greedy, ...others]) {
    refused.push(isLimited(await ATTEMPTS.create_user(caller)));
  }
  deepStrictEqual(refused, [false, true, true, true, false, false, true]);
});

Deno.test("the reconciler does not wait for a counter that is counting", async () => {
  await sql`delete from public.rate_counters`;
  await sql`
    insert into public.rate_counters
    select 'create_user', 'address', subject, clock_timestamp() - '1 hour'::interval, 1
    from unnest(array['held', 'free']) as subject`;
  await sql.begin(async (holder) => {
    await holder`update public.rate_counters set count = 2 where subject = 'held'`;
    dataOf(await runReconciler());
    const left = await sql`select subject from public.rate_counters`;
    deepStrictEqual(left.map(({ subject }) => subject), ["held"]);
  });
});
