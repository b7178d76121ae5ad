/**
 * The difference between two databases: their schemas, and the rows that belong to the schema.
 *
 * pg-delta, which is part of the Supabase CLI, writes the statements that lead from one schema to the
 * other. Whether two schemas are the same is decided by comparing their catalogs, which also shows
 * what pg-delta does not see.
 * @module
 */

import postgres from "postgres";
import { TaskError } from "../system/task.ts";
import { runSupabase } from "./supabase-cli.ts";

/** The schemas that migrations write to. The comparison of catalogs covers all others as well. */
const SCHEMAS = ["public", "private"];

/** The definition of each object by its name, as catalog.sql writes them. */
type Catalog = ReadonlyMap<string, string>;

/** A row, its values as SQL literals. */
type Row = Readonly<Record<string, string>>;

/** The rows of a table. */
interface TableRows {
  readonly columns: readonly string[];
  readonly primaryKey: readonly string[];
  readonly rows: readonly Row[];
}

/** Returns the tables that have rows: in a new database, those whose rows belong to the schema. */
export async function filledTables(url: string): Promise<string[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const tables = await sql<{ name: string }[]>`
      select concat_ws('.', n.nspname, c.relname) as name
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and n.nspname = any (${SCHEMAS})
      order by name`;
    const filled: string[] = [];
    for (const { name } of tables) {
      const rows = await sql`select from ${sql(name)} limit 1`;
      if (rows.length > 0) filled.push(name);
    }
    return filled;
  } finally {
    await sql.end();
  }
}

/**
 * Lists in words what has to change for one database to have the schema of another, and the same rows
 * in `tables`. The list is empty if nothing differs.
 */
export async function listDifferences(
  fromUrl: string,
  toUrl: string,
  tables: readonly string[],
): Promise<string[]> {
  const [from, to] = await Promise.all([readCatalog(fromUrl), readCatalog(toUrl)]);
  const objects = [...new Set([...from.keys(), ...to.keys()])].sort();
  const differences = objects.flatMap((name) => {
    const [before, after] = [from.get(name), to.get(name)];
    if (before === after) return [];
    if (before === undefined) return [`${name} is missing`];
    if (after === undefined) return [`${name} is there and should not be`];
    return [`${name} ${describe(before, after)}`];
  });
  const { deletions, changes } = await writeRowChanges(fromUrl, toUrl, tables);
  return [...differences, ...deletions, ...changes];
}

/**
 * Writes the statements that lead from the schema of one database, and the rows of `tables`, to those
 * of another. They are a draft to be read by a person, because a program cannot write everything;
 * {@linkcode listDifferences} shows whether they are complete.
 */
export async function writeChanges(
  fromUrl: string,
  toUrl: string,
  tables: readonly string[],
): Promise<string> {
  const { deletions, changes } = await writeRowChanges(fromUrl, toUrl, tables);
  // Rows are deleted before the schema changes, which may forbid them, and added after it.
  return [...deletions, await writeSchemaChanges(fromUrl, toUrl), ...changes]
    .filter((statement) => statement !== "").join("\n\n");
}

async function readCatalog(url: string): Promise<Catalog> {
  const query = await Deno.readTextFile(new URL("./catalog.sql", import.meta.url));
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql`select set_config('search_path', '', false)`;
    const objects = await sql.unsafe<{ name: string; definition: string }[]>(query);
    return new Map(objects.map(({ name, definition }) => [name, definition]));
  } finally {
    await sql.end();
  }
}

/** Describes the difference between two definitions by the first line that only one of them has. */
function describe(before: string, after: string): string {
  const [left, right] = [before.split("\n"), after.split("\n")];
  const surplus = left.find((line) => !right.includes(line))?.trim();
  const missing = right.find((line) => !left.includes(line))?.trim();
  if (surplus !== undefined && missing !== undefined) {
    return `has "${surplus}" and should have "${missing}"`;
  }
  if (surplus !== undefined) return `has "${surplus}" and should not`;
  return missing === undefined ? "has its lines in another order" : `lacks "${missing}"`;
}

async function writeSchemaChanges(fromUrl: string, toUrl: string): Promise<string> {
  const { success, stdout, output } = await runSupabase([
    ...["db", "diff", "--use-pg-delta", `--schema=${SCHEMAS.join(",")}`],
    `--from=${withoutTls(fromUrl)}`,
    `--to=${withoutTls(toUrl)}`,
  ]);
  if (!success) {
    throw new TaskError(`The Supabase CLI could not compare. It says:\n${output}`);
  }
  // The CLI prints its warnings among the statements, in a frame.
  return stdout.split("\n").filter((line) => !/^[│▲●]/.test(line)).join("\n").trim();
}

/** The embedded server speaks no TLS. */
function withoutTls(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.searchParams.set("sslmode", "disable");
  return url.href;
}

async function writeRowChanges(
  fromUrl: string,
  toUrl: string,
  tables: readonly string[],
): Promise<{ deletions: string[]; changes: string[] }> {
  const deletions: string[] = [];
  const changes: string[] = [];
  for (const table of tables) {
    const [from, to] = await Promise.all([readRows(fromUrl, table), readRows(toUrl, table)]);
    // The rows go with the table.
    if (!to) continue;
    const { columns, primaryKey } = to;
    if (primaryKey.length === 0) {
      throw new TaskError(
        `${table} has rows that belong to the schema, and needs a primary key to compare them by.`,
      );
    }
    const keyOf = (row: Row) => JSON.stringify(primaryKey.map((column) => row[column]));
    const before = new Map(from?.rows.map((row) => [keyOf(row), row]));
    const after = new Map(to.rows.map((row) => [keyOf(row), row]));
    for (const [key, row] of before) {
      if (!after.has(key)) {
        deletions.push(`delete from ${table} where ${conditions(row, primaryKey)};`);
      }
    }
    for (const [key, row] of after) {
      const old = before.get(key);
      if (!old) changes.push(insertion(table, columns, row));
      else changes.push(...update(table, primaryKey, old, row));
    }
  }
  return { deletions, changes };
}

function insertion(table: string, columns: readonly string[], row: Row): string {
  const values = columns.map((column) => row[column]).join(", ");
  return `insert into ${table} (${columns.join(", ")}) values (${values}) on conflict do nothing;`;
}

/**
 * Changes a row only if it still has the schema's former values, so that values an operator
 * changed are kept.
 */
function update(table: string, primaryKey: readonly string[], old: Row, row: Row): string[] {
  const changed = Object.keys(row).filter((column) => row[column] !== old[column]);
  if (changed.length === 0) return [];
  const values = changed.map((column) => `${column} = ${row[column]}`).join(", ");
  const known = changed.filter((column) => column in old);
  return [`update ${table} set ${values} where ${conditions(old, [...primaryKey, ...known])};`];
}

function conditions(row: Row, columns: readonly string[]): string {
  return columns.map((column) => {
    return row[column] === "null" ? `${column} is null` : `${column} = ${row[column]}`;
  }).join(" and ");
}

/** Reads all rows of a table, or nothing if there is no such table. */
async function readRows(url: string, table: string): Promise<TableRows | undefined> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const [found] = await sql<{ id: number | null }[]>`select to_regclass(${table})::oid as id`;
    if (!found?.id) return undefined;
    const columns = await sql<{ name: string; isKey: boolean }[]>`
      select a.attname as name, i.indexrelid is not null as "isKey"
      from pg_catalog.pg_attribute a
      left join pg_catalog.pg_index i
        on i.indrelid = a.attrelid and i.indisprimary and a.attnum = any (i.indkey)
      where a.attrelid = ${found.id} and a.attnum > 0 and not a.attisdropped
      order by a.attnum`;
    const rows = await sql<{ row: Row }[]>`
      select (
        select jsonb_object_agg(key, case jsonb_typeof(value)
          when 'string' then quote_literal(value #>> '{}')
          when 'object' then quote_literal(value::text)
          else value::text
        end)
        from jsonb_each(to_jsonb(t))
      ) as row
      from ${sql(table)} t
      order by t`;
    return {
      columns: columns.map(({ name }) => name),
      primaryKey: columns.filter(({ isKey }) => isKey).map(({ name }) => name),
      rows: rows.map(({ row }) => row),
    };
  } finally {
    await sql.end();
  }
}
