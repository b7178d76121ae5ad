/**
 * Access to files that may be missing, or that are nobody else's business.
 * @module
 */

/** The mode of a file that only this account may read. */
export const PRIVATE_FILE = 0o600;

/**
 * Creates a folder that other accounts of this machine cannot list, unless it exists. Other accounts
 * can pass through those of root, because PostgreSQL then runs under another account and has its data
 * in there.
 */
export async function makePrivateFolder(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true, mode: Deno.uid() === 0 ? 0o711 : 0o700 });
}

/** Creates a folder, and those above it, unless they exist. */
export async function makeFolder(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true });
}

/** Returns whether a file or folder exists. */
export async function exists(path: string): Promise<boolean> {
  return await unlessMissing(Deno.stat(path)) !== undefined;
}

/** Reads a text file, or returns undefined if it does not exist. */
export function readIfPresent(path: string): Promise<string | undefined> {
  return unlessMissing(Deno.readTextFile(path));
}

/** Removes a file, or a folder with everything in it, if it exists. */
export async function removeIfPresent(path: string): Promise<void> {
  await unlessMissing(Deno.remove(path, { recursive: true }));
}

async function unlessMissing<Result>(access: Promise<Result>): Promise<Result | undefined> {
  try {
    return await access;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
