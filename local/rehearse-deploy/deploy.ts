/**
 * Deploys the functions of this repository as they stand, with the real Supabase CLI.
 * @module
 */

import { join } from "node:path";
import { REPOSITORY } from "../system/settings.ts";
import { TaskError } from "../system/task.ts";

/** Where the CLI deploys to, and with which rights. */
export interface Target {
  /** Base URL of the Management API. */
  readonly apiUrl: string;
  readonly projectRef: string;
  readonly accessToken: string;
}

/** A first run downloads the CLI. */
const TIMEOUT_MS = 300_000;

/**
 * Runs `supabase functions deploy --use-api` for all functions. `folder` is an empty folder that the
 * CLI gets for itself, so that it neither reads nor changes anybody's login; `signal` breaks it off.
 *
 * @throws {TaskError} with the CLI's words, when it fails or warns.
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
  const said = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
  if (!success) throw new TaskError(`The Supabase CLI did not deploy the functions:\n${said}`);
  // A file that the CLI could not find or would not take is only a warning to it.
  const warning = said.split("\n").find((line) => line.startsWith("WARN"));
  if (warning) throw new TaskError(`The Supabase CLI deployed, but warned: ${warning}`);
}
