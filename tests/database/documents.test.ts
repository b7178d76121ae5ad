/**
 * What the documents list of the database is what the migrations make.
 * @module
 */

import { deepStrictEqual } from "node:assert/strict";
import { REPOSITORY } from "../../local/system/settings.ts";
import { createTestDatabase } from "../support/database.ts";

const { sql, drop } = await createTestDatabase();
Deno.test.afterAll(drop);

function readDocument(name: string): Promise<string> {
  return Deno.readTextFile(`${REPOSITORY}/docs/${name}`);
}

Deno.test("the deployment names every table and type in public, for projects with tables of their own", async () => {
  const [, list = ""] = /in `public` the tables and types ([\s\S]*?);/
    .exec(await readDocument("deployment.md")) ?? [];
  const documented = [...list.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  const types = await sql<{ name: string }[]>`
    select t.typname as name
    from pg_catalog.pg_type t
    where t.typnamespace = 'public'::regnamespace
      -- A table is a type, too. Arrays get out of the way of other names.
      and t.typcategory <> 'A'`;
  deepStrictEqual(documented.toSorted(), types.map(({ name }) => name).toSorted());
});

Deno.test("the configuration lists every setting with its first value", async () => {
  const page = await readDocument("configuration.md");
  const [, section = ""] = /\n## Figures in the database\n([\s\S]*?)\n## /.exec(page) ?? [];
  const documented = [...section.matchAll(/^\| `(\w+)` +\| (\d+) /gm)]
    .map(([, name, value]) => ({ name, value: Number(value) }));
  const settings = await sql`select s.name, s.value from public.settings s`;
  const byName = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).toSorted();
  deepStrictEqual(byName(documented), byName(settings));
});
