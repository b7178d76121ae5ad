/**
 * The Supabase CLI against any PostgreSQL, without Docker and without an account.
 * @module
 */

import { REPOSITORY } from "../system/settings.ts";
import { TaskError } from "../system/task.ts";

/** The result of running the CLI. */
interface CliResult {
  readonly success: boolean;
  readonly stdout: string;
  /** stdout followed by stderr, trimmed. The streams cannot be interleaved. */
  readonly output: string;
}

/**
 * Runs `deno task supabase ...` and returns what it printed. `databaseUrl` becomes its `--remote`;
 * the password goes into the environment, where no list of processes shows it.
 */
export async function runSupabase(
  args: readonly string[],
  databaseUrl?: string,
): Promise<CliResult> {
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

/** Has npm download the CLI, if it has not yet. What fails here fails again where it is needed. */
export async function downloadSupabase(): Promise<void> {
  await runSupabase(["--version"]);
}

/**
 * Applies the migrations that the database lacks and, unless told otherwise, the seed.
 *
 * @throws {TaskError} with the CLI's output if one of them fails.
 */
export async function migrate(databaseUrl: string, { seed = true } = {}): Promise<void> {
  const { success, output } = await runSupabase(
    ["db", "push", "--yes", ...(seed ? ["--include-seed"] : [])],
    databaseUrl,
  );
  if (success) return;
  throw new TaskError(
    "The migrations in supabase/migrations could not be applied. The Supabase CLI reports:\n" +
      withoutNpmWarnings(output),
  );
}

function withoutPassword(databaseUrl: string): { url: string; password: string } {
  const url = new URL(databaseUrl);
  const password = decodeURIComponent(url.password);
  url.password = "";
  // The embedded server has no TLS. An explicit sslmode is kept.
  if (!url.searchParams.has("sslmode") && url.hostname === "127.0.0.1") {
    url.searchParams.set("sslmode", "disable");
  }
  return { url: url.href, password };
}

/** Drops npm's warnings about its own settings, which have nothing to do with a migration. */
function withoutNpmWarnings(output: string): string {
  return output.split("\n").filter((line) => !line.startsWith("npm warn")).join("\n");
}
