/**
 * Files that may or may not be there.
 * @module
 */

/** Tells whether a file or folder is there. */
export async function exists(path: string): Promise<boolean> {
  return await unlessMissing(Deno.stat(path)) !== undefined;
}

/** Reads a text file, or returns nothing if it is not there. */
export function readIfPresent(path: string): Promise<string | undefined> {
  return unlessMissing(Deno.readTextFile(path));
}

/** Removes a file or a folder with all that is in it, if it is there. */
export async function removeIfPresent(path: string): Promise<void> {
  await unlessMissing(Deno.remove(path, { recursive: true }));
}

async function unlessMissing<Result>(reading: Promise<Result>): Promise<Result | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
