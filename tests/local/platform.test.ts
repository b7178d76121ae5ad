/**
 * Preparing a database as the hosted platform does, and applying the migrations to it.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { TaskError } from "../../local/system/task.ts";
import { prepareDatabase } from "../../local/postgres/platform.ts";
import { migrate } from "../../local/postgres/migrations.ts";
import { createEmptyDatabase } from "../support/database.ts";
import { one } from "../support/lists.ts";

Deno.test("migrations run as a role that is no superuser and owns the database", async () => {
  const { sql, drop } = await createEmptyDatabase(false);
  try {
    const [role] = await sql`
      select rolname, rolsuper, pg_get_userbyid(datdba) as owner
      from pg_roles, pg_database where rolname = current_user and datname = current_database()`;
    deepStrictEqual({ ...role }, { rolname: "postgres", rolsuper: false, owner: "postgres" });
  } finally {
    await drop();
  }
});

Deno.test("preparing again changes nothing but what new objects are exposed to", async () => {
  const { sql, superuserUrl, drop } = await createEmptyDatabase(true);
  const exposed = async (table: string) => {
    await sql.unsafe(`create table public.${table} ()`);
    const { readable } = one(
      await sql`
      select has_table_privilege('anon', ${`public.${table}`}, 'select') as readable`,
    );
    return readable;
  };
  try {
    strictEqual(await exposed("under_the_old_rule"), true);
    await prepareDatabase(superuserUrl);
    strictEqual(await exposed("under_the_new_rule"), false);
    await prepareDatabase(superuserUrl, { exposeNewObjects: true });
    strictEqual(await exposed("under_the_old_rule_again"), true);
  } finally {
    await drop();
  }
});

Deno.test("a migration that fails is reported with its file and PostgreSQL's message", async () => {
  const { sql, url, drop } = await createEmptyDatabase(false);
  try {
    await sql`create table public.users ()`;
    await rejects(() => migrate(url), (error: unknown) => {
      ok(error instanceof TaskError);
      ok(error.message.includes('relation "users" already exists'), error.message);
      ok(error.message.includes("_initial.sql"), error.message);
      return true;
    });
  } finally {
    await drop();
  }
});
