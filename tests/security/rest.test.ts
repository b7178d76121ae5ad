/**
 * /rest/v1, bypassing the functions: what a page gets with the key that every page has, and with a
 * user's session.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { hs256, jsonWebToken } from "../support/signing.ts";
import { pageClient } from "../support/supabase-client.ts";

const backend = await startBackend();
const { environment, secrets, sql } = backend;
Deno.test.afterAll(() => backend.stop());

/** Every table and view, and every function that PostgREST could offer. */
const TABLES = await sql<{ name: string; column: string }[]>`
  select c.relname as name, a.attname as column
  from pg_catalog.pg_class c
  join lateral (
    select attname from pg_catalog.pg_attribute
    where attrelid = c.oid and attnum > 0 and attidentity = '' order by attnum limit 1
  ) a on true
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'm', 'p')`;
const FUNCTIONS = await sql<{ name: string; args: string[] }[]>`
  select p.proname as name, coalesce(p.proargnames[1:p.pronargs], '{}') as args
  from pg_catalog.pg_proc p where p.pronamespace = 'public'::regnamespace`;

const member = newPhoneNumber();
const memberId = String(dataOf(await call("GET", `users/${member}`)).id);
await call("POST", "bot-deduct", { body: { phone_number: member } });
dataOf(await call("GET", `users/${newPhoneNumber()}`));

/** A session that the embedded Data API knows: signed with the shared secret, as older projects do. */
function sessionOf(claims: Record<string, unknown>): string {
  const payload = {
    role: "authenticated",
    aud: "authenticated",
    sub: crypto.randomUUID(),
    exp: Math.floor(Date.now() / 1000) + 3600,
    ...claims,
  };
  return jsonWebToken({ alg: "HS256", typ: "JWT" }, payload, hs256(secrets.jwtSecret));
}

const CLIENTS = {
  "a visitor": pageClient(environment),
  "a session without a number": pageClient(environment, sessionOf({ phone: "" })),
  "a session of somebody unknown": pageClient(
    environment,
    sessionOf({ phone: newPhoneNumber().slice(1) }),
  ),
  "a session of a user": pageClient(environment, sessionOf({ phone: member.slice(1) })),
  "a session that claims the role service_role in its metadata": pageClient(
    environment,
    sessionOf({
      app_metadata: { role: "service_role" },
      user_metadata: { phone: member.slice(1) },
    }),
  ),
};

/** The price lists, which anyone may read, and how many rows they have. */
const PRICE_LISTS: Readonly<Record<string, number>> = { action_prices: 4, packages: 3 };

/** What each of them may read. */
const mayRead = (who: string, table: string) =>
  table in PRICE_LISTS || who !== "a visitor" && ["users", "credit_transactions"].includes(table);

for (const [who, supabase] of Object.entries(CLIENTS)) {
  Deno.test(`${who} tries every table, and gets what is on sale and at most their own rows`, async () => {
    ok(TABLES.length >= 10);
    for (const { name } of TABLES) {
      const { data, error } = await supabase.from(name).select("*");
      if (!mayRead(who, name)) {
        strictEqual(error?.code, "42501", name);
        strictEqual(data, null);
      } else if (name in PRICE_LISTS) {
        strictEqual(data?.length, PRICE_LISTS[name]);
      } else {
        const owners = new Set(data?.map((row) => name === "users" ? row.id : row.user_id));
        deepStrictEqual([...owners], who === "a session of a user" ? [memberId] : [], name);
      }
    }
  });

  Deno.test(`${who} writes nowhere`, async () => {
    for (const { name, column } of TABLES) {
      const attempts = [
        await supabase.from(name).insert({ [column]: null }),
        await supabase.from(name).upsert({ [column]: null }),
        await supabase.from(name).update({ [column]: null }).not(column, "is", null),
        await supabase.from(name).delete().not(column, "is", null),
      ];
      for (const { error } of attempts) strictEqual(error?.code, "42501", name);
    }
  });

  Deno.test(`${who} calls no function`, async () => {
    ok(FUNCTIONS.length >= 15);
    for (const { name, args } of FUNCTIONS) {
      const nothing = Object.fromEntries(args.map((arg) => [arg, null]));
      for (const options of [{}, { get: true }]) {
        const { data, error } = await supabase.rpc(name, nothing, options);
        ok(error !== null && data === null, name);
        strictEqual(error.code, "42501", `${name}: ${error.message}`);
      }
    }
  });
}

Deno.test("with a session a page follows its balance and its history as they change", async () => {
  const supabase = CLIENTS["a session of a user"];
  const read = async () => {
    const { data: users } = await supabase.from("users").select("credits, phone_number");
    const { data: entries } = await supabase.from("credit_transactions")
      .select("action, credits, balance_after").order("sequence_number", { ascending: false });
    return [users?.[0]?.credits, users?.[0]?.phone_number, entries?.[0]?.balance_after];
  };
  deepStrictEqual(await read(), [2, member, 2]);
  dataOf(await call("POST", "bot-deduct", { body: { phone_number: member } }));
  deepStrictEqual(await read(), [1, member, 1]);
});

Deno.test("joins and filters reach nobody else's rows either", async () => {
  const supabase = CLIENTS["a session of a user"];
  const { data } = await supabase.from("credit_transactions").select(
    "user_id, users(phone_number)",
  );
  ok(data && data.length > 0);
  for (const { user_id } of data) strictEqual(user_id, memberId);
  const others = await supabase.from("users").select("id").neq("id", memberId);
  deepStrictEqual(others.data, []);
  const { error } = await supabase.from("users").select("id, payment_orders(*)");
  ok(error !== null);
});
