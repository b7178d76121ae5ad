/**
 * A process that fuzzes: `lane.ts <requests> <seed> <file>` starts a stack, sends it that many requests
 * of the seed, prints how far it is, and writes what it found to the file, as JSON.
 *
 * The functions and their callers share a process, so each further process uses another processor.
 * @module
 */

import { dirname } from "node:path";
import postgres from "postgres";
import { loadSecrets } from "../../stack/secrets.ts";
import { withTemporaryStack } from "../../stack/temporary.ts";
import { parseSettings, readSettings } from "../../system/settings.ts";
import { runTask } from "../../system/task.ts";
import { fuzz } from "./fuzz.ts";

await runTask(async () => {
  const [requests, seed, file = ""] = Deno.args;
  const { localDir, postgresBin } = readSettings();
  // Always an embedded database, because fuzzing wears accounts out.
  const settings = { ...parseSettings({}), localDir, postgresBin };
  await withTemporaryStack(settings, async ({ environment, envFile }) => {
    const secrets = await loadSecrets(dirname(envFile));
    const sql = postgres(environment.DATABASE_URL, { max: 2, onnotice: () => {} });
    try {
      const target = { address: environment.SUPABASE_URL, environment, secrets, sql };
      const found = await fuzz(target, {
        requests: Number(requests),
        seed: Number(seed),
        progress: (step) => console.log(step),
      });
      await Deno.writeTextFile(file, JSON.stringify(found));
    } finally {
      await sql.end();
    }
  });
  Deno.exit();
});
