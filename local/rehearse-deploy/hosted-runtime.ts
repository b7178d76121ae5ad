/**
 * Runs an uploaded function as the hosted platform would: alone, from nothing but its uploaded
 * files, on the version of Deno that the platform is compatible with.
 * @module
 */

import { dirname, join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { z } from "zod";
import { REPOSITORY } from "../system/settings.ts";
import { TaskError } from "../system/task.ts";
import type { UploadedFunction } from "./management-api.ts";

/** The hosted version of Deno on this machine. */
export interface HostedRuntime {
  readonly executable: string;
  readonly version: string;
  /** The folder of everything that Deno has downloaded. */
  readonly denoDir: string;
  /** The folder of npm packages in it, as `<registry>/<name>/<version>`. */
  readonly npmCache: string;
}

/** What a function consists of, including its dependencies. */
interface ModuleGraph {
  /** Every npm package that it can load, directly or indirectly, as "name@version". */
  readonly npmPackages: readonly string[];
}

/** A function that is running. Disposing of it stops its process. */
export interface BootedFunction extends AsyncDisposable {
  /** The function's own base URL: what the platform serves as `/functions/v1`. */
  readonly url: string;
  /** Milliseconds from starting the process until it listens. */
  readonly bootMs: number;
  /** Returns what the function has printed so far. */
  log(): string;
}

const BOOT_TIMEOUT_MS = 30_000;

/** Finds the hosted version of Deno, which npm downloads the first time. */
export async function findHostedRuntime(signal: AbortSignal): Promise<HostedRuntime> {
  const program = "console.log(JSON.stringify([Deno.execPath(), Deno.version.deno]))";
  const task = ["task", "--quiet", "deno-hosted"];
  const [executable, version] = z.tuple([z.string(), z.string()])
    .parse(await runForJson(Deno.execPath(), [...task, "eval", program], REPOSITORY, signal));
  const { denoDir, npmCache } = z.object({ denoDir: z.string(), npmCache: z.string() })
    .parse(await runForJson(executable, ["info", "--json"], REPOSITORY, signal));
  return { executable, version, denoDir, npmCache };
}

/** Writes the uploaded files to `folder`, under exactly the names that they were uploaded with. */
export async function layOut({ files }: UploadedFunction, folder: string): Promise<void> {
  for (const [name, content] of files) {
    const path = join(folder, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeFile(path, content);
  }
}

/**
 * Resolves every import of the function in `folder`, and downloads missing packages.
 *
 * @throws {TaskError} if an import cannot be resolved.
 */
export async function resolveImports(
  runtime: HostedRuntime,
  { slug, metadata }: UploadedFunction,
  folder: string,
  signal: AbortSignal,
): Promise<ModuleGraph> {
  const moduleGraph = z.object({
    modules: z.array(z.object({ specifier: z.string(), error: z.string().optional() })),
    npmPackages: z.record(z.string(), z.unknown()),
  });
  const graph = moduleGraph.parse(
    await runForJson(
      runtime.executable,
      ["info", "--json", "--config", metadata.import_map_path, metadata.entrypoint_path],
      folder,
      signal,
    ),
  );
  const broken = graph.modules.find(({ error }) => error !== undefined);
  if (broken) throw new TaskError(`${slug} has an import that cannot be resolved: ${broken.error}`);
  return { npmPackages: Object.keys(graph.npmPackages) };
}

/**
 * Estimates the size in bytes of the platform's bundle: sources and whole npm packages in one
 * archive, compressed with Brotli at the level that the Supabase CLI uses.
 */
export async function estimateBundleBytes(
  { npmCache }: HostedRuntime,
  { files }: UploadedFunction,
  { npmPackages }: ModuleGraph,
): Promise<number> {
  const parts = [...files.values()];
  for await (const registry of Deno.readDir(npmCache)) {
    for (const npmPackage of npmPackages) {
      const versionAt = npmPackage.lastIndexOf("@");
      const [name, version] = [npmPackage.slice(0, versionAt), npmPackage.slice(versionAt + 1)];
      parts.push(...await filesBelow(join(npmCache, registry.name, name, version)));
    }
  }
  const params = { [constants.BROTLI_PARAM_QUALITY]: 6 };
  return brotliCompressSync(await new Blob(parts).bytes(), { params }).byteLength;
}

async function filesBelow(folder: string): Promise<Uint8Array<ArrayBuffer>[]> {
  const contents: Uint8Array<ArrayBuffer>[] = [];
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) contents.push(...await filesBelow(path));
    else if (entry.isFile) contents.push(await Deno.readFile(path));
  }
  return contents;
}

/** A package is in the folder of only one registry, so the folder may not exist. */
async function entriesOf(folder: string): Promise<Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(folder));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/**
 * Starts the function in `folder`, with `variables` as its whole environment. It can read its own
 * folder and connect to this machine, and nothing else.
 *
 * @throws {TaskError} with the function's output, if it does not start.
 */
export async function boot(
  runtime: HostedRuntime,
  { slug, metadata }: UploadedFunction,
  folder: string,
  variables: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<BootedFunction> {
  const startedAt = performance.now();
  const process = new Deno.Command(runtime.executable, {
    args: [
      ..."serve --host 127.0.0.1 --port 0 --no-prompt --cached-only".split(" "),
      ...["--allow-env", "--allow-sys", "--allow-net=127.0.0.1", `--allow-read=${folder}`],
      ...["--config", metadata.import_map_path, metadata.entrypoint_path],
    ],
    cwd: folder,
    clearEnv: true,
    env: { ...variables, DENO_DIR: runtime.denoDir, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).spawn();

  let log = "";
  const listening = Promise.withResolvers<string>();
  async function follow(output: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of output.pipeThrough(new TextDecoderStream())) {
      log += text;
      const [, address] = /Listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(log) ?? [];
      if (address !== undefined) listening.resolve(address);
    }
  }
  const followed = Promise.all([follow(process.stdout), follow(process.stderr)]);
  const timeout = setTimeout(
    () => listening.reject(new TaskError(`${slug} did not start in time:\n${log}`)),
    BOOT_TIMEOUT_MS,
  );
  followed.then(() => listening.reject(new TaskError(`${slug} does not start:\n${log}`)));

  async function stop(): Promise<void> {
    try {
      process.kill("SIGTERM");
    } catch (error) {
      // It has already exited.
      if (!(error instanceof TypeError)) throw error;
    }
    await Promise.all([process.status, followed]);
  }
  try {
    const url = await listening.promise;
    const bootMs = performance.now() - startedAt;
    return { url, bootMs, log: () => log, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(timeout);
  }
}

/** Runs a program in `folder` that prints one JSON value, and returns the value. */
async function runForJson(
  program: string,
  args: readonly string[],
  folder: string,
  signal: AbortSignal,
): Promise<unknown> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: folder,
    // Trusts the system's certificates too, as a package registry may be behind a company's proxy.
    env: { DENO_TLS_CA_STORE: "mozilla,system", DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    signal,
  }).output();
  if (!success) {
    const reason = new TextDecoder().decode(stderr);
    throw new TaskError(`This command failed: ${program} ${args.join(" ")}\n${reason}`);
  }
  return JSON.parse(new TextDecoder().decode(stdout));
}
