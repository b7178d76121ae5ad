/**
 * One stack per folder. The operating system holds the lock, so it disappears with its owner.
 * @module
 */

import { join } from "node:path";
import { PRIVATE_FILE } from "./files.ts";
import { requirePrivateFolder } from "./local-folder.ts";
import { TaskError } from "./task.ts";

/** A lock that is held. */
interface FolderLock {
  /** Records the owner's URL in the lock file, for the error that a second stack reports. */
  note(url: string): Promise<void>;
  release(): void;
}

/** Locks the folder, creating it if necessary. Returns undefined if another process holds it. */
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

/**
 * Locks the folder, creating it if necessary.
 *
 * @throws {TaskError} that names the owner if another process holds the lock.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const lock = await tryLockFolder(folder);
  if (lock) return lock;
  const owner = await Deno.readTextFile(lockFile(folder));
  throw new TaskError(
    `A stack already runs on ${folder} (${owner}). Stop it, or set LOCAL_DIR to another folder.`,
  );
}

function lockFile(folder: string): string {
  return join(folder, "stack.lock");
}

async function openLockFile(folder: string): Promise<Deno.FsFile> {
  await requirePrivateFolder(folder);
  const { uid } = await Deno.stat(folder);
  try {
    const options = { create: true, read: true, write: true, mode: PRIVATE_FILE };
    const file = await Deno.open(lockFile(folder), options);
    // Root may open any file, and would leave files in the folder that its owner could not change.
    if ((await file.stat()).uid === Deno.uid()) return file;
    file.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    if (uid === Deno.uid()) {
      throw new TaskError(
        `${folder} cannot be used: no permission to write in it. Change its mode, or set LOCAL_DIR ` +
          "to another folder.",
      );
    }
  }
  throw new TaskError(
    `${folder} belongs to another account. Run this as the account that created it, or set LOCAL_DIR ` +
      "to a folder of your own.",
  );
}

async function write(file: Deno.FsFile, text: string): Promise<void> {
  await file.truncate();
  await file.seek(0, Deno.SeekMode.Start);
  await file.write(new TextEncoder().encode(text));
}
