/**
 * `deno task types`: has the Supabase CLI write `functions-shared/database/types.generated.ts`, the
 * migrated database as TypeScript types.
 *
 * `deno task types --check` fails if the committed file is not up to date.
 * @module
 */

import { migrate } from "../postgres/migrations.ts";
import { runSupabase } from "../postgres/supabase-cli.ts";
import { withTemporaryServer } from "../postgres/temporary.ts";
import { writeGenerated } from "../system/generated-file.ts";
import { readSettings } from "../system/settings.ts";
import { runTask, TaskError } from "../system/task.ts";

async function generateTypes(): Promise<string> {
  return await withTemporaryServer(readSettings(), async (server) => {
    const url = await server.createDatabase("types");
    await migrate(url);
    const args = ["gen", "types", "--lang", "typescript", "--schema", "public"];
    const { success, stdout, output } = await runSupabase(args, url);
    if (!success) throw new TaskError(`The Supabase CLI made no types. It says:\n${output}`);
    return stdout;
  });
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
