/**
 * What an erasure leaves of a person: nothing, in no table and in no form. A copy of the function that
 * forgets one place is found out.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { z } from "zod";
import { call, dataOf, expectError, operatorHeaders } from "../support/calls.ts";
import { INVALID_PROOF, newUser } from "../support/accounts.ts";
import { assertBooksAreRight } from "../support/backend.ts";
import { withEnvironment } from "../support/environment.ts";
import { one } from "../support/lists.ts";
import { testOfTests } from "../support/mutants.ts";
import { OLD_SPELLINGS } from "../support/old-spellings.ts";
import { act, newOperator } from "../support/operators.ts";
import { settleByHand, usePaymentHarness } from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { cameByLink } from "../support/proofs.ts";
import { orderPackage, payForPackage, verify } from "../support/purchases.ts";
import { nationalPart, tracesOf } from "../support/traces.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";

const shop = await usePaymentHarness();
const { control, sql } = shop;
const superuser = postgres(shop.database.superuserUrl, { max: 1, onnotice: () => {} });
Deno.test.afterAll(() => superuser.end());

// As hosted Auth has it; the embedded one has none.
await superuser`
  create type auth.one_time_token_type as enum ('confirmation_token', 'reauthentication_token',
    'recovery_token', 'email_change_token_new', 'email_change_token_current', 'phone_change_token')`;
await superuser`
  create table auth.one_time_tokens (
    id uuid primary key,
    user_id uuid not null references auth.users on delete cascade,
    token_type auth.one_time_token_type not null,
    token_hash text not null check (char_length(token_hash) > 0),
    relates_to text not null,
    created_at timestamp without time zone not null default now(),
    updated_at timestamp without time zone not null default now()
  )`;
await superuser`
  create index on auth.one_time_tokens using hash (relates_to)`;
await superuser`alter table auth.one_time_tokens owner to postgres`;

/** A message id of WhatsApp's: base64 that holds the number of whoever sent the message. */
function wamid(phone: string, shift = 0): string {
  const bytes = Buffer.concat([
    Buffer.from([0x1c, 0x18, 0x0c, ...Array(shift).fill(0x20)]),
    Buffer.from(phone.slice(1)),
    Buffer.from(randomUUID().slice(0, 8)),
  ]);
  return `wamid.${bytes.toString("base64")}`;
}

/** Somebody with two accounts, and what names them. */
interface Person {
  readonly userId: string;
  readonly phone: string;
  readonly texts: readonly string[];
}

function bot(name: "deduct" | "reserve" | "capture" | "release", body: Record<string, unknown>) {
  return call("POST", `bot-${name}`, { body }).then(dataOf);
}

/** Another user of Supabase Auth, whom nobody erases. */
const STRANGER = `${randomUUID()}@stranger.example`;

/** Does whatever leaves something about a person behind. */
async function wholeLife(): Promise<Person> {
  const [phone, oldPhone, contact] = [newPhoneNumber(), newPhoneNumber(), newPhoneNumber()];
  const whatsappId = newWhatsappId();
  const name = `Ravi Quaxworthy${randomUUID().slice(0, 8)}`;
  const email = `${randomUUID().slice(0, 8)}@quax.example`;
  const payer = { contact, email, notes: { name, phone } };

  // First contacts, deductions and holds, of both accounts.
  dataOf(await call("GET", `bot-credits/${phone}`));
  const both = { phone_number: phone, whatsapp_user_id: whatsappId };
  await bot("deduct", { ...both, reference_id: wamid(phone) });
  await bot("deduct", { phone_number: oldPhone, reference_id: wamid(oldPhone, 1) });
  await bot("deduct", { phone_number: oldPhone, reference_id: `for ${name}` });
  const [captured, released] = [wamid(phone, 2), wamid(phone, 1)];
  await bot("reserve", { ...both, reference_id: captured });
  await bot("capture", { ...both, reference_id: captured });
  await bot("reserve", { ...both, reference_id: released });
  await bot("release", { ...both, reference_id: released });
  // One that expires: the bot is told which.
  await bot("reserve", { ...both, reference_id: wamid(phone) });
  await sql`update public.holds set expires_at = now() where state = 'open'`;
  await sql`update public.users set next_hold_expiry_at = now() where open_holds > 0`;
  dataOf(await call("GET", `bot-credits/${phone}`));

  // A payment link, paid, with a refund and a dispute; and a card that fails.
  const link = dataOf(
    await call("POST", "bot-payment-link", {
      body: { ...both, package_id: "starter", reference_id: wamid(phone) },
    }),
  );
  const { id: linkId } = one(
    await sql`
    select razorpay_payment_link_id as id from public.payment_orders
    where short_url = ${z.string().parse(link.short_url)}`,
  );
  const paid = await control.payPaymentLink(linkId, {
    outcome: "captured",
    deliver_webhooks: true,
    ...payer,
  });
  await control.refund(paid.razorpay_payment_id, { amount: 4_000, notes: { to: name } });
  const dispute = await control.openDispute(paid.razorpay_payment_id, { amount: 3_000 });
  await control.changeDispute(dispute.id, { status: "lost" });
  const unpaid = dataOf(
    await call("POST", "bot-payment-link", {
      body: { whatsapp_user_id: whatsappId, package_id: "pro", reference_id: wamid(phone, 2) },
    }),
  );
  ok(unpaid.short_url);
  await control.payOrder(await orderPackage(phone, "popular"), {
    outcome: "failed",
    deliver_webhooks: true,
    ...payer,
  });
  await orderPackage(oldPhone, "popular");
  // For a friend, who stays.
  const friend = newPhoneNumber();
  await newUser(friend);
  await control.payOrder(await orderPackage(friend, "starter"), {
    outcome: "captured",
    deliver_webhooks: true,
    ...payer,
    contact: phone,
  });
  await control.webhooksDelivered();

  // A page, and a session of Supabase Auth.
  dataOf(await call("GET", `users/${phone}`));
  const authId = randomUUID();
  await sql`insert into auth.users (id, phone, email) values (${authId}, ${
    phone.slice(1)
  }, ${email})`;
  await sql`
    insert into auth.identities (id, provider, provider_id, user_id, identity_data)
    values (${randomUUID()}, 'phone', ${authId}, ${authId},
      jsonb_build_object('phone', ${phone}::text))`;
  await sql`
    insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to)
    values (${randomUUID()}, ${authId}, 'reauthentication_token', 'hash', ${phone.slice(1)})`;
  // Somebody else is about to take over the old number, whose own user was deleted before.
  const [otherId, deletedId] = [randomUUID(), randomUUID()];
  await sql`
    insert into auth.users (id, email, phone_change, phone_change_token)
    values (${otherId}, ${`${otherId}@other.example`}, ${oldPhone.slice(1)}, 'hash')`;
  await sql`
    insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to)
    values (${randomUUID()}, ${otherId}, 'phone_change_token', 'hash', ${oldPhone.slice(1)}),
      (${randomUUID()}, ${otherId}, 'email_change_token_new', 'hash', ${STRANGER})`;
  const byTheProject = {
    actor_id: "00000000-0000-0000-0000-000000000000",
    actor_username: "service_role",
    log_type: "team",
  };
  const log = [
    { actor_id: authId, actor_username: phone.slice(1), action: "login", log_type: "account" },
    { actor_id: authId, actor_username: email, action: "logout", log_type: "account" },
    {
      actor_id: deletedId,
      actor_username: oldPhone.slice(1),
      action: "login",
      log_type: "account",
    },
    {
      ...byTheProject,
      action: "user_deleted",
      traits: { user_id: deletedId, user_email: "", user_phone: oldPhone.slice(1) },
    },
    {
      ...byTheProject,
      action: "user_modified",
      traits: { user_id: authId, user_email: email, user_phone: "" },
    },
    { actor_id: otherId, actor_username: STRANGER, action: "login", log_type: "account" },
  ];
  for (const payload of log) {
    await sql`
      insert into auth.audit_log_entries (id, payload)
      values (${randomUUID()}, ${JSON.stringify(payload)}::text::json)`;
  }

  // Operators, and the merge.
  dataOf(
    await settleByHand({
      order: paid.razorpay_payment_id,
      reason: `${name}, ${oldPhone}, ${email} asked`,
    }),
  );
  const [userId, oldUserId] = [await newUser(phone), await newUser(oldPhone)];
  const stuck = { ...both, reference_id: wamid(phone, 1) };
  await bot("reserve", stuck);
  const actions: [name: string, fields: Record<string, unknown>][] = [
    ["adjust-credits", { user_id: userId, credits: -1 }],
    ["freeze-user", { user_id: oldUserId }],
    ["unfreeze-user", { user_id: oldUserId }],
    ["end-hold", { user_id: userId, hold_reference_id: stuck.reference_id }],
    ["refund-payment", { payment_id: paid.razorpay_payment_id, amount_paise: 500 }],
  ];
  for (const [action, fields] of actions) {
    // Whoever types the word that an erasure leaves is erased as well.
    const reason = action === "unfreeze-user" ? "erased" : `${name} asked`;
    const why = { operator: "Asha", reason, reference_id: `${action} ${phone}` };
    dataOf(await call("POST", action, { body: { ...fields, ...why }, headers: operatorHeaders() }));
  }
  const { headers } = await newOperator(shop);
  dataOf(
    await act(
      "adjust-credits",
      { user_id: userId, credits: 1, reason: `${name} called`, reference_id: `call of ${phone}` },
      headers,
    ),
  );
  strictEqual(
    one(await sql`select public.merge_users(${oldUserId}, ${userId}) as outcome`).outcome,
    "merged",
  );
  // Something that the check of the books has found.
  await sql`
    insert into public.book_violations (invariant, subject, detail, user_id)
    values ('an invariant', ${`identity ${phone}`}, ${`reference ${wamid(phone)}`}, ${userId})`;
  // A delivery from before names and contacts were left out.
  await sql`
    insert into public.webhook_deliveries
      (event_id, event, payload, razorpay_payment_id, outcome, finished_at)
    values ('old', 'payment.captured', ${`{"contact":"\\u002b${
    phone.slice(1)
  }","x":"\\u0000"}`}::json,
      ${paid.razorpay_payment_id}, 'settled', now())`;

  return {
    userId,
    phone,
    texts: [...[phone, oldPhone, contact].map(nationalPart), whatsappId, name, email],
  };
}

const WHERE_A_LIFE_LEAVES_TRACES = [
  "auth.audit_log_entries",
  "auth.identities",
  "auth.one_time_tokens",
  "auth.users",
  "pg_catalog.pg_statistic",
  "public.adjustments",
  "public.book_violations",
  "public.credit_transactions",
  "public.events",
  "public.holds",
  "public.identities",
  "public.operator_actions",
  "public.order_references",
  "public.payment_orders",
  "public.rate_counters",
  "public.users",
  "public.webhook_deliveries",
];

function erase(user_id: string) {
  return call("POST", "erase-user", {
    body: { user_id, operator: "Asha", reason: "They asked", reference_id: randomUUID() },
    headers: operatorHeaders(),
  });
}

Deno.test("after a whole life and an erasure, no table holds the person in any form", async () => {
  const person = await wholeLife();
  // PostgreSQL takes samples of the columns.
  await superuser`analyze`;
  deepStrictEqual(await tracesOf(superuser, person.texts), WHERE_A_LIFE_LEAVES_TRACES);
  await assertBooksAreRight(sql);

  const { auth } = dataOf(await erase(person.userId));
  strictEqual(auth, "deleted");
  await assertBooksAreRight(sql);
  deepStrictEqual(await tracesOf(superuser, person.texts), []);
  deepStrictEqual(await tracesOf(superuser, [STRANGER]), [
    "auth.audit_log_entries",
    "auth.one_time_tokens",
  ]);
});

/** Runs `act` in a transaction of a superuser that is rolled back. */
async function undone<Result>(act: (sql: postgres.ISql) => Promise<Result>): Promise<Result> {
  const connection = await superuser.reserve();
  try {
    await connection`begin`;
    return await act(connection);
  } finally {
    await connection`rollback`;
    connection.release();
  }
}

/** Replaces a function by one that differs in one place. */
async function change(
  connection: postgres.ISql,
  { name, from, to }: { name: string; from: string; to: string },
): Promise<void> {
  const { source } = one(
    await connection<{ source: string }[]>`
    select pg_get_functiondef(${name}::regproc) as source`,
  );
  strictEqual(source.split(from).length, 2, `${name} has this in one place: ${from}`);
  await connection.unsafe(source.replace(from, () => to));
}

/** Erases somebody in SQL, with made-up hashes. */
async function eraseInSql(connection: postgres.ISql, userId: string): Promise<string> {
  const { outcome } = one(
    await connection<{ outcome: string }[]>`
    select e.outcome from public.erase_user(${userId}, 'Asha', 'They asked', (
      select jsonb_object_agg(i.kind || ' ' || i.value, repeat('0', 64))
      from public.identities i where i.user_id = ${userId}
    )) e`,
  );
  return outcome;
}

const ERASE = "public.erase_user";
const REPLACE = "private.replace_references";
const IN_AUTH = "private.delete_auth_users";

/** A way to forget one place. `users` and `payment_orders` cannot be forgotten: constraints see to it. */
const FORGETFUL: readonly { leaves: string[]; name: string; from: string; to: string }[] = [
  {
    leaves: ["public.identities"],
    name: ERASE,
    from: "delete from public.identities i where",
    to: "delete from public.identities i where false and",
  },
  {
    leaves: ["public.rate_counters"],
    name: ERASE,
    from: "where c.subject = any",
    to: "where false and c.subject = any",
  },
  {
    leaves: ["public.events"],
    name: ERASE,
    from: "where e.user_id = any",
    to: "where false and e.user_id = any",
  },
  {
    leaves: ["public.webhook_deliveries"],
    name: ERASE,
    from: "set payload = '{}'",
    to: "set payload = d.payload",
  },
  {
    leaves: ["public.credit_transactions"],
    name: REPLACE,
    from: "and t.reference_id = r.reference_id",
    to: "and false",
  },
  {
    leaves: ["public.adjustments"],
    name: REPLACE,
    from: "where a.user_id = any (user_ids) and a.reference_id = r.reference_id",
    to: "where false",
  },
  {
    leaves: ["public.book_violations"],
    name: ERASE,
    from: "where v.user_id = any (v_user_ids) or",
    to: "where",
  },
  {
    leaves: ["public.events"],
    name: ERASE,
    from: "where e.user_id = any (v_user_ids) or e.order_id",
    to: "where e.order_id",
  },
  {
    leaves: ["public.holds"],
    name: REPLACE,
    from: "and h.reference_id = r.reference_id",
    to: "and false",
  },
  {
    leaves: ["public.order_references"],
    name: REPLACE,
    from: "and o.reference_id = r.reference_id",
    to: "and false",
  },
  {
    leaves: ["public.operator_actions"],
    name: REPLACE,
    from: "and (a.reason <> 'erased' or a.reference_id !~ '^erased [0-9a-f-]{36}$')",
    to: "and false",
  },
  {
    leaves: ["auth.identities", "auth.users"],
    name: IN_AUTH,
    from: "delete from auth.users u where",
    to: "delete from auth.users u where false and",
  },
  {
    leaves: ["auth.audit_log_entries"],
    name: IN_AUTH,
    from: "e where e.payload",
    to: "e where false and e.payload",
  },
  {
    leaves: ["auth.audit_log_entries"],
    name: IN_AUTH,
    from: "unnest(v_spellings || v_user_ids::text[])",
    to: "unnest(v_user_ids::text[])",
  },
  {
    leaves: ["auth.audit_log_entries"],
    name: IN_AUTH,
    from: "unnest(v_spellings || v_user_ids::text[])",
    to: "unnest(v_spellings)",
  },
  {
    leaves: ["auth.users"],
    name: IN_AUTH,
    from: "where u.phone_change = any ($1)",
    to: "where false and u.phone_change = any ($1)",
  },
  {
    leaves: ["auth.one_time_tokens"],
    name: IN_AUTH,
    from: "t where t.relates_to",
    to: "t where false and t.relates_to",
  },
];

testOfTests("an erasure that forgets one table is found out", async () => {
  const person = await wholeLife();
  for (const { leaves, ...forgetful } of FORGETFUL) {
    await undone(async (connection) => {
      await change(connection, forgetful);
      strictEqual(await eraseInSql(connection, person.userId), "erased");
      // PostgreSQL may have taken samples meanwhile, which only another transaction replaces.
      const found = await tracesOf(connection, person.texts);
      deepStrictEqual(found.filter((name) => name !== "pg_catalog.pg_statistic"), leaves);
    });
  }
  for (
    const [from, to] of [
      ["set phone_number = null, erased_at", "set erased_at"],
      ["set phone_number = null, whatsapp_user_id = null, placed_by = null,", "set"],
    ] as const
  ) {
    await undone(async (connection) => {
      await change(connection, { name: ERASE, from, to });
      await rejects(eraseInSql(connection, person.userId), { code: "23514" });
    });
  }
});

const REFUSED = { code: "23001", message: /append-only/ };
const NEW_REFERENCE = "'erased ' || gen_random_uuid()";

Deno.test("nothing but the erasure replaces a reference or a reason, whoever tries", async () => {
  const person = await wholeLife();
  dataOf(await erase(person.userId));
  const ids = `array['${person.userId}']::uuid[]`;
  const statements = [
    `update public.credit_transactions set reference_id = ${NEW_REFERENCE}
     where user_id = '${person.userId}' and source = 'image_generation'`,
    `update public.operator_actions set reason = 'erased'`,
    `select private.replace_references(${ids}, array(select id from public.payment_orders))`,
    `do $$ begin perform private.replace_references(${ids},
       array(select id from public.payment_orders)); end; $$`,
    `do $$ begin
       update public.credit_transactions set reference_id = ${NEW_REFERENCE} where source = 'chat'
       or user_id = '${person.userId}' /*
PL/pgSQL function public.erase_user(uuid,text,text,jsonb) line 1 at PERFORM*/;
     end; $$`,
  ];
  // Somebody else's action, which an erasure would have reached.
  await sql`
    insert into public.operator_actions (action, user_id, operator, reason, outcome)
    values ('settle-order', ${person.userId}, 'Asha', 'later', 'none')`;
  for (const statement of statements) {
    await undone((connection) => rejects(connection.unsafe(statement), REFUSED));
  }
});

Deno.test("during an erasure, every other change is refused as ever", async () => {
  const person = await wholeLife();
  const other = newPhoneNumber();
  const stranger = await newUser(other);
  await bot("deduct", { phone_number: person.phone, reference_id: "the last one" });
  await bot("deduct", { phone_number: other, reference_id: "somebody else's" });
  const mine = `user_id = '${person.userId}' and source = 'image_generation'`;
  const changes = [
    `update public.credit_transactions set reference_id = ${NEW_REFERENCE}, credits = 1000
     where ${mine}`,
    `update public.credit_transactions set balance_after = balance_after + 1 where ${mine}`,
    `update public.credit_transactions set reference_id = 'erased ' || sequence_number where ${mine}`,
    `update public.credit_transactions set reference_id = null where ${mine}`,
    `update public.credit_transactions set reference_id = ${NEW_REFERENCE}
     where user_id = '${person.userId}' and source = 'payment'`,
    `update public.credit_transactions set reference_id = ${NEW_REFERENCE}
     where user_id = '${person.userId}' and source = 'merge'`,
    `update public.credit_transactions set reference_id = ${NEW_REFERENCE}
     where user_id = '${stranger}' and source = 'image_generation'`,
    `delete from public.credit_transactions where ${mine}`,
    "truncate public.credit_transactions",
    "update public.operator_actions set reason = 'fine'",
    "update public.operator_actions set reason = 'erased', operator = 'Nobody'",
    "update public.operator_actions set reason = 'erased', before = '{}'",
    "update public.operator_actions set reason = 'erased', reference_id = 'mine', request = '{}'",
    "update public.operator_actions set outcome = 'settled'",
    "delete from public.operator_actions",
    "truncate public.operator_actions",
    "delete from public.action_prices",
  ];
  for (const statement of changes) {
    await undone(async (connection) => {
      await change(connection, { name: REPLACE, from: "begin", to: `begin ${statement};` });
      await rejects(eraseInSql(connection, person.userId), REFUSED, statement);
    });
  }
  strictEqual(await undone((connection) => eraseInSql(connection, person.userId)), "erased");
});

Deno.test("a long history is forgotten within a call, and its entries are looked at once", async () => {
  const phone = newPhoneNumber();
  const userId = await newUser(phone);
  const jobs = 20_000;
  await sql`select public.adjust_credits(${userId}, ${jobs}, 'Asha', 'A gift', ${randomUUID()})`;
  // Jobs of one credit, each under a hold and with a message id of its own.
  await sql.begin(async (sql) => {
    await sql`
      insert into public.holds (user_id, reference_id, action_id, price_id, credits, state, expires_at,
        remaining_after, ended_at, captured_credits)
      select ${userId}, number || ' ' || ${phone}, p.action_id, p.id, 1, 'captured', now(),
        2 + ${jobs}::integer - number, clock_timestamp(), 1
      from generate_series(1, ${jobs}::integer) number,
        (select * from public.action_prices where action_id = 'image_generation') p`;
    await sql`
      insert into public.credit_transactions (user_id, sequence_number, action, credits, source,
        reference_id, balance_after, price_id, remaining_after)
      select h.user_id, 2 + number, 'debit', 1, h.action_id, h.reference_id,
        3 + ${jobs}::integer - number, h.price_id, 3 + ${jobs}::integer - number
      from generate_series(1, ${jobs}::integer) number
      join public.holds h
        on h.user_id = ${userId} and h.reference_id = number || ' ' || ${phone}`;
    await sql`
      update public.users set credits = 3, transaction_count = 2 + ${jobs}::integer
      where id = ${userId}`;
  });
  await assertBooksAreRight(sql);

  await undone(async (connection) => {
    await connection`set local track_functions = 'pl'`;
    strictEqual(await eraseInSql(connection, userId), "erased");
    const calls = await connection`
      select funcname as name, calls::integer from pg_catalog.pg_stat_xact_user_functions
      where funcname in ('keep_ledger', 'is_erasing') order by name`;
    deepStrictEqual([...calls], [
      // Once more for what the operator has done.
      { name: "is_erasing", calls: 2 },
      { name: "keep_ledger", calls: 1 },
    ]);
  });
  dataOf(await erase(userId));
  await assertBooksAreRight(sql);
  await superuser`analyze`;
  deepStrictEqual(await tracesOf(superuser, [nationalPart(phone)]), []);
});

Deno.test.each([...OLD_SPELLINGS])(
  "whoever has %s and signed in with an old spelling, %s, is deleted in Auth, too",
  async (phone, old) => {
    const userId = await newUser(phone);
    const [authId, logId] = [randomUUID(), randomUUID()];
    await sql`insert into auth.users (id, phone) values (${authId}, ${old.slice(1)})`;
    await sql`
      insert into auth.audit_log_entries (id, payload)
      values (${logId}, jsonb_build_object('actor_username', ${old}::text))`;
    const others = [randomUUID(), randomUUID()];
    // One that is about to take over the number, and one with a number that looks like it.
    await sql`
      insert into auth.users (id, phone, phone_change, phone_change_token)
      values (${others[0]!}, null, ${old.slice(1)}, 'hash'), (${others[1]!}, ${`${
      old.slice(1)
    }0`}, '', '')`;

    strictEqual(dataOf(await erase(userId)).auth, "deleted");
    deepStrictEqual([...await sql`select id from auth.users where id = ${authId}`], []);
    deepStrictEqual([...await sql`select id from auth.audit_log_entries where id = ${logId}`], []);
    deepStrictEqual(
      [
        ...await sql`
        select phone_change from auth.users where id in ${sql(others)} order by phone nulls first`,
      ],
      [{ phone_change: "" }, { phone_change: "" }],
    );
  },
);

Deno.test("a number that somebody tried to pay for and that never became a user is erased too", async () => {
  const phone = newPhoneNumber();
  const payer = { contact: phone, email: `${randomUUID()}@quax.example` };
  await payForPackage(control, phone, "starter", { outcome: "failed", ...payer });
  await orderPackage(phone, "popular");
  await control.webhooksDelivered();

  const find = async () =>
    dataOf(
      await call("POST", "find-customer", { body: { query: phone }, headers: operatorHeaders() }),
    );
  const { customers, unclaimed_orders } = z.object({
    customers: z.array(z.unknown()),
    unclaimed_orders: z.array(z.object({ phone_number: z.literal(phone) })),
  }).parse(await find());
  deepStrictEqual([customers.length, unclaimed_orders.length], [0, 2]);

  dataOf(await call("GET", `bot-credits/${phone}`));
  const found = z.object({
    customers: z.tuple([z.object({ user_id: z.uuid(), orders: z.array(z.unknown()).length(2) })]),
    unclaimed_orders: z.tuple([]),
  }).parse(await find());
  dataOf(await erase(found.customers[0].user_id));
  await superuser`analyze`;
  deepStrictEqual(await tracesOf(superuser, [nationalPart(phone), payer.email]), []);
  await assertBooksAreRight(sql);
});

Deno.test("a link made before an erasure opens nothing, also once the number has come back", async () => {
  const phone = newPhoneNumber();
  await withEnvironment({ FRONTEND_ACCESS: "phone-proof" }, async () => {
    const userId = await newUser(phone);
    const link = await cameByLink(phone);
    dataOf(await call("GET", `users/${phone}`, { headers: link }));
    dataOf(await erase(userId));

    for (let visit = 1; visit <= 2; visit++) {
      expectError(await call("GET", `users/${phone}`, { headers: link }), INVALID_PROOF);
      const history = await call("GET", `credit-history/${userId}`, { headers: link });
      expectError(history, { httpStatus: 404, code: "USER_NOT_FOUND" });
      if (visit === 1) {
        deepStrictEqual(
          [...await sql`select id from public.users where phone_number = ${phone}`],
          [],
        );
        await newUser(phone);
      }
    }
    dataOf(await call("GET", `users/${phone}`, { headers: await cameByLink(phone) }));
  });
});

Deno.test("what is refunded after an erasure is booked, and the body of the report names nobody", async () => {
  const phone = newPhoneNumber();
  const userId = await newUser(phone);
  const payer = {
    contact: phone,
    email: `${randomUUID()}@quax.example`,
    notes: { name: randomUUID() },
  };
  const purchase = await payForPackage(control, phone, "starter", {
    outcome: "captured",
    ...payer,
  });
  dataOf(await verify(purchase));
  dataOf(await erase(userId));

  await control.refund(purchase.checkout.razorpay_payment_id, { notes: { to: phone } });
  await control.webhooksDelivered();
  deepStrictEqual(
    [...await sql`select credits, debt_credits from public.users where id = ${userId}`],
    [{ credits: 3, debt_credits: 0 }],
  );
  const texts = [nationalPart(phone), payer.email, payer.notes.name];
  deepStrictEqual(await tracesOf(superuser, texts), []);
  const { payload } = one(
    await sql<{ payload: Record<string, unknown> }[]>`
    select payload #> '{payload,payment,entity}' as payload from public.webhook_deliveries
    where event = 'refund.processed'
      and razorpay_payment_id = ${purchase.checkout.razorpay_payment_id}`,
  );
  deepStrictEqual(
    [payload.id, payload.amount, payload.amount_refunded, payload.contact, payload.notes],
    [purchase.checkout.razorpay_payment_id, 9_900, 9_900, null, null],
  );
});
