/**
 * The Supabase CLI against any PostgreSQL, without Docker and without an account.
 * @module
 */
import { TaskError } from "../system/task.ts";
import { REPOSITORY } from "../system/settings.ts";

/** How a run of the CLI ended. */
export interface CliResult {
  success: boolean;
  stdout: string;
  /** Both streams in the order of arrival are not to be had: this is stderr after stdout, trimmed. */
  output: string;
}

/**
 * Runs `deno task supabase ...` and returns what it said. `databaseUrl` becomes its `--remote`, with
 * the password in the environment, where no list of processes shows it.
 */
export async function runSupabase(args: string[], databaseUrl?: string): Promise<CliResult> {
  const remote = databaseUrl ? withoutPassword(databaseUrl) : undefined;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "supabase", ...args, ...(remote ? [`--remote=${remote.url}`] : [])],
    cwd: REPOSITORY,
    env: {
      DO_NOT_TRACK: "1",
      SUPABASE_TELEMETRY_DISABLED: "1",
      SUPABASE_NO_UPDATE_NOTIFIER: "1",
      ...(remote?.password ? { PGPASSWORD: remote.password } : {}),
    },
    stdin: "null",
  });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout);
  return { success, stdout: text, output: `${text}${decoder.decode(stderr)}`.trim() };
}

/**
 * Applies the migrations that the database lacks and, unless told otherwise, the seed. Throws with the
 * CLI's own words.
 */
export async function migrate(databaseUrl: string, { seed = true } = {}): Promise<void> {
  const { success, output } = await runSupabase(
    ["db", "push", "--yes", ...(seed ? ["--include-seed"] : [])],
    databaseUrl,
  );
  if (success) return;
  throw new TaskError(
    "The migrations in supabase/migrations could not be applied. The Supabase CLI says:\n" +
      withoutNpmWarnings(output),
  );
}

function withoutPassword(databaseUrl: string): { url: string; password: string } {
  const url = new URL(databaseUrl);
  const password = decodeURIComponent(url.password);
  url.password = "";
  // The embedded server speaks no TLS; a URL that asks for it keeps its say.
  if (!url.searchParams.has("sslmode") && url.hostname === "127.0.0.1") {
    url.searchParams.set("sslmode", "disable");
  }
  return { url: url.href, password };
}

/** npm's remarks about its own settings say nothing about a migration. */
function withoutNpmWarnings(output: string): string {
  return output.split("\n").filter((line) => !line.startsWith("npm warn")).join("\n");
}
