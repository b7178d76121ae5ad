/**
 * Brings a database up to date with `supabase/migrations` and the seed, as `supabase db push
 * --include-seed` does, and keeps the same record of it, so that each can continue where the other
 * stopped. The Supabase CLI itself would be 65 MB to download before the first start.
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";
import { REPOSITORY } from "../system/settings.ts";
import { TaskError } from "../system/task.ts";

const MIGRATIONS = "supabase/migrations";

/** The only file of `sql_paths` in supabase/config.toml. */
const SEED = "supabase/seed.sql";

/** The Supabase CLI's tables (3.1.0). */
const HISTORY = `
  create schema if not exists supabase_migrations;
  create table if not exists supabase_migrations.schema_migrations (
    version text not null primary key, statements text[], name text
  );
  create table if not exists supabase_migrations.seed_files (
    path text not null primary key, hash text not null
  )`;

/** Two processes that migrate one database take turns. */
const LOCK = 20_261_125;

interface Migration {
  readonly version: string;
  readonly name: string;
  readonly path: string;
}

/**
 * Applies the migrations that the database lacks, each whole or not at all, and, unless told
 * otherwise, the seed, once.
 *
 * @throws {TaskError} if one of them fails, or if the database has others.
 */
export async function migrate(databaseUrl: string, { seed = true } = {}): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    while (!await isOurTurn(sql)) await delay(50);
    await sql.unsafe(HISTORY);
    for (const migration of await pendingMigrations(sql)) await apply(sql, migration);
    if (seed) await applySeed(sql);
  } finally {
    await sql.end();
  }
}

/** Asked again and again, because an index cannot be built concurrently while somebody waits in SQL. */
async function isOurTurn(sql: postgres.Sql): Promise<boolean> {
  const [lock] = await sql<{ taken: boolean }[]>`select pg_try_advisory_lock(${LOCK}) as taken`;
  return lock?.taken ?? false;
}

async function pendingMigrations(sql: postgres.Sql): Promise<Migration[]> {
  const migrations = await listMigrations();
  const applied = await sql<{ version: string }[]>`
    select version from supabase_migrations.schema_migrations order by version`;
  // The applied migrations must be the first ones of those in the folder.
  const strange = applied.find(({ version }, index) => migrations[index]?.version !== version);
  if (strange === undefined) return migrations.slice(applied.length);
  throw new TaskError(
    `The migration ${strange.version} of the database does not fit those in ${MIGRATIONS}.`,
  );
}

async function listMigrations(): Promise<Migration[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(join(REPOSITORY, MIGRATIONS))) names.push(name);
  return names.sort().flatMap((file) => {
    const [, version, name] = /^(\d+)_(.*)\.sql$/.exec(file) ?? [];
    if (version === undefined || name === undefined) return [];
    return [{ version, name, path: `${MIGRATIONS}/${file}` }];
  });
}

/**
 * A migration that only builds an index while the table is in use. PostgreSQL refuses it in a
 * transaction; if it fails, it leaves an invalid index behind, which `if not exists` would not repair.
 */
const CONCURRENT_INDEX = /^(?:\s*--[^\n]*\n)*\s*create (?:unique )?index concurrently\b/i;

async function apply(sql: postgres.Sql, { version, name, path }: Migration): Promise<void> {
  const text = await Deno.readTextFile(join(REPOSITORY, path));
  const record = (sql: postgres.ISql) =>
    sql`
      insert into supabase_migrations.schema_migrations (version, name, statements)
      values (${version}, ${name}, ${[text]})`;
  await explained(path, async () => {
    if (CONCURRENT_INDEX.test(text)) {
      await sql.unsafe(text);
      await record(sql);
    } else {
      await sql.begin(async (transaction) => {
        await transaction.unsafe(text);
        await record(transaction);
      });
    }
    // The settings that a migration makes for its session must not affect the next one.
    await sql`reset all`;
  });
}

/** A seed that was applied is not applied again, even if the file has changed since. */
async function applySeed(sql: postgres.Sql): Promise<void> {
  const text = await Deno.readTextFile(join(REPOSITORY, SEED));
  const hash = createHash("sha256").update(text).digest("hex");
  await explained(SEED, () =>
    sql.begin(async (transaction) => {
      const [known] = await transaction`
        select from supabase_migrations.seed_files where path = ${SEED}`;
      if (known === undefined) await transaction.unsafe(text);
      await transaction`
        insert into supabase_migrations.seed_files (path, hash) values (${SEED}, ${hash})
        on conflict (path) do update set hash = excluded.hash`;
    }));
}

async function explained(path: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof postgres.PostgresError)) throw error;
    const { message, detail, hint, where } = error;
    const report = [message, detail, hint, where].filter(Boolean).join("\n");
    throw new TaskError(`${path} could not be applied. PostgreSQL reports:\n${report}`);
  }
}
