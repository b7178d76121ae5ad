/**
 * The folder that `LOCAL_DIR` names: created with whatever is above it, and kept out of git.
 * @module
 */

import { dirname, join } from "node:path";
import { exists, makePrivateFolder } from "./files.ts";
import { TaskError } from "./task.ts";

/** The content of the folder's `.gitignore`. Deno's formatter and linter skip what git ignores. */
export const IGNORE_EVERYTHING = "*\n";

/**
 * Creates the folder unless it exists, and has git ignore everything in it: it holds secrets, and may
 * be anywhere in a repository.
 *
 * @throws {TaskError} that says why it cannot be used.
 */
export async function makeLocalFolder(folder: string): Promise<void> {
  await requirePrivateFolder(folder);
  const file = join(folder, ".gitignore");
  if (!await exists(file)) await explained(folder, Deno.writeTextFile(file, IGNORE_EVERYTHING));
}

/**
 * Creates a folder that other accounts cannot list, unless it exists.
 *
 * @throws {TaskError} that says why it cannot be created.
 */
export async function requirePrivateFolder(folder: string): Promise<void> {
  await explained(folder, makePrivateFolder(folder));
}

async function explained<Result>(folder: string, access: Promise<Result>): Promise<Result> {
  try {
    return await access;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new TaskError(`${await reasonFor(folder, error)} Set LOCAL_DIR to another folder.`);
  }
}

async function reasonFor(folder: string, error: Error): Promise<string> {
  const { isFolder, path } = await nearest(folder);
  if (!isFolder) return `${folder} cannot be a folder: ${path} is a file.`;
  const reason = error instanceof Deno.errors.PermissionDenied
    ? `no permission to write in ${path}`
    : error.message;
  return path === folder
    ? `${folder} cannot be used: ${reason}.`
    : `${folder} cannot be created: ${reason}.`;
}

/** Returns the path itself if it exists, or else the lowest of the folders above it that does. */
async function nearest(path: string): Promise<{ path: string; isFolder: boolean }> {
  try {
    return { path, isFolder: (await Deno.stat(path)).isDirectory };
  } catch {
    return path === dirname(path) ? { path, isFolder: true } : await nearest(dirname(path));
  }
}
