/**
 * Limits: how often a caller may try, order and verify, and who is never limited.
 * @module
 */

import { deepStrictEqual, fail, match, notStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomInt } from "node:crypto";
import { callerAddress } from "shared/auth/caller-address.ts";
import { startBackend } from "../support/backend.ts";
import { type Answer, call, dataOf, expectError } from "../support/calls.ts";
import { waitingForLocks } from "../support/connections.ts";
import { createTestDatabase } from "../support/database.ts";
import { withEnvironment } from "../support/environment.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { cameByLink, signedIn } from "../support/proofs.ts";
import { payForPackage, type Purchase, signedCheckout } from "../support/purchases.ts";
import { runReconciler } from "../support/payment-harness.ts";
import { newSecret } from "../support/signing.ts";
import { one } from "../support/lists.ts";
import { until } from "../../local/system/until.ts";

const backend = await startBackend();
const { environment, razorpay, sql } = backend;
Deno.test.afterAll(() => backend.stop());

const WINDOW_SECONDS = 3600;

/** The limits, without the numbers that are shipped. */
const SHIPPED: readonly { action: Action; scope: Scope }[] = await sql<
  { action: Action; scope: Scope }[]
>`select action, scope from public.rate_limits order by action, scope`;

/** The limits as they are shipped; backends of tests lift them. */
const SHIPPED_ROWS = await shippedLimits();

async function shippedLimits(): Promise<Record<string, string | number>[]> {
  const database = await createTestDatabase();
  try {
    return [
      ...await database.sql<Record<string, string | number>[]>`
      select action, scope, max_count, window_seconds from public.rate_limits`,
    ];
  } finally {
    await database.drop();
  }
}

type Action = "wrong_secret" | "create_user" | "create_order" | "verify_payment";
type Scope = "address" | "phone" | "user" | "owner" | "project";

/** Who makes an attempt, as far as limits can tell. */
interface Caller {
  readonly address: string;
  readonly phone: string;
  /** The headers by which the caller proves the number, if it does. */
  readonly proof?: Record<string, string>;
}

const PHONE_PROOF = { FRONTEND_ACCESS: "phone-proof" };

/** What is counted. */
const ATTEMPTS: Record<Action, (caller: Caller) => Promise<Answer>> = {
  wrong_secret: ({ address, phone }) =>
    call("GET", `bot-credits/${phone}`, {
      headers: { ...from(address), "x-bot-secret": newSecret() },
    }),
  create_user: ({ address }) =>
    call("GET", `users/${newPhoneNumber()}`, { headers: from(address) }),
  create_order: async ({ address, phone, proof }) => {
    await ageOrders();
    return await order(phone, { ...from(address), ...proof });
  },
  verify_payment: async ({ address, phone, proof }) => {
    const { checkout, packageId } = await purchaseOf(phone);
    const body = { ...checkout, phone_number: phone, package_id: packageId };
    return await call("POST", "verify-payment", { body, headers: { ...from(address), ...proof } });
  },
};

/** Makes all orders too old to be used again, so that the next one is a new one. */
async function ageOrders(): Promise<void> {
  await sql`update public.payment_orders set created_at = created_at - '31 minutes'::interval`;
}

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

/** An address in IPv6, where a caller is a network. */
const newAddress = () =>
  `2001:db8:${randomInt(2 ** 16).toString(16)}:${randomInt(2 ** 16).toString(16)}::1`;

const newCaller = (): Caller => ({ address: newAddress(), phone: newPhoneNumber() });

/** A caller who opened the link from the chat. */
async function newOwner(): Promise<Caller> {
  const caller = newCaller();
  return { ...caller, proof: await cameByLink(caller.phone) };
}

/** Another caller, who shares with this one only what the scope counts by. */
function another(scope: Scope, { address, phone, ...proof }: Caller): Caller {
  switch (scope) {
    case "address":
      return { ...newCaller(), address };
    case "phone":
    case "user":
    case "owner":
      return { ...newCaller(), phone, ...proof };
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

const isRefused = (answer: Answer) => isLimited(answer) || answer.body.code === "PROOF_REQUIRED";

const PROOF_REQUIRED = {
  httpStatus: 401,
  code: "PROOF_REQUIRED",
  message: "Prove the phone number: sign in, or open the link from the chat",
};

/** What has been counted, as `scope count`, in the order of the scopes. */
async function counted(): Promise<string[]> {
  const rows = await sql`select scope, count from public.rate_counters order by scope, subject`;
  return rows.map(({ scope, count }) => `${scope} ${count}`);
}

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

/** Strangers who order too much together are asked for a proof. Everybody else waits. */
const asksForProof = (action: Action, scope: Scope) =>
  action === "create_order" && scope === "project";

for (
  const { action, scope } of SHIPPED.filter(({ action, scope }) => !asksForProof(action, scope))
) {
  Deno.test(`the limit of ${action} by ${scope} refuses one too many, and nothing comes of it`, async () => {
    await withEnvironment(scope === "owner" ? PHONE_PROOF : {}, () => meetLimit(action, scope));
  });
}

/** Tries until the limit is met, and once more when its time is over. */
async function meetLimit(action: Action, scope: Scope): Promise<void> {
  const caller = scope === "owner" ? await newOwner() : newCaller();
  await limitOnly(action, scope, 2);
  const attempt = ATTEMPTS[action];
  strictEqual(isRefused(await attempt(caller)), false);
  strictEqual(isRefused(await attempt(another(scope, caller))), false);
  const next = another(scope, caller);
  if (action === "verify_payment") await purchaseOf(next.phone);
  const before = await contents();
  const seconds = expectLimited(await attempt(next));
  ok(seconds > WINDOW_SECONDS - 60 && seconds <= WINDOW_SECONDS, `${seconds} s`);
  deepStrictEqual(await contents(), before);

  if (scope !== "project") strictEqual(isRefused(await attempt(newCaller())), false);

  await sql`update public.rate_counters set window_ends_at = clock_timestamp() + '30.5 seconds'`;
  const rest = expectLimited(await attempt(next));
  const { is_over } = one(
    await sql`
    select bool_and(window_ends_at <= clock_timestamp() + make_interval(secs => ${rest})) as is_over
    from public.rate_counters`,
  );
  ok(is_over && rest <= 31, `${rest} s`);
  await sql`update public.rate_counters set window_ends_at = clock_timestamp()`;
  for (const isOneTooMany of [false, false, true]) {
    strictEqual(isRefused(await attempt(next)), isOneTooMany);
  }
}

Deno.test("the limit of create_order by project asks strangers for a proof, and nothing comes of it", async () => {
  await limitOnly("create_order", "project", 2);
  const attempt = ATTEMPTS.create_order;
  for (const caller of [newCaller(), newCaller()]) dataOf(await attempt(caller));
  const before = await contents();
  expectError(await attempt(newCaller()), PROOF_REQUIRED);
  deepStrictEqual(await contents(), before);
  await sql`update public.rate_counters set window_ends_at = clock_timestamp()`;
  dataOf(await attempt(newCaller()));
});

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

Deno.test("an order creates no user, and does not count as one", async () => {
  await limitOnly("create_user", "address", 1);
  const { address, phone } = newCaller();
  const before = await contents();
  dataOf(await order(phone, from(address)));
  const after = await contents();
  deepStrictEqual({ ...after, orders: before.orders }, before);
  deepStrictEqual(await counted(), []);
  dataOf(await ATTEMPTS.create_user({ address, phone }));
});

Deno.test("a known user is not limited as a newcomer, and not counted", async () => {
  await sql`delete from public.rate_limits`;
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

Deno.test("a caller with a whole network of addresses, or a header of its own, is still one caller", async () => {
  await limitOnly("create_user", "address", 1);
  const network = newAddress().replace(/1$/, "");
  const attempt = (host: number) =>
    call("GET", `users/${newPhoneNumber()}`, {
      headers: { ...from(`${network}${host}`), "cf-connecting-ip": newAddress() },
    });
  strictEqual(isLimited(await attempt(1)), false);
  for (const host of [1, 2, 3]) expectLimited(await attempt(host));
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
  deepStrictEqual(left.map(({ subject }) => subject), [current.address.replace(/1$/, "/64")]);
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

Deno.test("a stranger who orders for somebody else's number learns nothing of what its owner orders and pays", async () => {
  await withEnvironment(PHONE_PROOF, async () => {
    await sql`delete from public.rate_limits`;
    const owner = await newOwner();
    const { phone } = owner;
    const [spy, other] = [newAddress(), newAddress()];
    const spied = async (address: string) => dataOf(await order(phone, from(address))).order_id;
    const first = await spied(spy);
    strictEqual(await spied(spy), first);

    const headers = { ...from(owner.address), ...owner.proof };
    const owned = String(dataOf(await order(phone, headers)).order_id);
    notStrictEqual(owned, first);
    strictEqual(dataOf(await order(phone, headers)).order_id, owned);
    strictEqual(await spied(spy), first);

    const { razorpay_payment_id } = await razorpay.control.payOrder(owned, {
      outcome: "captured",
      deliver_webhooks: false,
    });
    const checkout = signedCheckout(owned, razorpay_payment_id);
    const body = { ...checkout, phone_number: phone, package_id: "starter" };
    dataOf(await call("POST", "verify-payment", { body, headers }));
    strictEqual(await spied(spy), first);
    const another = await spied(other);
    strictEqual(new Set([first, owned, another]).size, 3);
    strictEqual(await spied(other), another);
  });
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

/** Waits until the call waits for a lock, and fails if it answers instead. */
async function untilWaiting(answer: Promise<Answer>): Promise<void> {
  let isOver = false;
  answer.finally(() => isOver = true).catch(() => {});
  await until("the call waits for a lock", async () => {
    if (isOver) fail("The call did not wait");
    return await waitingForLocks(sql) >= 1;
  });
}

/** Everything of a response by which two callers could be told apart. */
function visible({ httpStatus, headers, body: { data, ...body } }: Answer) {
  const names = [...headers].map(([name]) => name).sort();
  return JSON.stringify([httpStatus, body, names, data && Object.keys(data)]);
}

Deno.test("orders do not tell which of 200 numbers are customers, before and after any limit", async () => {
  await withEnvironment(PHONE_PROOF, async () => {
    await restoreShippedLimits();
    const customers = Array.from({ length: 67 }, newPhoneNumber);
    for (const phone of customers) await sql`select public.get_user(${phone})`;
    const numbers = [...customers, ...Array.from({ length: 133 }, newPhoneNumber)];
    const { users } = await contents();

    const greedy = newAddress();
    const callers: Record<string, () => string> = {
      "from new addresses": newAddress,
      "from an address that has asked for too much": () => greedy,
      "when all together have asked for too much": newAddress,
    };
    for (const [state, address] of Object.entries(callers)) {
      if (address() === greedy) {
        while (!isRefused(await order(newPhoneNumber(), from(greedy)))) {
          // As an attacker does, with made-up numbers.
        }
      } else if (state.startsWith("when all")) {
        await sql`
          update public.rate_limits l set max_count = c.count from public.rate_counters c
          where c.action = l.action and c.scope = l.scope and l.scope = 'project'`;
      }
      const answers = new Map<string, Set<boolean>>();
      for (const phone of numbers) {
        const answer = visible(await order(phone, from(address())));
        const known = answers.get(answer) ?? new Set();
        answers.set(answer, known.add(customers.includes(phone)));
      }
      deepStrictEqual([...answers.values()], [new Set([true, false])], state);
    }
    deepStrictEqual((await contents()).users, users);
  });
});

/** The limits of the migrations, with nothing counted yet. */
async function restoreShippedLimits(): Promise<void> {
  await sql`delete from public.rate_limits`;
  await sql`delete from public.rate_counters`;
  await sql`insert into public.rate_limits ${sql([...SHIPPED_ROWS])}`;
}

Deno.test("when strangers have ordered too much together, owners and the bot still sell", async () => {
  await withEnvironment(PHONE_PROOF, async () => {
    const { phone, proof } = await newOwner();
    const session = await signedIn(backend, phone);
    const elsewhere = await newOwner();
    await restoreShippedLimits();
    await sql`update public.rate_limits set max_count = 3
      where action = 'create_order' and scope = 'project'`;
    for (let stranger = 0; stranger < 3; stranger++) {
      dataOf(await order(newPhoneNumber(), from(newAddress())));
    }
    const before = await sql`select * from public.rate_counters order by action, scope, subject`;
    for (const headers of [{}, elsewhere.proof ?? {}]) {
      expectError(await order(phone, { ...from(newAddress()), ...headers }), PROOF_REQUIRED);
    }
    deepStrictEqual(
      [...await sql`select * from public.rate_counters order by action, scope, subject`],
      [...before],
    );

    for (
      const headers of [
        { ...proof },
        session,
        { "x-bot-secret": environment.BOT_SECRET },
        { apikey: environment.SUPABASE_SECRET_KEY },
      ]
    ) {
      await ageOrders();
      dataOf(await order(phone, { ...from(newAddress()), ...headers }));
    }
    const link = { phone_number: newPhoneNumber(), package_id: "starter" };
    dataOf(await call("POST", "bot-payment-link", { body: link }));
  });
});

Deno.test("where accounts are public an owner's proof still counts, and only for the own number", async () => {
  await limitOnly("create_order", "project", 0);
  const { phone, proof } = await newOwner();
  const elsewhere = await newOwner();
  const invalid = [{ "x-access-token": "invalid" }, { authorization: "Bearer a.b.c" }];
  for (const headers of [{}, ...invalid, { ...elsewhere.proof }]) {
    expectError(await order(phone, headers), PROOF_REQUIRED);
  }
  const session = await signedIn(backend, phone);
  for (const headers of [{ ...proof }, session, { "x-bot-secret": environment.BOT_SECRET }]) {
    await ageOrders();
    dataOf(await order(phone, headers));
  }

  // Reading stays as it is, whoever's number was proven.
  for (const headers of [{}, ...invalid, { ...elsewhere.proof }]) {
    dataOf(await call("GET", `users/${phone}`, { headers }));
  }
});

Deno.test("where accounts are public a proven number is not limited as an unknown one", async () => {
  await limitOnly("create_user", "project", 0);
  const phone = newPhoneNumber();
  expectLimited(await call("GET", `users/${phone}`));
  dataOf(await call("GET", `users/${phone}`, { headers: await signedIn(backend, phone) }));
});

Deno.test("when strangers have ordered too much for a number, its owner still buys", async () => {
  await withEnvironment(PHONE_PROOF, async () => {
    const { address, phone, proof } = await newOwner();
    await restoreShippedLimits();
    let refusals = 0;
    for (let attempt = 0; attempt < 22; attempt++) {
      const answer = await ATTEMPTS.create_order({ address: newAddress(), phone });
      if (isRefused(answer)) refusals++;
    }
    strictEqual(refusals, 2);
    dataOf(await order(phone, { ...from(address), ...proof }, "pro"));
  });
});

Deno.test("an order that is used again counts for the address only, and a refused one too", async () => {
  const { address, phone } = newCaller();
  await limitOnly("create_order", "phone", 1);
  await sql`insert into public.rate_limits values
    ('create_order', 'address', 5, ${WINDOW_SECONDS}), ('create_order', 'project', 5, ${WINDOW_SECONDS})`;
  dataOf(await order(phone, from(address)));
  dataOf(await order(phone, from(address)));
  deepStrictEqual(await counted(), ["address 2", "phone 1", "project 1"]);
  expectLimited(await order(phone, from(address), "pro"));
  deepStrictEqual(await counted(), ["address 3", "phone 1", "project 1"]);
});

Deno.test("a caller refused by the limit for all strangers is not counted against the number", async () => {
  const caller = newCaller();
  await limitOnly("create_order", "project", 2);
  await sql`insert into public.rate_limits values
    ('create_order', 'address', 5, ${WINDOW_SECONDS}), ('create_order', 'phone', 5, ${WINDOW_SECONDS})`;
  dataOf(await order(newPhoneNumber(), from(newAddress())));
  const waiting = Promise.withResolvers<Answer>();
  await sql.begin(async (holder) => {
    await holder`update public.rate_counters set count = 2 where scope = 'project'`;
    order(caller.phone, from(caller.address)).then(waiting.resolve, waiting.reject);
    // It has read that there is one left, and waits to take it.
    await untilWaiting(waiting.promise);
  });
  expectError(await waiting.promise, PROOF_REQUIRED);
  const counts = await sql`
    select scope, count from public.rate_counters
    where subject in (${callerAddress(new Headers(from(caller.address)))}, ${caller.phone}, 'all')
    order by scope`;
  deepStrictEqual(counts.map(({ scope, count }) => `${scope} ${count}`), [
    "address 1",
    "phone 0",
    "project 2",
  ]);
});

Deno.test("a call refused by the limit for all writes nothing", async () => {
  for (const action of ["wrong_secret", "create_user", "verify_payment"] as const) {
    await limitOnly(action, "project", 1);
    await sql`insert into public.rate_limits values (${action}, 'address', 9, ${WINDOW_SECONDS})`;
    const attempt = ATTEMPTS[action];
    strictEqual(isLimited(await attempt(newCaller())), false);
    deepStrictEqual(await counted(), ["address 1", "project 1"]);
    expectLimited(await attempt(newCaller()));
    deepStrictEqual(await counted(), ["address 1", "project 1"]);
  }
});

Deno.test("a verification by the owner is not refused for those of strangers", async () => {
  await withEnvironment(PHONE_PROOF, async () => {
    const owner = await newOwner();
    const attempt = ATTEMPTS.verify_payment;
    await purchaseOf(owner.phone);
    await limitOnly("verify_payment", "user", 1);
    await sql`insert into public.rate_limits values ('verify_payment', 'project', 1, ${WINDOW_SECONDS})`;
    dataOf(await attempt({ address: newAddress(), phone: owner.phone }));
    expectLimited(await attempt({ address: newAddress(), phone: owner.phone }));
    dataOf(await attempt(owner));
  });
});

Deno.test("an owner who has proven a number is not limited as an unknown number", async () => {
  await withEnvironment(PHONE_PROOF, async () => {
    const phone = newPhoneNumber();
    await limitOnly("create_user", "project", 0);
    dataOf(await call("GET", `users/${phone}`, { headers: await signedIn(backend, phone) }));
    deepStrictEqual(await counted(), []);
  });
});

Deno.test("a call that waits keeps nobody else waiting", async () => {
  await restoreShippedLimits();
  const { phone } = newCaller();
  await sql`select public.get_user(${phone})`;
  const newcomer = newPhoneNumber();
  const waiting = Promise.withResolvers<Answer>();
  await sql.begin(async (holder) => {
    await holder`select from public.users where phone_number = ${phone} for no key update`;
    // At the checkout nobody waits, not even for the user whose number it is.
    for (const number of [phone, newPhoneNumber()]) dataOf(await order(number));

    await holder`select private.lock_identities(${newcomer}, null)`;
    call("GET", `users/${newcomer}`).then(waiting.resolve, waiting.reject);
    // The first contact waits for the other one with its number.
    await untilWaiting(waiting.promise);
    dataOf(await call("GET", `users/${newPhoneNumber()}`));
    dataOf(await order(newPhoneNumber()));
  });
  dataOf(await waiting.promise);
});
