/**
 * Access rights, as the catalog has them and as each role meets them.
 *
 * Both kinds of project are tested: those that grant every new object to everyone, as projects created
 * before 30 October 2026 do, and those that grant nothing by default.
 * @module
 */

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { migrate } from "../../local/postgres/migrations.ts";
import { createEmptyDatabase, type TestDatabase } from "../support/database.ts";
import { OLD_SPELLINGS } from "../support/old-spellings.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { one } from "../support/lists.ts";

/** What the secret key may call: the functions behind the endpoints, and nothing else. */
const PUBLISHED_FUNCTIONS = [
  "add_operator",
  "adjust_credits",
  "ask_refund",
  "attach_payment_link",
  "attach_razorpay_order",
  "capture_credits",
  "check_invariants",
  "claim_event_deliveries",
  "claim_orders_to_check",
  "count_wrong_secret",
  "deduct_credits",
  "delete_abandoned_orders",
  "delete_expired_rate_counters",
  "delete_old_events",
  "delete_old_holds",
  "delete_old_webhooks",
  "delete_unpaid_orders",
  "disable_operator",
  "erase_user",
  "end_hold_by_hand",
  "expire_holds",
  "export_statement",
  "find_customers",
  "find_operator",
  "find_order",
  "find_payments",
  "finish_event_delivery",
  "finish_order_check",
  "finish_refund",
  "finish_webhook",
  "forgive_debt",
  "freeze_user",
  "get_customer",
  "get_user",
  "hand_out_events",
  "list_actions_taken",
  "list_attention",
  "list_credit_transactions",
  "list_operators",
  "list_entries",
  "list_prices",
  "list_violations",
  "merge_users",
  "merge_users_by_hand",
  "place_order",
  "receive_webhook",
  "record_operator_action",
  "refresh_samples",
  "release_hold",
  "resend_events",
  "reserve_credits",
  "run_book_check",
  "sales_report",
  "settle_payment",
  "unfreeze_user",
];

/** What a page may read without a session, and its own rows with one. */
const READABLE_TABLES: Record<string, string[]> = {
  anon: ["action_prices", "packages"],
  authenticated: ["action_prices", "credit_transactions", "packages", "users"],
  service_role: [],
};

/** Every privilege of any role other than an object's owner. */
const GRANTS = [
  ...Object.entries(READABLE_TABLES).flatMap(([role, tables]) =>
    tables.map((table) => `${role}: SELECT on ${table}`)
  ),
  ...PUBLISHED_FUNCTIONS.map((name) => `service_role: EXECUTE on ${name}`),
  // The policies use it to find out who is signed in.
  "authenticated: EXECUTE on private.session_user_id",
  "authenticated: USAGE on schema private",
].sort();

const databases: Record<string, TestDatabase> = {
  "that exposes new objects": await createEmptyDatabase(true),
  "that exposes nothing by itself": await createEmptyDatabase(false),
};
await Promise.all(Object.values(databases).map(({ url }) => migrate(url)));
Deno.test.afterAll(async () => {
  await Promise.all(Object.values(databases).map((database) => database.drop()));
});

/** Reads from the catalog what roles other than the owner may do with the objects of our schemas. */
async function readGrants(sql: postgres.ISql): Promise<string[]> {
  const rows = await sql`
    with objects (owner, name, acl) as (
      select c.relowner, c.oid::regclass::text,
        coalesce(
          c.relacl,
          acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner)
        )
      from pg_catalog.pg_class c
      where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
        and c.relkind not in ('i', 'I', 'c')
      union all
      select c.relowner, c.oid::regclass || '.' || a.attname, a.attacl
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_class c on c.oid = a.attrelid
      where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
      union all
      select p.proowner, p.oid::regproc::text, coalesce(p.proacl, acldefault('f', p.proowner))
      from pg_catalog.pg_proc p
      where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      union all
      select n.nspowner, 'schema private', coalesce(n.nspacl, acldefault('n', n.nspowner))
      from pg_catalog.pg_namespace n where n.nspname = 'private'
    )
    select case grants.grantee when 0 then 'public' else grants.grantee::regrole::text end as role,
      grants.privilege_type, objects.name
    from objects, aclexplode(objects.acl) as grants
    where grants.grantee <> objects.owner`;
  return rows.map(({ role, privilege_type, name }) => `${role}: ${privilege_type} on ${name}`)
    .sort();
}

/** Runs `act` as a role that the Data API takes on for a request, and rolls everything back. */
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

/** Runs `act` as the owner of the tables, and rolls everything back. */
async function inTransaction(
  { sql }: TestDatabase,
  act: (transaction: postgres.ISql) => Promise<void>,
): Promise<void> {
  const connection = await sql.reserve();
  try {
    await connection`begin`;
    await act(connection);
  } finally {
    await connection`rollback`;
    connection.release();
  }
}

for (const [kind, database] of Object.entries(databases)) {
  const { sql } = database;

  Deno.test(`in a project ${kind}, everybody has the privileges that are published, and no other`, async () => {
    deepStrictEqual(await readGrants(sql), GRANTS);
  });

  for (const [role, readable] of Object.entries(READABLE_TABLES)) {
    Deno.test(`in a project ${kind}, ${role} tries every table, and writes none`, async () => {
      const tables = await sql<{ name: string; column: string }[]>`
        select c.relname as name, a.attname as column
        from pg_catalog.pg_class c
        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = 1
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'`;
      for (const { name, column } of tables) {
        const table = `public.${name}`;
        const reading = as(role, database, (sql) => sql.unsafe(`select from ${table}`));
        if (readable.includes(name)) await reading;
        else await rejects(reading, { code: "42501" });
        for (
          const statement of [
            `insert into ${table} default values`,
            `update ${table} set ${column} = default`,
            `delete from ${table}`,
            `truncate ${table} cascade`,
          ]
        ) {
          await rejects(as(role, database, (sql) => sql.unsafe(statement)), { code: "42501" });
        }
      }
    });
  }

  for (const role of ["anon", "authenticated"]) {
    Deno.test(`in a project ${kind}, ${role} tries every function, and is refused`, async () => {
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

  Deno.test(`in a project ${kind}, anon reads the packages for sale and not the retired ones`, async () => {
    await sql`
      insert into public.packages (id, name, price, credits, is_active)
      values ('retired', 'Retired', 10, 5, false)`;
    const packages = await as("anon", database, (sql) => sql`select id from public.packages`);
    deepStrictEqual(packages.map(({ id }) => id).sort(), ["popular", "pro", "starter"]);
  });

  Deno.test(`in a project ${kind}, a session reads its own user and history, and nobody else's`, async () => {
    const [mine, theirs] = [newPhoneNumber(), newPhoneNumber()];
    const { user_id } = one(await sql`select user_id from public.get_user(${mine})`);
    await sql`select public.get_user(${theirs})`;
    const readAs = (claims: unknown) =>
      as("authenticated", database, async (sql) => {
        await sql`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
        const users = await sql`select id from public.users`;
        const entries = await sql`select user_id from public.credit_transactions`;
        return [users.map(({ id }) => id), entries.map((entry) => entry.user_id)];
      });
    const session = { aud: "authenticated", role: "authenticated", phone: mine.slice(1) };
    for (const claims of [{}, { phone: mine }, { is_anonymous: false }, { client_id: null }]) {
      deepStrictEqual(await readAs({ ...session, ...claims }), [[user_id], [user_id]]);
    }
    // As the functions read them, whichever way the number was spelled when signing in.
    for (const [dialed, old] of OLD_SPELLINGS) {
      const { user_id } = one(await sql`select user_id from public.get_user(${dialed})`);
      for (const phone of [dialed, old, dialed.slice(1), old.slice(1)]) {
        deepStrictEqual(await readAs({ ...session, phone }), [[user_id], [user_id]], phone);
      }
    }
    const otherClaims = [
      { phone: undefined, sub: mine },
      { phone: "" },
      { phone: newPhoneNumber().slice(1) },
      // The functions take none of these for the number either.
      { phone: `+++${mine.slice(1)}` },
      { phone: Number(mine.slice(1)) },
      { phone: [mine.slice(1)] },
      { aud: "anon" },
      { aud: undefined },
      { aud: ["authenticated"] },
      { role: "service_role" },
      { client_id: crypto.randomUUID() },
      { is_anonymous: true },
      { is_anonymous: "true" },
    ];
    for (const claims of otherClaims) {
      deepStrictEqual(await readAs({ ...session, ...claims }), [[], []], JSON.stringify(claims));
    }
  });

  Deno.test(`in a project ${kind}, service_role makes users by the function alone`, async () => {
    const phone = newPhoneNumber();
    const user = one(
      await as("service_role", database, (sql) => {
        return sql`select credits from public.get_user(${phone})`;
      }),
    );
    strictEqual(user.credits, 3);
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

  Deno.test(`in a project ${kind}, no function has the rights of a superuser`, async () => {
    const functions = await sql`
      select p.oid::regprocedure::text as name from pg_catalog.pg_proc p
      join pg_catalog.pg_roles r on r.oid = p.proowner
      where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
        and p.prosecdef and r.rolsuper`;
    deepStrictEqual([...functions], []);
  });

  Deno.test(`in a project ${kind}, every function that may lock or write has both timeouts`, async () => {
    const functions = await sql`
      select p.oid::regprocedure::text as name from pg_catalog.pg_proc p
      where p.pronamespace = 'public'::regnamespace and p.provolatile = 'v'
        and not coalesce(p.proconfig, '{}') @> '{lock_timeout=3s,statement_timeout=4s}'`;
    // An erasure has the time that a long history takes.
    deepStrictEqual([...functions], [{ name: "erase_user(uuid,text,text,jsonb,uuid)" }]);
  });

  Deno.test(`in a project ${kind}, what a later migration makes is open to nobody`, async () => {
    await inTransaction(database, async (transaction) => {
      await transaction`create table public.later (id bigint generated always as identity)`;
      await transaction`create function public.later() returns int language sql as 'select 1'`;
      deepStrictEqual(await readGrants(transaction), GRANTS);
    });
  });

  Deno.test(`in a project ${kind}, a grant that nobody meant is noticed`, async () => {
    await inTransaction(database, async (transaction) => {
      await transaction`grant execute on function public.get_user to public`;
      await transaction`grant update (credits) on table public.users to authenticated`;
      await transaction`grant usage on sequence public.operator_actions_id_seq to anon`;
      const unexpected = (await readGrants(transaction)).filter((grant) => !GRANTS.includes(grant));
      deepStrictEqual(unexpected, [
        "anon: USAGE on operator_actions_id_seq",
        "authenticated: UPDATE on users.credits",
        "public: EXECUTE on get_user",
      ]);
    });
  });
}
