/**
 * Who may reach what: asked of the catalogue, and tried as each role.
 *
 * Both kinds of project are tested: those that grant every new object to everybody, as projects made
 * before 30 October 2026 do, and those that grant nothing by themselves.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { migrate } from "../../local/supabase-cli.ts";
import { createEmptyDatabase, type TestDatabase } from "../support/database.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";

/** What the holder of the secret key may call: the functions behind the endpoints, and nothing else. */
const PUBLISHED_FUNCTIONS = [
  "check_invariants",
  "claim_orders_to_check",
  "deduct_credits",
  "find_order",
  "find_payments",
  "finish_order_check",
  "finish_webhook",
  "get_user",
  "list_attention",
  "list_credit_transactions",
  "open_link",
  "open_order",
  "place_order",
  "receive_webhook",
  "record_operator_action",
  "settle_payment",
];

const databases: Record<string, TestDatabase> = {
  "that exposes new objects": await createEmptyDatabase(true),
  "that exposes nothing by itself": await createEmptyDatabase(false),
};
await Promise.all(Object.values(databases).map(({ url }) => migrate(url)));
Deno.test.afterAll(async () => {
  await Promise.all(Object.values(databases).map((database) => database.drop()));
});

/** Runs `act` as a role that the Data API becomes for a request, and leaves nothing behind. */
async function as<Result>(
  role: string,
  { sql }: TestDatabase,
  act: (sql: postgres.Sql) => Promise<Result>,
): Promise<Result> {
  const connection = await sql.reserve();
  try {
    await connection`begin`;
    await connection`select set_config('role', ${role}, true)`;
    return await act(connection);
  } finally {
    await connection`rollback`;
    connection.release();
  }
}

for (const [kind, database] of Object.entries(databases)) {
  const { sql } = database;

  Deno.test(`in a project ${kind}, anon and authenticated can execute no function`, async () => {
    const executable = await sql`
      select role, p.oid::regprocedure::text as function
      from pg_catalog.pg_proc p, unnest(array['anon', 'authenticated', 'public']) as role
      where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
        and has_function_privilege(role, p.oid, 'execute')`;
    deepStrictEqual([...executable], []);
  });

  Deno.test(`in a project ${kind}, anon and authenticated can read packages and touch nothing else`, async () => {
    const reachable = await sql`
      select role, c.relname as relation, privilege
      from pg_catalog.pg_class c,
        unnest(array['anon', 'authenticated', 'public']) as role,
        unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger'])
          as privilege
      where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
        and c.relkind in ('r', 'p', 'v', 'm', 'f')
        and case
          when privilege in ('select', 'insert', 'update', 'references')
          then has_any_column_privilege(role, c.oid, privilege)
          else has_table_privilege(role, c.oid, privilege)
        end
      order by role`;
    deepStrictEqual([...reachable], [
      { role: "anon", relation: "packages", privilege: "select" },
      { role: "authenticated", relation: "packages", privilege: "select" },
    ]);
  });

  Deno.test(`in a project ${kind}, service_role has no privilege on any table`, async () => {
    const grants = await sql`
      select c.relname as relation, privilege
      from pg_catalog.pg_class c,
        unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger'])
          as privilege
      where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
        and c.relkind in ('r', 'p', 'v', 'm', 'f')
        and case
          when privilege in ('select', 'insert', 'update', 'references')
          then has_any_column_privilege('service_role', c.oid, privilege)
          else has_table_privilege('service_role', c.oid, privilege)
        end`;
    deepStrictEqual([...grants], []);
  });

  Deno.test(`in a project ${kind}, service_role can execute the published functions only`, async () => {
    const executable = await sql`
      select distinct p.oid::regproc::text as name
      from pg_catalog.pg_proc p
      where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
        and has_function_privilege('service_role', p.oid, 'execute')`;
    deepStrictEqual(executable.map(({ name }) => name).sort(), PUBLISHED_FUNCTIONS);
  });

  Deno.test(`in a project ${kind}, nobody but the owner can use a sequence or look into private`, async () => {
    const usable = await sql`
      select distinct role, c.relname as object
      from pg_catalog.pg_class c,
        unnest(array['anon', 'authenticated', 'service_role', 'public']) as role,
        unnest(array['usage', 'select', 'update']) as privilege
      where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
        and c.relkind = 'S'
        and has_sequence_privilege(role, c.oid, privilege)
      union all
      select role, 'private'
      from unnest(array['anon', 'authenticated', 'service_role', 'public']) as role
      where has_schema_privilege(role, 'private', 'usage')
        or has_schema_privilege(role, 'private', 'create')`;
    deepStrictEqual([...usable], []);
  });

  Deno.test(`in a project ${kind}, anon reads the packages for sale and may not write them`, async () => {
    await as("anon", database, async (sql) => {
      const rows = await sql`select id, is_active from public.packages`;
      ok(rows.length > 0);
      ok(rows.every(({ is_active }) => is_active));
    });
    for (
      const statement of [
        "insert into public.packages (id, name, price, credits) values ('gift', 'Gift', 1, 1000)",
        "update public.packages set price = 1",
        "delete from public.packages",
        "truncate public.packages cascade",
      ]
    ) {
      await rejects(as("anon", database, (sql) => sql.unsafe(statement)), { code: "42501" });
    }
  });

  for (const role of ["anon", "authenticated", "service_role"]) {
    Deno.test(`in a project ${kind}, ${role} is refused at every table`, async () => {
      const tables = await sql<{ name: string }[]>`
        select c.oid::regclass::text as name from pg_catalog.pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
          and (c.relname <> 'packages' or ${role} = 'service_role')`;
      ok(tables.length >= 3);
      for (const { name } of tables) {
        for (const statement of [`select from ${name}`, `delete from ${name}`]) {
          await rejects(as(role, database, (sql) => sql.unsafe(statement)), { code: "42501" });
        }
      }
    });
  }

  for (const role of ["anon", "authenticated"]) {
    Deno.test(`in a project ${kind}, ${role} is refused by every published function`, async () => {
      const functions = await sql<{ call: string }[]>`
        select format('select public.%I(%s)', p.proname, (
          select coalesce(string_agg(format('null::%s', format_type(argument, null)), ', '), '')
          from unnest(p.proargtypes) as argument
        )) as call
        from pg_catalog.pg_proc p
        where p.pronamespace = 'public'::regnamespace`;
      strictEqual(functions.length, PUBLISHED_FUNCTIONS.length);
      for (const { call } of functions) {
        await rejects(as(role, database, (sql) => sql.unsafe(call)), { code: "42501" });
      }
    });
  }

  Deno.test(`in a project ${kind}, service_role makes users by the function alone`, async () => {
    const phone = newPhoneNumber();
    const [user] = await as("service_role", database, (sql) => {
      return sql`select credits from public.get_user(${phone})`;
    });
    strictEqual(user.credits, 3);
    const insert = `insert into public.users (phone_number, credits, transaction_count)
      values ('${phone}', 1000, 1)`;
    await rejects(as("service_role", database, (sql) => sql.unsafe(insert)), { code: "42501" });
  });

  Deno.test(`in a project ${kind}, nobody but the owner can make objects in public`, async () => {
    for (const role of ["anon", "authenticated", "service_role"]) {
      await rejects(
        as(role, database, (sql) => sql.unsafe("create table public.mine ()")),
        { code: "42501" },
      );
    }
  });

  Deno.test(`in a project ${kind}, every table has row level security`, async () => {
    const tables = await sql`
      select c.oid::regclass::text as name from pg_catalog.pg_class c
      where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
        and c.relkind in ('r', 'p') and not c.relrowsecurity`;
    deepStrictEqual([...tables], []);
  });

  Deno.test(`in a project ${kind}, every function has its search_path set`, async () => {
    const functions = await sql`
      select p.oid::regprocedure::text as name from pg_catalog.pg_proc p
      where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
        and not exists (
          select from unnest(p.proconfig) as setting where setting = 'search_path=""'
        )`;
    deepStrictEqual([...functions], []);
  });

  Deno.test(`in a project ${kind}, every function with its owner's rights belongs to one who is no superuser`, async () => {
    const functions = await sql`
      select p.oid::regprocedure::text as name from pg_catalog.pg_proc p
      join pg_catalog.pg_roles r on r.oid = p.proowner
      where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
        and p.prosecdef and r.rolsuper`;
    deepStrictEqual([...functions], []);
  });
}

Deno.test("a grant that nobody meant would be noticed", async () => {
  const { sql } = databases["that exposes nothing by itself"];
  const [{ before }] = await sql`
    select has_function_privilege('anon', 'public.get_user(text)', 'execute') as before`;
  strictEqual(before, false);
  const mistake = sql.begin(async (transaction) => {
    await transaction`create function public.oops() returns int language sql as 'select 1'`;
    const [{ executable }] = await transaction`
      select has_function_privilege('anon', 'public.oops()', 'execute') as executable`;
    throw new Error(`anon can execute it: ${executable}`);
  });
  await rejects(mistake, /anon can execute it: true/);
});
