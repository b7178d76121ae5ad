/**
 * The embedded Data API behaves like a hosted project's, as far as the functions and the frontends of
 * this project can see.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";
import type { Sql } from "postgres";
import { startBackend } from "../support/backend.ts";
import { createTestDatabase } from "../support/database.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { until } from "../../local/system/until.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());

const { environment, sql } = backend;
const { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY } = environment;
const OPTIONS = { auth: { persistSession: false, autoRefreshToken: false } };
const secret = createClient(SUPABASE_URL, SUPABASE_SECRET_KEY, OPTIONS);
const visitor = createClient(SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, OPTIONS);

Deno.test("the secret key calls the functions that are granted to it", async () => {
  const { data, error } = await secret.rpc("get_user", { phone_number: newPhoneNumber() });
  strictEqual(error, null);
  strictEqual(data.length, 1);
  strictEqual(data[0].credits, 3);
});

Deno.test("the secret key reaches no table by hand", async () => {
  for (const table of ["users", "credit_transactions", "payment_orders"]) {
    const { error, status } = await secret.from(table).select();
    strictEqual(`${status} ${error?.code}`, "403 42501", table);
  }
});

Deno.test("a visitor sees the packages, and calls nothing", async () => {
  const packages = await visitor.from("packages").select();
  strictEqual(packages.error, null);
  ok(packages.data.length > 0);
  const { error, status } = await visitor.rpc("get_user", { phone_number: newPhoneNumber() });
  strictEqual(`${status} ${error?.code}`, "401 42501");
});

Deno.test("a request without a key, or with a wrong one, is refused", async () => {
  const refused: Record<string, string>[] = [{}, { apikey: "sb_secret_of_another_project" }];
  for (const headers of refused) {
    const response = await fetch(`${SUPABASE_URL}/rest/v1/packages`, { headers });
    await response.body?.cancel();
    strictEqual(response.status, 401);
  }
});

Deno.test("serving requests changes no grant", async () => {
  await visitor.from("packages").select();
  const untouched = await createTestDatabase();
  try {
    deepStrictEqual(await grantsOf(sql), await grantsOf(untouched.sql));
  } finally {
    await untouched.drop();
  }
});

Deno.test("a visitor signs up and is known by the session", async () => {
  const user = createClient(SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, OPTIONS);
  const email = `${crypto.randomUUID()}@example.com`;
  const signUp = await user.auth.signUp({ email, password: crypto.randomUUID() });
  strictEqual(signUp.error, null);
  strictEqual((await user.auth.getUser()).data.user?.email, email);
  const { error, status } = await user.rpc("get_user", { phone_number: newPhoneNumber() });
  strictEqual(`${status} ${error?.code}`, "403 42501");
});

Deno.test("a new function can be called at once, and its errors keep their codes", async () => {
  await sql`
    create function public.fail(code text) returns void language plpgsql as $$
    begin raise exception 'told to' using errcode = code; end; $$`;
  await sql`grant execute on function public.fail to service_role`;
  try {
    const statuses: Record<string, number> = {
      P0001: 400,
      CR001: 400,
      "22023": 400,
      "23505": 409,
      "28000": 403,
      "40001": 500,
      "53300": 503,
      "55P03": 500,
      "57014": 500,
    };
    await until("the function is known", async () => {
      return (await secret.rpc("fail", { code: "P0001" })).error?.code === "P0001";
    });
    for (const [code, expected] of Object.entries(statuses)) {
      const { error, status } = await secret.rpc("fail", { code });
      strictEqual(`${status} ${error?.code} ${error?.message}`, `${expected} ${code} told to`);
    }
  } finally {
    await sql`drop function public.fail(text)`;
  }
});

Deno.test("a call is ended by the timeout that its function declares", async () => {
  await sql`
    create function public.linger() returns void language sql
    set statement_timeout = '200ms' as 'select pg_sleep(30)'`;
  await sql`grant execute on function public.linger to service_role`;
  try {
    await until("the function is known and ended", async () => {
      return (await secret.rpc("linger")).error?.code === "57014";
    });
  } finally {
    await sql`drop function public.linger()`;
  }
});

async function grantsOf(sql: Sql): Promise<string[]> {
  const grants = await sql`
    select format('%s may %s %s', grantee, privilege_type, table_name) as sentence
    from information_schema.role_table_grants
    where table_schema = 'public'
    order by sentence`;
  return grants.map(({ sentence }) => sentence);
}
