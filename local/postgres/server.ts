/**
 * A real PostgreSQL server for development and tests: creates its data, starts it, finds one that
 * was left running, and stops it.
 *
 * The server does not outlive the process that started it. It runs under a small shell that holds
 * the reading end of a pipe: when this process exits, for whatever reason, the pipe closes and the
 * shell shuts the server down. If even the shell is killed, the next start finds the server through
 * its `postmaster.pid`.
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { exists, readIfPresent, removeIfPresent } from "../system/files.ts";
import { requirePrivateFolder } from "../system/local-folder.ts";
import { claimPort, portTakenError } from "../system/ports.ts";
import { findProcess, sendSignal, waitForExit } from "../system/processes.ts";
import { TaskError } from "../system/task.ts";

/** The role that owns the cluster, as in a hosted Supabase project. */
export const SUPERUSER = "supabase_admin";

/** How to run a server. */
export interface PostgresOptions {
  /** The folder with `initdb` and `postgres`. */
  readonly binaries: string;
  /** The folder for `data/` and `server.log`; see {@linkcode postgresHome}. */
  readonly folder: string;
  /** The port on 127.0.0.1; 0 takes any free one. */
  readonly port: number;
  /** The password of {@linkcode SUPERUSER}, set when the data folder is created. */
  readonly password: string;
  /** `false` trades crash safety for speed, for data that a test throws away. */
  readonly durable: boolean;
  /** Settings in the way of postgresql.conf, besides those that every server gets. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running server. */
interface Postgres {
  readonly port: number;
  /** Resolves once the server has exited, because of `stop` or unexpectedly. */
  readonly exited: Promise<void>;
  /** Shuts the server down and waits until it has exited. */
  stop(): Promise<void>;
}

/** Runs the server if this process is root, because PostgreSQL refuses to run as root. */
const NOBODY = { uid: 65534, gid: 65534 };

const START_TIMEOUT_MS = 120_000;
const FAST_SHUTDOWN_MS = 15_000;
const IMMEDIATE_SHUTDOWN_MS = 5_000;

/**
 * The shell above the server. Its standard input is the pipe: `read` returns when the pipe closes.
 * SIGINT is PostgreSQL's fast shutdown: it disconnects the sessions and writes the data.
 */
const SUPERVISOR = `
  log=$1; shift
  umask 077
  exec 3<&0
  "$@" >"$log" 2>&1 3<&- </dev/null &
  server=$!
  { read -r line <&3; kill -INT "$server"; } 2>/dev/null &
  watcher=$!
  exec 3<&-
  wait "$server"
  code=$?
  kill "$watcher" 2>/dev/null
  exit "$code"
`;

/** Returns the folder for the data of `localDir`; see {@linkcode reachableFolder}. */
export async function postgresHome(localDir: string): Promise<string> {
  const key = createHash("sha256").update(localDir).digest("hex").slice(0, 16);
  return await reachableFolder(localDir, key);
}

/**
 * Returns a folder that the server's account can reach: `folder` itself, created if necessary, or one
 * named `otherwise` if this process is root and the folder is, for example, below `/root`.
 *
 * @throws {TaskError} if it cannot be created.
 */
export async function reachableFolder(folder: string, otherwise: string): Promise<string> {
  await requirePrivateFolder(folder);
  if (Deno.uid() !== 0 || await isReachable(folder)) return folder;
  // Only root can write to /var/lib, so nobody else can have prepared anything there.
  const other = join("/var/lib/whatsapp-credits", otherwise);
  const umask = Deno.umask(0o022);
  await requirePrivateFolder(other);
  Deno.umask(umask);
  return other;
}

async function isReachable(folder: string): Promise<boolean> {
  const look = new Deno.Command("/bin/sh", {
    args: ["-c", 'cd "$1"', "sh", folder],
    cwd: "/",
    ...NOBODY,
    stderr: "null",
  });
  return (await look.output()).success;
}

/**
 * Starts the server on its data folder, creating the folder if necessary.
 *
 * @throws {TaskError} if the data belong to another account, the port is taken, or the server does
 * not start.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const data = join(options.folder, "data");
  if (await exists(data)) {
    await checkOwner(data);
    await stopLeftover(data);
  } else {
    await makeDataFolder(options.folder);
    await createData(options, data);
  }
  return await launch(options, data);
}

/** Stops a server that an earlier process left running on the same folder. */
export async function stopLeftoverPostgres(folder: string): Promise<void> {
  await stopLeftover(join(folder, "data"));
}

/** The account that runs the server, as options of a command: none if it is this process's own. */
function serverAccount(): { uid?: number; gid?: number } {
  return Deno.uid() === 0 ? NOBODY : {};
}

/** Only the server's account needs the folder itself; it must be able to pass the ones above it. */
async function makeDataFolder(folder: string): Promise<void> {
  const umask = Deno.umask(0o022);
  await Deno.mkdir(dirname(folder), { recursive: true });
  Deno.umask(umask);
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  if (Deno.uid() === 0) await Deno.chown(folder, NOBODY.uid, NOBODY.gid);
}

/** Creates the data under another name and renames them, so that an interruption leaves no half. */
async function createData(options: PostgresOptions, data: string): Promise<void> {
  const unfinished = `${data}.${randomBytes(4).toString("hex")}`;
  const passwordFile = await Deno.makeTempFile({ dir: options.folder });
  try {
    await Deno.writeTextFile(passwordFile, options.password);
    if (Deno.uid() === 0) await Deno.chown(passwordFile, NOBODY.uid, NOBODY.gid);
    const initdb = new Deno.Command(join(options.binaries, "initdb"), {
      args: [
        `--pgdata=${unfinished}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        ...(options.durable ? [] : ["--no-sync"]),
      ],
      cwd: options.folder,
      clearEnv: true,
      env: serverEnvironment(),
      ...serverAccount(),
    });
    const { success, stderr } = await initdb.output();
    if (!success) {
      throw new TaskError(
        `PostgreSQL could not create its data folder in ${options.folder}. initdb reports:\n` +
          new TextDecoder().decode(stderr).trim(),
      );
    }
    await Deno.rename(unfinished, data);
  } finally {
    await Deno.remove(passwordFile);
    await removeIfPresent(unfinished);
  }
}

/** PostgreSQL refuses data that its account does not own, with an error that offers no remedy. */
async function checkOwner(data: string): Promise<void> {
  const expected = serverAccount().uid ?? Deno.uid();
  const { uid } = await Deno.stat(data);
  if (uid === expected) return;
  throw new TaskError(
    `The data folder ${data} belongs to user id ${uid}, but must belong to user id ${expected}. ` +
      "Run this as the account that created it, or set LOCAL_DIR to another folder.",
  );
}

/**
 * Stops a server that is still running on the data, and removes a stale `postmaster.pid`.
 *
 * PostgreSQL takes any process with the recorded id for its own, even a zombie or an unrelated
 * process that has since been given the id, and would then refuse to start.
 */
async function stopLeftover(data: string): Promise<void> {
  const pidFile = join(data, "postmaster.pid");
  const pid = Number((await readLines(pidFile))?.[0]);
  if (!pid) return;
  const found = await findProcess(pid);
  const ours = found !== undefined && !found.zombie && found.command.includes(data);
  if (ours && !await shutDown(pid)) {
    throw new TaskError(
      `A PostgreSQL server (process ${pid}) is running on ${data} and cannot be stopped.`,
    );
  }
  await removeIfPresent(pidFile);
}

/** Sends ever stronger signals until the process exits. Returns whether it has exited. */
async function shutDown(pid: number): Promise<boolean> {
  sendSignal(pid, "SIGINT");
  if (await waitForExit(pid, FAST_SHUTDOWN_MS)) return true;
  sendSignal(pid, "SIGQUIT");
  if (await waitForExit(pid, IMMEDIATE_SHUTDOWN_MS)) return true;
  sendSignal(pid, "SIGKILL");
  return await waitForExit(pid, IMMEDIATE_SHUTDOWN_MS);
}

async function launch(options: PostgresOptions, data: string): Promise<Postgres> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const port = claimPort(options.port, "DB_PORT");
    const supervisor = spawn(options, data, port);
    const pid = await waitUntilReady(supervisor, data, deadline);
    if (pid !== undefined) return runningServer(supervisor, data, port, pid);

    await supervisor.status;
    const log = await Deno.readTextFile(join(options.folder, "server.log"));
    const portTaken = log.includes("Address already in use");
    if (portTaken && options.port !== 0) throw portTakenError(port, "DB_PORT");
    // The sessions of a killed server take a moment to notice that it is gone.
    const occupied = log.includes("pre-existing shared memory block");
    if ((portTaken || occupied) && Date.now() < deadline) {
      await delay(200);
      continue;
    }
    throw new TaskError(
      `PostgreSQL did not start. The end of ${join(options.folder, "server.log")}:\n` +
        log.trim().split("\n").slice(-10).join("\n"),
    );
  }
}

function spawn(options: PostgresOptions, data: string, port: number): Deno.ChildProcess {
  const settings = [
    "listen_addresses=127.0.0.1",
    `port=${port}`,
    "unix_socket_directories=",
    "max_connections=100",
    "timezone=UTC",
    "log_timezone=UTC",
    ...(options.durable ? [] : ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]),
    ...Object.entries(options.settings ?? {}).map(([name, value]) => `${name}=${value}`),
  ];
  const log = join(options.folder, "server.log");
  const server = [join(options.binaries, "postgres"), "-D", data];
  return new Deno.Command("/bin/sh", {
    args: [
      "-c",
      SUPERVISOR,
      "sh",
      log,
      ...server,
      ...settings.flatMap((setting) => ["-c", setting]),
    ],
    cwd: options.folder,
    clearEnv: true,
    env: serverEnvironment(),
    ...serverAccount(),
    // Ctrl-C in a terminal reaches the whole process group, but the server must stop last.
    detached: true,
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** Inherits nothing: `PGDATA` or `LC_ALL` of the caller would otherwise take effect. */
function serverEnvironment(): Record<string, string> {
  return { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };
}

/** Returns the server's process id once it accepts connections, or undefined if it exited first. */
async function waitUntilReady(
  supervisor: Deno.ChildProcess,
  data: string,
  deadline: number,
): Promise<number | undefined> {
  let exited = false;
  supervisor.status.then(() => exited = true);
  while (!exited) {
    // PostgreSQL's miscadmin.h describes the lines of this file; pg_ctl waits in the same way.
    const lines = await readLines(join(data, "postmaster.pid"));
    if (lines?.[7]?.trim() === "ready") return Number(lines[0]);
    if (Date.now() > deadline) await supervisor.stdin.close();
    await delay(20);
  }
  return undefined;
}

function runningServer(
  supervisor: Deno.ChildProcess,
  data: string,
  port: number,
  pid: number,
): Postgres {
  // If only the shell was killed, its server is still running.
  const exited = supervisor.status.then(() => stopLeftover(data));
  return {
    port,
    exited,
    async stop() {
      await closePipe(supervisor);
      if (!await waitForExit(pid, FAST_SHUTDOWN_MS)) await shutDown(pid);
      await exited;
    },
  };
}

async function closePipe(supervisor: Deno.ChildProcess): Promise<void> {
  try {
    await supervisor.stdin.close();
  } catch {
    // The shell has already exited, and its end of the pipe is closed.
  }
}

async function readLines(path: string): Promise<string[] | undefined> {
  return (await readIfPresent(path))?.split("\n");
}
