/**
 * POST erase-user: a person is forgotten, unless something of theirs is under way; money that comes later
 * buys nothing; and who comes back is a stranger, without a second welcome.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { newUser } from "../support/accounts.ts";
import { call, dataOf, expectError, operatorHeaders } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { attentionTo } from "../support/operator-queries.ts";
import { deliverAll, named, usePaymentHarness } from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { withLimit } from "../support/rate-limits.ts";
import { buyCredits, orderPackage, payForPackage, verify } from "../support/purchases.ts";
import { one } from "../support/lists.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";

const shop = await usePaymentHarness();
const { control, sql } = shop;

function eraseUser(user_id: string, fields: Record<string, unknown> = {}) {
  return call("POST", "erase-user", {
    body: { user_id, operator: "Asha", reason: "They asked", reference_id: "ticket-1", ...fields },
    headers: operatorHeaders(),
  });
}

/** Somebody who was a user and was erased. */
async function erasedPhone(): Promise<string> {
  const phone = newPhoneNumber();
  dataOf(await eraseUser(await newUser(phone)));
  return phone;
}

const IN_USE = { httpStatus: 409, code: "USER_IN_USE" };
const NOT_FOUND = { httpStatus: 404, code: "USER_NOT_FOUND" };

Deno.test("an account is erased once; the same call again returns what the first one did", async () => {
  const userId = await newUser(newPhoneNumber());
  const first = dataOf(await eraseUser(userId));
  deepStrictEqual([first.user_id, first.auth], [userId, "none"]);
  ok(Date.now() - Date.parse(String(first.erased_at)) < 60_000);

  const again = await eraseUser(userId);
  strictEqual(again.headers.get("idempotent-replayed"), "true");
  deepStrictEqual(dataOf(again), first);
  const another = { operator: "Bela", reason: "Again", reference_id: "ticket-2" };
  deepStrictEqual(dataOf(await eraseUser(userId, another)), first);
  deepStrictEqual(
    [
      ...await sql`
      select operator, reason, outcome, order_id from public.operator_actions
      where user_id = ${userId} and action = 'erase-user'`,
    ],
    [{ operator: "Asha", reason: "erased", outcome: "none", order_id: null }],
  );
});

Deno.test("nobody is erased by a call without the key, a name, a reason or a reference", async () => {
  const userId = await newUser(newPhoneNumber());
  const body = { user_id: userId, operator: "Asha", reason: "They asked", reference_id: "1" };
  for (const headers of [{}, { apikey: shop.environment.SUPABASE_PUBLISHABLE_KEY }]) {
    expectError(await call("POST", "erase-user", { body, headers }), {
      httpStatus: 401,
      code: "INVALID_SECRET_KEY",
    });
  }
  for (const field of Object.keys(body)) {
    expectError(await eraseUser(userId, { [field]: undefined }), {
      httpStatus: 400,
      code: "MISSING_FIELD",
    });
  }
  for (const fields of [{ user_id: "5" }, { operator: " " }, { reason: " " }]) {
    expectError(await eraseUser(userId, fields), { httpStatus: 400, code: "INVALID_REQUEST" });
  }
  expectError(await eraseUser(randomUUID()), NOT_FOUND);
  deepStrictEqual(
    [...await sql`select erased_at from public.users where id = ${userId}`],
    [{ erased_at: null }],
  );
});

Deno.test("without the secret of the hashes, nobody is erased", async () => {
  const userId = await newUser(newPhoneNumber());
  for (const ERASURE_SECRET of [undefined, "short", "x".repeat(40)]) {
    await withEnvironment({ ERASURE_SECRET }, async () => {
      expectError(await eraseUser(userId), { httpStatus: 500, code: "INTERNAL" });
    });
  }
  strictEqual(dataOf(await eraseUser(userId)).user_id, userId);
});

Deno.test("a user with a hold is erased once it has ended, or expired", async () => {
  const ends = [
    (body: Record<string, unknown>) => call("POST", "bot-release", { body }),
    (body: Record<string, unknown>) => call("POST", "bot-capture", { body }),
    () =>
      sql`update public.holds set expires_at = now() where state = 'open'`.then(() =>
        sql`update public.users set next_hold_expiry_at = now() where open_holds > 0`
      ),
  ];
  for (const end of ends) {
    const phone = newPhoneNumber();
    const userId = await newUser(phone);
    const body = { phone_number: phone, reference_id: "job" };
    dataOf(await call("POST", "bot-reserve", { body }));
    expectError(await eraseUser(userId), IN_USE);
    await end(body);
    dataOf(await eraseUser(userId));
  }
});

Deno.test("a user whose payment is under way is erased once it is captured or has failed", async () => {
  const phone = newPhoneNumber();
  const userId = await newUser(phone);
  const { checkout } = await payForPackage(control, phone, "starter", { outcome: "authorized" });
  await deliverAll([
    named(await shop.eventsAbout(checkout.razorpay_payment_id), "payment.authorized"),
  ]);
  expectError(await eraseUser(userId), IN_USE);
  await control.capture(checkout.razorpay_payment_id);
  await control.webhooksDelivered();
  dataOf(await eraseUser(userId));

  const failing = newPhoneNumber();
  const failingId = await newUser(failing);
  const failed = await payForPackage(control, failing, "starter", { outcome: "failed" });
  await deliverAll([
    named(await shop.eventsAbout(failed.checkout.razorpay_payment_id), "payment.failed"),
  ]);
  dataOf(await eraseUser(failingId));
});

Deno.test("a person with several accounts is erased whole, whichever account is named", async () => {
  const [phone, other] = [newPhoneNumber(), newPhoneNumber()];
  const [from, into] = [await newUser(phone), await newUser(other)];
  dataOf(await call("POST", "bot-deduct", { body: { phone_number: phone, reference_id: "job" } }));
  dataOf(await call("POST", "bot-deduct", { body: { phone_number: other, reference_id: "job" } }));
  await sql`select public.merge_users(${from}, ${into})`;

  strictEqual(dataOf(await eraseUser(from)).user_id, into);
  const rows = await sql`
    select count(u.erased_at)::integer as erased, count(distinct t.reference_id)::integer as references
    from public.users u
    join public.credit_transactions t on t.user_id = u.id and t.source = 'image_generation'
    where u.id in (${from}, ${into}) and t.reference_id like 'erased %'`;
  // The reference that both accounts knew is still one.
  deepStrictEqual([...rows], [{ erased: 2, references: 1 }]);
  strictEqual(dataOf(await eraseUser(into)).user_id, into);
  strictEqual(
    one(
      await sql`select public.merge_users(${from}, ${await newUser(newPhoneNumber())}) as outcome`,
    )
      .outcome,
    "user_not_found",
  );
});

Deno.test("two people who had a reference in common have none in common afterwards", async () => {
  const ids: string[] = [];
  for (let person = 0; person < 2; person++) {
    const phone = newPhoneNumber();
    ids.push(await newUser(phone));
    const body = { phone_number: phone, reference_id: "the same" };
    dataOf(await call("POST", "bot-reserve", { body }));
    dataOf(await call("POST", "bot-capture", { body }));
  }
  for (const id of ids) dataOf(await eraseUser(id));
  const rows = await sql`
    select count(distinct h.reference_id)::integer as references, count(*)::integer as holds
    from public.holds h
    join public.credit_transactions t on t.user_id = h.user_id and t.reference_id = h.reference_id
    where h.user_id in ${sql(ids)}`;
  deepStrictEqual([...rows], [{ references: 2, holds: 2 }]);
});

/** Each way to become a user. Returns what can be spent afterwards. */
const FIRST_CONTACTS: Record<string, (phone: string) => Promise<unknown>> = {
  "bot-credits": async (phone) =>
    dataOf(await call("GET", `bot-credits/${phone}`)).remaining_credits,
  "bot-credits, with a WhatsApp user id besides": async (phone) => {
    const query = new URLSearchParams({ phone_number: phone, whatsapp_user_id: newWhatsappId() });
    return dataOf(await call("GET", `bot-credits?${query}`)).remaining_credits;
  },
  "bot-deduct": async (phone) => {
    const body = { phone_number: phone, credits: 1000 };
    return (await call("POST", "bot-deduct", { body })).body.data?.remaining_credits;
  },
  "bot-reserve": async (phone) => {
    const body = { phone_number: phone, credits: 1000, reference_id: "job" };
    return (await call("POST", "bot-reserve", { body })).body.data?.remaining_credits;
  },
  "bot-link": async (phone) => {
    dataOf(await call("POST", "bot-link", { body: { phone_number: phone } }));
    return await spendable(phone);
  },
  "bot-payment-link": async (phone) => {
    const body = { phone_number: phone, package_id: "starter", reference_id: "link" };
    dataOf(await call("POST", "bot-payment-link", { body }));
    return await spendable(phone);
  },
  "users": async (phone) => dataOf(await call("GET", `users/${phone}`)).credits,
  "the first payment, reported by the page": async (phone) => {
    await buyCredits(control, phone, "starter");
    return await spendable(phone) - 20;
  },
  "the first payment, found by the reconciler": async (phone) => {
    await payForPackage(control, phone, "starter");
    await shop.reconcile();
    return await spendable(phone) - 20;
  },
  "the first payment, reported by the webhook": async (phone) => {
    const { checkout } = await payForPackage(control, phone, "starter");
    await deliverAll([
      named(await shop.eventsAbout(checkout.razorpay_payment_id), "payment.captured"),
    ]);
    return await spendable(phone) - 20;
  },
};

async function spendable(phone: string): Promise<number> {
  const { credits } = one(
    await sql<
      { credits: number }[]
    >`select credits from public.users where phone_number = ${phone}`,
  );
  return credits;
}

for (const [name, contact] of Object.entries(FIRST_CONTACTS)) {
  Deno.test(`whoever was erased and comes back gets no second welcome: ${name}`, async () => {
    const phone = await erasedPhone();
    strictEqual(await contact(phone), 0);
    strictEqual(await contact(newPhoneNumber()), 3);
  });
}

Deno.test("a number that comes back is a stranger: a new account, without a history", async () => {
  const phone = newPhoneNumber();
  const userId = await newUser(phone);
  dataOf(await call("POST", "bot-deduct", { body: { phone_number: phone, reference_id: "job" } }));
  dataOf(await eraseUser(userId));

  expectError(
    await call("POST", "bot-capture", { body: { phone_number: phone, reference_id: "job" } }),
    { httpStatus: 404, code: "HOLD_NOT_FOUND" },
  );
  const newId = await newUser(phone);
  ok(newId !== userId);
  deepStrictEqual(dataOf(await call("GET", `credit-history/${newId}`)).transactions, []);
  expectError(await call("GET", `credit-history/${userId}`), NOT_FOUND);

  // The credits that they buy are theirs, and they can be erased again.
  await buyCredits(control, phone, "starter");
  dataOf(await call("POST", "bot-deduct", { body: { phone_number: phone, reference_id: "job" } }));
  dataOf(await eraseUser(newId));
  strictEqual(dataOf(await call("GET", `bot-credits/${phone}`)).remaining_credits, 0);
});

Deno.test("a WhatsApp user id alone is recognized too", async () => {
  const whatsapp_user_id = newWhatsappId();
  const credits = async (query: Record<string, string>) =>
    dataOf(await call("GET", `bot-credits?${new URLSearchParams(query)}`)).remaining_credits;
  strictEqual(await credits({ whatsapp_user_id }), 3);
  const { user_id } = one(
    await sql`select user_id from public.identities where value = ${whatsapp_user_id}`,
  );
  dataOf(await eraseUser(user_id));
  strictEqual(await credits({ whatsapp_user_id, phone_number: newPhoneNumber() }), 0);
});

Deno.test("a setting gives the welcome again, and then no hash is kept", async () => {
  const before = await erasedPhone();
  const kept = async () =>
    one(await sql`select count(*)::integer as count from public.erased_identities`).count;
  await sql`update public.settings set value = 1 where name = 'welcome_after_erasure'`;
  try {
    const count = await kept();
    const phone = await erasedPhone();
    strictEqual(await kept(), count);
    for (const number of [before, phone]) {
      strictEqual(dataOf(await call("GET", `bot-credits/${number}`)).remaining_credits, 3);
    }
  } finally {
    await sql`update public.settings set value = 0 where name = 'welcome_after_erasure'`;
  }
});

Deno.test("the database recognizes nobody without the key, and the hash is of no other project's", async () => {
  const phone = await erasedPhone();
  await withEnvironment(
    { ERASURE_SECRET: "another secret of 32 characters, or more" },
    async () => {
      strictEqual(dataOf(await call("GET", `bot-credits/${phone}`)).remaining_credits, 3);
    },
  );
  const { outcome } = one(
    await sql`select outcome from public.get_user(${newPhoneNumber()})`,
  );
  strictEqual(outcome, "identity_hashes_needed");
});

Deno.test("a first contact that needs the hash is counted once against the limits", async () => {
  await erasedPhone();
  await withLimit(sql, "create_user", 2, async () => {
    dataOf(await call("GET", `users/${newPhoneNumber()}`));
    dataOf(await call("GET", `users/${newPhoneNumber()}`));
    expectError(await call("GET", `users/${newPhoneNumber()}`), {
      httpStatus: 429,
      code: "RATE_LIMITED",
    });
  });
});

Deno.test("money that comes for an order of somebody erased buys nothing and is shown until it is returned", async () => {
  const phone = newPhoneNumber();
  const userId = await newUser(phone);
  const orders = [
    await orderPackage(phone, "starter"),
    await orderPackage(phone, "popular"),
    await orderPackage(phone, "pro"),
  ] as const;
  dataOf(await eraseUser(userId));
  const pay = async (order: string) =>
    (await control.payOrder(order, { outcome: "captured", deliver_webhooks: false }))
      .razorpay_payment_id;

  const [byWebhook, byReconciler] = [await pay(orders[0]), await pay(orders[1])];
  const report = named(await shop.eventsAbout(byWebhook), "payment.captured");
  deepStrictEqual(await deliverAll([report, report]), ["user_erased", "user_erased"]);
  strictEqual((await shop.reconcile()).flagged, 2);
  const byPage = await control.payOrder(orders[2], {
    outcome: "captured",
    deliver_webhooks: false,
  });
  const purchase = { phone, packageId: "pro", checkout: byPage };
  expectError(await verify(purchase), { httpStatus: 400, code: "ORDER_MISMATCH" });
  await shop.reconcile();

  const payments = [byWebhook, byReconciler, byPage.razorpay_payment_id];
  const shown = () => attentionTo(shop, ...payments);
  deepStrictEqual((await shown()).map(({ kind }) => kind), Array(3).fill("flagged payment"));
  for (const { detail } of await shown()) match(detail, /^user_erased: .* refund them$/);
  deepStrictEqual([...await sql`select from public.identities where value = ${phone}`], []);
  deepStrictEqual(
    [...await sql`select credits from public.users where id = ${userId}`],
    [{ credits: 3 }],
  );

  for (const payment of payments) await control.refund(payment);
  await control.webhooksDelivered();
  deepStrictEqual(await shown(), []);
});

Deno.test("a second payment never takes over for somebody erased", async () => {
  const phone = newPhoneNumber();
  const purchase = await payForPackage(control, phone, "starter");
  dataOf(await verify(purchase));
  const { user_id } = one(await sql`select user_id from public.identities where value = ${phone}`);
  dataOf(await eraseUser(user_id));
  await control.payOrder(purchase.checkout.razorpay_order_id, { outcome: "captured", force: true });
  await control.refund(purchase.checkout.razorpay_payment_id);
  await control.webhooksDelivered();
  await shop.reconcile();
  deepStrictEqual(
    [...await sql`select credits, debt_credits from public.users where id = ${user_id}`],
    [{ credits: 3, debt_credits: 0 }],
  );
  const flags = await sql`
    select p.flag from public.payments p
    join public.payment_orders o on o.id = p.order_id
    where o.razorpay_order_id = ${purchase.checkout.razorpay_order_id}
    order by p.created_at`;
  deepStrictEqual(flags.map(({ flag }) => flag), [null, "second_payment"]);
});

Deno.test("a debt that nobody will ever pay is not shown", async () => {
  const phone = newPhoneNumber();
  const purchase = await buyCredits(control, phone, "starter");
  dataOf(await call("POST", "bot-deduct", { body: { phone_number: phone, credits: 23 } }));
  const { user_id } = one(await sql`select user_id from public.identities where value = ${phone}`);
  await control.refund(purchase.checkout.razorpay_payment_id);
  await control.webhooksDelivered();
  const debts = () => attentionTo(shop, phone, user_id);
  deepStrictEqual((await debts()).map(({ kind }) => kind), ["debt"]);
  dataOf(await eraseUser(user_id));
  deepStrictEqual(await debts(), []);
});

Deno.test("an operator is told when the user of Supabase Auth cannot be deleted from here", async () => {
  const phone = newPhoneNumber();
  const userId = await newUser(phone);
  const authId = randomUUID();
  await sql`insert into auth.users (id, phone) values (${authId}, ${phone.slice(1)})`;
  await sql`create table public.of_the_project (auth_id uuid references auth.users (id))`;
  try {
    await sql`insert into public.of_the_project values (${authId})`;
    strictEqual(dataOf(await eraseUser(userId)).auth, "left");
    strictEqual(dataOf(await eraseUser(userId)).auth, "left");
  } finally {
    await sql`drop table public.of_the_project`;
  }
});

Deno.test("an operator is told of somebody else who has the number as a second factor", async () => {
  const phone = newPhoneNumber();
  const userId = await newUser(phone);
  const authId = randomUUID();
  const otherId = randomUUID();
  await sql`
    insert into auth.users (id, phone, email)
    values (${authId}, ${phone.slice(1)}, null), (${otherId}, null, ${`${otherId}@other.example`})`;
  // As hosted Auth has it; the embedded one has none.
  await sql`
    create table auth.mfa_factors (
      id uuid primary key,
      user_id uuid not null references auth.users on delete cascade,
      phone text
    )`;
  try {
    await sql`
      insert into auth.mfa_factors (id, user_id, phone)
      values (${randomUUID()}, ${authId}, ${phone.slice(1)}),
        (${randomUUID()}, ${otherId}, ${phone.slice(1)})`;
    strictEqual(dataOf(await eraseUser(userId)).auth, "left");
    deepStrictEqual([...await sql`select user_id from auth.mfa_factors`], [{ user_id: otherId }]);
    deepStrictEqual([...await sql`select from auth.users where id = ${authId}`], []);

    const onlyTheirs = newPhoneNumber();
    const secondId = await newUser(onlyTheirs);
    strictEqual(dataOf(await eraseUser(secondId)).auth, "none");
  } finally {
    await sql`drop table auth.mfa_factors`;
  }
});
