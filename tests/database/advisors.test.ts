/**
 * Supabase's linter has no complaints about the migrated database.
 * @module
 */

import { match, ok, strictEqual } from "node:assert/strict";
import { runSupabase } from "../../local/postgres/supabase-cli.ts";
import { createTestDatabase } from "../support/database.ts";

const database = await createTestDatabase();
Deno.test.afterAll(() => database.drop());

/** Fails with the findings above INFO. */
const ADVISORS = ["db", "advisors", "--type", "all", "--level", "warn", "--fail-on", "warn"];

Deno.test("the advisors find nothing above INFO, and would find a table that is open to all", async () => {
  const clean = await runSupabase(ADVISORS, database.url);
  ok(clean.success, clean.output);

  await database.sql`create table public.forgotten (id int primary key)`;
  await database.sql`grant select on table public.forgotten to anon`;
  const findings = await runSupabase(ADVISORS, database.url);
  strictEqual(findings.success, false);
  match(findings.output, /rls_disabled_in_public/);
});
