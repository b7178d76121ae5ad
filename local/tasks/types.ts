/**
 * `deno task types`: has the Supabase CLI write `functions-shared/database/types.generated.ts`, the
 * migrated database as TypeScript types.
 *
 * `deno task types --check` fails if the committed file is not up to date.
 * @module
 */
import { startDatabase } from "../postgres/database.ts";
import { removeIfPresent } from "../system/files.ts";
import { writeGenerated } from "../system/generated-file.ts";
import { runTask, TaskError } from "../system/task.ts";
import { installPostgres } from "../postgres/binaries.ts";
import { postgresHome } from "../postgres/server.ts";
import { readSettings } from "../system/settings.ts";
import { runSupabase } from "../postgres/supabase-cli.ts";

/** Generates from a database of its own, so that a running stack with other data is left alone. */
async function generateTypes(): Promise<string> {
  const settings = readSettings();
  const localDir = await Deno.makeTempDir({ prefix: "credits-types-" });
  const postgresBin = settings.postgresBin ??
    await installPostgres(await postgresHome(settings.localDir));
  try {
    const database = await startDatabase(
      { ...settings, localDir, postgresBin, dbPort: 0 },
      crypto.randomUUID(),
      () => {},
    );
    try {
      const args = ["gen", "types", "--lang", "typescript", "--schema", "public"];
      const { success, stdout, output } = await runSupabase(args, database.url);
      if (!success) throw new TaskError(`The Supabase CLI made no types. It says:\n${output}`);
      return stdout;
    } finally {
      await database.stop();
    }
  } finally {
    await removeIfPresent(await postgresHome(localDir));
    await removeIfPresent(localDir);
  }
}

/** Formats the CLI's output in the style of this repository. */
async function format(source: string): Promise<string> {
  const formatter = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "ts", "--line-width", "100", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = formatter.stdin.getWriter();
  await writer.write(new TextEncoder().encode(source));
  await writer.close();
  return new TextDecoder().decode((await formatter.output()).stdout);
}

await runTask(async () => {
  await writeGenerated(
    "functions-shared/database/types.generated.ts",
    await format(await generateTypes()),
  );
});
