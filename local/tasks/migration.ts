/**
 * Keeps the migrations in `supabase/migrations/` in line with the schema in `supabase/schemas/`.
 *
 * After an edit of the schema, `deno task migration <name>` writes the migration that leads to it, named
 * after the change. `deno task migration --check` fails if the migrations lead to any other schema.
 * @module
 */

import { join } from "node:path";
import postgres from "postgres";
import { filledTables, listDifferences, writeChanges } from "../postgres/schema-difference.ts";
import { applySchemaFiles, readSchemaFiles } from "../postgres/schemas.ts";
import { migrate } from "../postgres/migrations.ts";
import { withTemporaryServer } from "../postgres/temporary.ts";
import { readSettings, REPOSITORY } from "../system/settings.ts";
import { runTask, TaskError } from "../system/task.ts";

const USAGE = "Name the change in lower-case words, as in `deno task migration " +
  "add_expiry_to_orders`, or check with `deno task migration --check`.";

/** Written in front of every migration. */
const LOCK_TIMEOUT = `\
-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';
`;

/** The databases to compare, and the tables whose rows belong to the schema. */
interface Comparison {
  readonly migrated: string;
  readonly wanted: string;
  readonly tables: readonly string[];
}

/** Builds one database from the migrations and one from the schema files. */
async function withBoth(use: (comparison: Comparison) => Promise<void>): Promise<void> {
  const files = await readSchemaFiles();
  await withTemporaryServer(readSettings(), async (server) => {
    const [migrated, wanted] = [
      await createDatabase("migrated"),
      await createDatabase("wanted"),
    ];
    // Without the seed, every row belongs to the schema.
    await Promise.all([migrate(migrated, { seed: false }), applySchemaFiles(wanted, files)]);
    const tables = new Set([...await filledTables(migrated), ...await filledTables(wanted)]);
    await use({ migrated, wanted, tables: [...tables] });

    /** Hosted projects have this publication, and the schema adds tables to it. */
    async function createDatabase(name: string): Promise<string> {
      const url = await server.createDatabase(name);
      await run(url, "create publication supabase_realtime");
      return url;
    }
  });
}

async function check({ migrated, wanted, tables }: Comparison): Promise<void> {
  const differences = await listDifferences(migrated, wanted, tables);
  const changes = await writeChanges(migrated, wanted, tables);
  if (differences.length === 0 && changes === "") {
    console.log("The migrations lead to the schema of supabase/schemas.");
    return;
  }
  throw new TaskError(
    "The migrations do not lead to the schema of supabase/schemas:\n" +
      (differences.length > 0 ? list(differences) : `${changes}\n`) +
      "Edit the schema there and write the migration with `deno task migration <name>`.",
  );
}

async function write(name: string, { migrated, wanted, tables }: Comparison): Promise<void> {
  const changes = await writeChanges(migrated, wanted, tables);
  const differences = await listDifferences(migrated, wanted, tables);
  if (differences.length === 0 && changes === "") {
    console.log(
      "The migrations lead to the schema of supabase/schemas. There is nothing to write.",
    );
    return;
  }
  const path = `supabase/migrations/${timestamp()}_${name}.sql`;
  await Deno.writeTextFile(join(REPOSITORY, path), `${LOCK_TIMEOUT}\n${changes}\n`);
  console.log(`${path} is written. Read it, and add a comment that says what the change is for.`);
  const losses = changes.match(/\bDROP (TABLE|COLUMN) [^;,\n]+/g);
  if (losses) {
    console.log(
      `It drops the following. If you meant a rename, write it by hand:\n${list(losses)}`,
    );
  }

  // Tried at once, because not everything can be written by a program.
  const failure = await run(migrated, changes).then(() => undefined, (error: Error) => error);
  if (failure) {
    throw new TaskError(
      `It cannot be applied as it is: ${failure.message}. Edit it, and then run the check.`,
    );
  }
  const rest = await listDifferences(migrated, wanted, tables);
  if (rest.length > 0) {
    throw new TaskError(
      `It is incomplete. Still different:\n${list(rest)}` +
        "Add it by hand, and then run the check. A new column gets the last place in its table, so " +
        "put it last in the schema file too.",
    );
  }
}

function list(items: string[]): string {
  return items.map((item) => `- ${item}\n`).join("");
}

async function run(url: string, statements: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.begin((transaction) => transaction.unsafe(statements));
  } finally {
    await sql.end();
  }
}

/** The version of a migration made now: UTC, as the Supabase CLI writes it. */
function timestamp(): string {
  return new Date().toISOString().replace(/\D/g, "").slice(0, 14);
}

await runTask(async () => {
  const [name = "", ...others] = Deno.args;
  if (name === "--check" && others.length === 0) return await withBoth(check);
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name) || others.length > 0) {
    throw new TaskError(USAGE);
  }
  await withBoth((comparison) => write(name, comparison));
});
