/**
 * Deploys the functions of this repository as they are, with the real Supabase CLI.
 * @module
 */

import { join } from "node:path";
import { REPOSITORY } from "../system/settings.ts";
import { TaskError } from "../system/task.ts";

/** Where the CLI deploys to, and its credentials. */
interface Target {
  /** Base URL of the Management API. */
  readonly apiUrl: string;
  readonly projectRef: string;
  readonly accessToken: string;
}

/** A first run downloads the CLI. */
const TIMEOUT_MS = 300_000;

/**
 * Runs `supabase functions deploy --use-api` for all functions. `folder` is created for the CLI
 * alone, so that it neither reads nor changes anyone's login. `signal` aborts the deployment.
 *
 * @throws {TaskError} with the CLI's output, if it fails or prints a warning.
 */
export async function deployFunctions(
  target: Target,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  await Deno.mkdir(folder);
  const profile = join(folder, "profile.yaml");
  await Deno.writeTextFile(
    profile,
    [
      "name: rehearsal",
      `api_url: ${target.apiUrl}`,
      `dashboard_url: ${target.apiUrl}`,
      "project_host: rehearsal.invalid",
    ].join("\n"),
  );
  const cli = new Deno.Command(Deno.execPath(), {
    args: [
      ..."task --quiet supabase functions deploy --use-api --yes --agent no".split(" "),
      `--remote=${target.projectRef}`,
      `--profile=${profile}`,
      `--workdir=${REPOSITORY}`,
    ],
    cwd: REPOSITORY,
    env: {
      SUPABASE_ACCESS_TOKEN: target.accessToken,
      SUPABASE_HOME: join(folder, "supabase-home"),
      SUPABASE_NO_UPDATE_NOTIFIER: "1",
      DO_NOT_TRACK: "1",
    },
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  const { success, stdout, stderr } = await cli.output();
  const output = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
  if (!success) throw new TaskError(`The Supabase CLI did not deploy the functions:\n${output}`);
  // To the CLI, a file that it cannot find or refuses to upload is only worth a warning.
  const warning = output.split("\n").find((line) => line.startsWith("WARN"));
  if (warning) throw new TaskError(`The Supabase CLI deployed, but warned: ${warning}`);
}
