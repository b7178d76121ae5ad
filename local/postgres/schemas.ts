/**
 * The files in `supabase/schemas/`, which define the current schema, in the order of `schema_paths` in
 * `supabase/config.toml`.
 * @module
 */

import { globSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { REPOSITORY } from "../system/settings.ts";
import { TaskError } from "../system/task.ts";

const SUPABASE = join(REPOSITORY, "supabase");

/** One file of the schema. */
export interface SchemaFile {
  /** Relative to the folder `supabase/`. */
  readonly path: string;
  readonly text: string;
}

/** Reads the files of the schema in the order in which they can be run. */
export async function readSchemaFiles(): Promise<SchemaFile[]> {
  const config = await Deno.readTextFile(join(SUPABASE, "config.toml"));
  const list = /^schema_paths\s*=\s*\[([^\]]*)\]/m.exec(config)?.[1] ?? "";
  const globs = [...list.matchAll(/"([^"]+)"/g)].map(([, glob = ""]) => glob.replace(/^\.\//, ""));
  // Like the Supabase CLI: the files of a glob sorted by name, and no file twice.
  const paths = new Set(globs.flatMap((glob) => globSync(glob, { cwd: SUPABASE }).sort()));
  const all = globSync("schemas/**/*.sql", { cwd: SUPABASE });
  const forgotten = all.filter((path) => !paths.has(path));
  if (all.length === 0 || forgotten.length > 0) {
    throw new TaskError(
      `schema_paths in supabase/config.toml must name every file of supabase/schemas, and lacks ${
        forgotten.join(", ") || "them"
      }.`,
    );
  }
  return await Promise.all(
    [...paths].map(async (path) => ({
      path,
      text: await Deno.readTextFile(join(SUPABASE, path)),
    })),
  );
}

/** Creates the schema of the files in an empty database. */
export async function applySchemaFiles(url: string, files: SchemaFile[]): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.begin(async (transaction) => {
      for (const { path, text } of files) {
        await transaction.unsafe(text).catch((error: Error) => {
          throw new TaskError(`PostgreSQL refuses supabase/${path}: ${error.message}.`);
        });
      }
    });
  } finally {
    await sql.end();
  }
}
