/**
 * The migrations lead to the schema in `supabase/schemas/`, and any difference between two schemas is
 * noticed.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import {
  filledTables,
  listDifferences,
  writeChanges,
} from "../../local/postgres/schema-difference.ts";
import { applySchemaFiles, readSchemaFiles } from "../../local/postgres/schemas.ts";
import { migrate } from "../../local/postgres/migrations.ts";
import { REPOSITORY } from "../../local/system/settings.ts";
import { createEmptyDatabase, createTestDatabase } from "../support/database.ts";

const schemaFiles = await readSchemaFiles();

/** Changes, each with the difference that is reported for it. */
const CHANGES: Record<string, [statements: string, differing: RegExp]> = {
  "another function body": [
    `create or replace function private.find_user_id(phone_number text, whatsapp_user_id text)
     returns uuid language sql stable set search_path = '' as 'select null::uuid'`,
    /^function private\.find_user_id/,
  ],
  "another setting of a function": [
    "alter function public.place_order set lock_timeout = '5s'",
    /^function public\.place_order.*lock_timeout/,
  ],
  "a function that is no longer security definer": [
    "alter function public.find_payments security invoker",
    /^function public\.find_payments.*SECURITY DEFINER/,
  ],
  "a new function": [
    "create function public.extra() returns integer language sql as 'select 1'",
    /^function public\.extra\(\) is/,
  ],
  "a function that is gone": [
    "drop function public.list_attention",
    /^function public\.list_attention\(\) is/,
  ],
  "another comment": [
    "comment on column public.users.credits is 'Credits'",
    /^column public\.users\.credits.*comment/,
  ],
  "a comment that is gone": [
    "comment on function public.find_order is null",
    /^function public\.find_order.*comment/,
  ],
  "a new grant": [
    "grant select on public.payment_reversals to authenticated",
    /^table public\.payment_reversals.*authenticated/,
  ],
  "a grant of one column": [
    "grant update (credits) on public.users to authenticated",
    /^column public\.users\.credits.*UPDATE/,
  ],
  "a grant that is gone": [
    "revoke execute on function public.get_user from service_role",
    /^function public\.get_user.*service_role/,
  ],
  "another policy": [
    `alter policy "A session reads its own user" on public.users using (true)`,
    /^policy "A session reads its own user"/,
  ],
  "no row level security": [
    "alter table public.payments disable row level security",
    /^table public\.payments.*row security/,
  ],
  "another check": [
    `alter table public.users drop constraint credits_are_never_negative;
     alter table public.users add constraint credits_are_never_negative check (credits >= -1)`,
    /^constraint credits_are_never_negative/,
  ],
  "a foreign key that is checked at once": [
    "alter table public.identities alter constraint identities_user_id_fkey not deferrable",
    /^constraint identities_user_id_fkey/,
  ],
  "another default": [
    "alter table public.users alter debt_credits set default 1",
    /^column public\.users\.debt_credits/,
  ],
  "a new column": [
    "alter table public.users add column language text",
    /^column public\.users\.language/,
  ],
  "another order of the columns": [
    `alter table public.rate_counters add column counted integer not null;
     alter table public.rate_counters drop column count;
     alter table public.rate_counters rename column counted to count;
     alter table public.rate_counters add column extra integer;
     alter table public.rate_counters drop column window_ends_at;
     alter table public.rate_counters add column window_ends_at timestamptz not null`,
    /^column public\.rate_counters\.count.*place/,
  ],
  "another fillfactor": [
    "alter table public.users set (fillfactor = 100)",
    /^table public\.users.*fillfactor/,
  ],
  "a table that is logged": [
    "alter table public.rate_counters set logged",
    /^table public\.rate_counters/,
  ],
  "another condition of an index": [
    `drop index public.users_merged_into;
     create index users_merged_into on public.users (merged_into)`,
    /^index public\.users_merged_into/,
  ],
  "a trigger that is disabled": [
    `alter table public.credit_transactions
     disable trigger credit_transactions_are_append_only`,
    /^trigger credit_transactions_are_append_only/,
  ],
  "another row": [
    "update public.rate_limits set max_count = 7 where action = 'create_user' and scope = 'address'",
    /^update public\.rate_limits set max_count/,
  ],
  "a new row": [
    "insert into public.rate_limits values ('create_user', 'phone', 7, 60)",
    /^(insert into|delete from) public\.rate_limits/,
  ],
  "other default privileges": [
    "alter default privileges grant execute on functions to public",
    /^default privileges/,
  ],
};

const database = await createTestDatabase();
const changed = await createTestDatabase();
const tables = await filledTables(database.url);
Deno.test.afterAll(async () => {
  await Promise.all([database.drop(), changed.drop()]);
});
for (const [statements] of Object.values(CHANGES)) await changed.sql.unsafe(statements);
const differences = await Promise.all([
  listDifferences(database.url, changed.url, tables),
  listDifferences(changed.url, database.url, tables),
]);

for (const exposes of [false, true]) {
  const kind = exposes ? "that exposes new objects" : "that exposes nothing by itself";

  Deno.test(`the migrations lead to the schema of supabase/schemas in a project ${kind}`, async () => {
    const [migrated, wanted] = [
      await createEmptyDatabase(exposes),
      await createEmptyDatabase(exposes),
    ];
    try {
      // As in every Supabase project.
      for (const { sql } of [migrated, wanted]) await sql`create publication supabase_realtime`;
      await migrate(migrated.url, { seed: false });
      await applySchemaFiles(wanted.url, schemaFiles);
      const tables = await filledTables(migrated.url);
      deepStrictEqual(await filledTables(wanted.url), tables);
      deepStrictEqual(await listDifferences(migrated.url, wanted.url, tables), []);
      const published = await wanted.sql`
        select tablename from pg_catalog.pg_publication_tables order by tablename`;
      deepStrictEqual(published.map(({ tablename }) => tablename), [
        "credit_transactions",
        "users",
      ]);
    } finally {
      await migrated.drop();
      await wanted.drop();
    }
  });
}

for (const [change, [, differing]] of Object.entries(CHANGES)) {
  Deno.test(`a difference is noticed in both directions: ${change}`, () => {
    for (const found of differences) {
      ok(found.some((difference) => differing.test(difference)), found.join("; "));
    }
  });
}

Deno.test("no difference is found where there is none", async () => {
  deepStrictEqual(await listDifferences(database.url, database.url, tables), []);
  strictEqual(await writeChanges(database.url, database.url, tables), "");
});

Deno.test("what is written leads from one schema to the other, and the rest is listed", async () => {
  const target = await createTestDatabase();
  try {
    // An operator's own value stays.
    await target.sql`
      update public.rate_limits set max_count = 999
      where action = 'create_user' and scope = 'address'`;
    const written = await writeChanges(database.url, changed.url, tables);
    await target.sql.begin((sql) => sql.unsafe(written));
    const rest = await listDifferences(target.url, changed.url, tables);
    deepStrictEqual(rest.map((difference) => difference.replace(/ (has|is|set) .*/, "")), [
      // New columns come last, wherever the file has them.
      "column public.rate_counters.count",
      "column public.rate_counters.extra",
      "column public.rate_counters.window_ends_at",
      "default privileges of postgres on f in every schema",
      "update public.rate_limits",
    ]);
  } finally {
    await target.drop();
  }
});

Deno.test("a migration is named in lower-case words", async () => {
  for (const names of [[], ["Add-Expiry"], ["add expiry"], ["--check", "add_expiry"], ["_"]]) {
    const task = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "local/tasks/migration.ts", ...names],
      cwd: REPOSITORY,
    });
    const { success, stderr } = await task.output();
    strictEqual(success, false);
    match(new TextDecoder().decode(stderr), /^error: Name the change in lower-case words/);
  }
});
