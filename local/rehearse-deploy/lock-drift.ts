/**
 * Compares the npm packages that the platform would bundle with those of `deno.lock`.
 *
 * The platform's bundler does not get the lock file, and resolves the dependencies of dependencies
 * itself. To upload the lock with `static_files` would put all its packages, those of the tests as
 * well, into every bundle.
 * @module
 */

import { join } from "node:path";
import { z } from "zod";
import { REPOSITORY } from "../system/settings.ts";
import { TaskError } from "../system/task.ts";
import { type HostedRuntime, layOut } from "./hosted-runtime.ts";
import type { UploadedFunction } from "./management-api.ts";

const lockFile = z.object({
  npm: z.record(z.string(), z.object({ integrity: z.string() })),
});

type Lock = z.infer<typeof lockFile>;

/**
 * Resolves the packages of all functions from the registry as it is now, and returns those that are
 * not in `deno.lock` with the same version and the same checksum. `folder` is created.
 *
 * @throws {TaskError} if they cannot be resolved.
 */
export async function findLockDrift(
  runtime: HostedRuntime,
  uploads: readonly UploadedFunction[],
  folder: string,
  signal: AbortSignal,
): Promise<string[]> {
  for (const upload of uploads) await layOut(upload, folder);
  const [first] = uploads;
  if (first === undefined) return [];
  const lock = join(folder, "resolved.lock");
  const { success, stderr } = await new Deno.Command(runtime.executable, {
    args: [
      ...["cache", "--quiet", "--frozen=false", `--lock=${lock}`],
      ...["--config", first.metadata.import_map_path],
      ...uploads.map(({ metadata }) => metadata.entrypoint_path),
    ],
    cwd: folder,
    // A folder of its own, because what Deno knows of the registry may be old.
    env: {
      DENO_DIR: join(folder, "deno-dir"),
      DENO_TLS_CA_STORE: "mozilla,system",
      DENO_NO_UPDATE_CHECK: "1",
    },
    signal,
  }).output();
  if (!success) {
    throw new TaskError(
      `The packages cannot be resolved without deno.lock:\n${new TextDecoder().decode(stderr)}`,
    );
  }
  return drift(await readLock(lock), await readLock(join(REPOSITORY, "deno.lock")));
}

/** Returns the packages of `resolved` that `locked` does not have, as "name@version". */
export function drift(resolved: Lock, locked: Lock): string[] {
  return Object.entries(resolved.npm)
    .filter(([name, { integrity }]) => locked.npm[name]?.integrity !== integrity)
    .map(([name]) => name);
}

async function readLock(path: string): Promise<Lock> {
  return lockFile.parse(JSON.parse(await Deno.readTextFile(path)));
}
