/**
 * The Supabase CLI against any PostgreSQL, without Docker and without an account.
 * @module
 */

import { REPOSITORY } from "../system/settings.ts";

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
