/**
 * File access that tolerates missing files.
 * @module
 */

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
