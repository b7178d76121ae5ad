/**
 * The stack and the tests apply migrations themselves, a deployment with the Supabase CLI. Both do the
 * same and keep one record of it, so that either can go on where the other stopped.
 * @module
 */
import { deepStrictEqual, match, rejects, strictEqual } from "node:assert/strict";
import { migrate } from "../../local/postgres/migrations.ts";
import { listDifferences } from "../../local/postgres/schema-difference.ts";
import { runSupabase } from "../../local/postgres/supabase-cli.ts";
import { TaskError } from "../../local/system/task.ts";
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from "../support/database.ts";

const PUSH = ["db", "push", "--yes", "--include-seed"];

async function recordOf({ sql }: TestDatabase): Promise<unknown> {
  const [record] = await sql`
    select
      (select array_agg(version || ' ' || name order by version)
       from supabase_migrations.schema_migrations) as migrations,
      (select array_agg(path || ' ' || hash) from supabase_migrations.seed_files) as seeds,
      (select array_agg(concat_ws(' ', table_name, column_name, data_type, is_nullable)
         order by table_name, ordinal_position)
       from information_schema.columns where table_schema = 'supabase_migrations') as columns,
      (select array_agg(id || ' ' || price order by id) from public.packages) as packages`;
  return record;
}

Deno.test("the Supabase CLI finds what the stack applied, and leaves the same behind itself", async () => {
  const [own, pushed] = await Promise.all([createTestDatabase(), createEmptyDatabase(false)]);
  try {
    const { output, success } = await runSupabase([...PUSH, "--dry-run"], own.url);
    strictEqual(success, true, output);
    match(output, /up to date/);
    strictEqual((await runSupabase(PUSH, pushed.url)).success, true);
    deepStrictEqual(await recordOf(own), await recordOf(pushed));
    deepStrictEqual(await listDifferences(own.url, pushed.url, ["packages"]), []);

    await pushed.sql`update public.packages set price = 1`;
    await migrate(pushed.url);
    const [{ cheap }] = await pushed.sql<[{ cheap: boolean }]>`
      select every(price = 1) as cheap from public.packages`;
    strictEqual(cheap, true, "what the CLI applied is not applied again");
  } finally {
    await Promise.all([own.drop(), pushed.drop()]);
  }
});

Deno.test("two that migrate one database at once take turns", async () => {
  const database = await createEmptyDatabase(false);
  try {
    await Promise.all([migrate(database.url), migrate(database.url), migrate(database.url)]);
    const again = await createTestDatabase();
    deepStrictEqual(await recordOf(database), await recordOf(again));
    await again.drop();
  } finally {
    await database.drop();
  }
});

Deno.test("a database with a migration that is not in the folder is refused", async () => {
  const { sql, url, drop } = await createTestDatabase();
  try {
    await sql`insert into supabase_migrations.schema_migrations (version) values ('20200101000000')`;
    await rejects(migrate(url), (error: unknown) => {
      return error instanceof TaskError && error.message.includes("20200101000000");
    });
  } finally {
    await drop();
  }
});
