/**
 * One stack for each folder: the lock is the operating system's, so that it ends with its holder.
 * @module
 */

import { join } from "node:path";
import { TaskError } from "./task.ts";

/** The lock, while it is held. */
export interface FolderLock {
  /** Notes where the holder can be reached, for whoever asks for the lock meanwhile. */
  note(url: string): Promise<void>;
  release(): void;
}

/** Takes the folder, which is made if it is not there, or returns nothing if it is taken. */
export async function tryLockFolder(folder: string): Promise<FolderLock | undefined> {
  const file = await openLockFile(folder);
  if (!await file.tryLock(true)) {
    file.close();
    return undefined;
  }
  await write(file, `process ${Deno.pid}`);
  return {
    note: (url) => write(file, `process ${Deno.pid}, ${url}`),
    release: () => file.close(),
  };
}

/** Takes the folder. Throws an {@linkcode TaskError} that names the holder if it is taken. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const lock = await tryLockFolder(folder);
  if (lock) return lock;
  const holder = await Deno.readTextFile(lockFile(folder));
  throw new TaskError(
    `A stack already runs on ${folder} (${holder}). End that one, or set LOCAL_DIR to another folder.`,
  );
}

function lockFile(folder: string): string {
  return join(folder, "stack.lock");
}

async function openLockFile(folder: string): Promise<Deno.FsFile> {
  try {
    await Deno.mkdir(folder, { recursive: true });
    const file = await Deno.open(lockFile(folder), { create: true, read: true, write: true });
    // Root may open anything, and would leave files that their owner could not change any more.
    if ((await file.stat()).uid === Deno.uid()) return file;
    file.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
  throw new TaskError(
    `${folder} belongs to another account. Run this as the account that made it, or set LOCAL_DIR ` +
      "to a folder of your own.",
  );
}

async function write(file: Deno.FsFile, text: string): Promise<void> {
  await file.truncate();
  await file.seek(0, Deno.SeekMode.Start);
  await file.write(new TextEncoder().encode(text));
}
