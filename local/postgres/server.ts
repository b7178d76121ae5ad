/**
 * A real PostgreSQL server for development and tests: made, started, found again and stopped.
 *
 * The server never outlives the process that started it. It runs below a small shell that holds the
 * reading end of a pipe: when this process ends, however it ends, the pipe closes and the shell shuts
 * the server down. Should even the shell be killed, the next start finds the server by its
 * `postmaster.pid`.
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { exists, readIfPresent, removeIfPresent } from "../system/files.ts";
import { claimPort, portTaken } from "../system/ports.ts";
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
  /** The port on 127.0.0.1, where 0 takes any free one. */
  readonly port: number;
  /** The password of {@linkcode SUPERUSER}, set when the data folder is made. */
  readonly password: string;
  /** `false` gives safety after a crash away for speed, which suits data that a test throws away. */
  readonly durable: boolean;
}

/** A running server. */
export interface Postgres {
  readonly port: number;
  /** Resolves once the server has ended, by `stop` or by itself. */
  readonly ended: Promise<void>;
  /** Shuts the server down and waits until it is gone. */
  stop(): Promise<void>;
}

/** The account that the server runs under when this process is root, which PostgreSQL refuses to be. */
const NOBODY = { uid: 65534, gid: 65534 };

const START_TIMEOUT_MS = 120_000;
const FAST_SHUTDOWN_MS = 15_000;
const IMMEDIATE_SHUTDOWN_MS = 5_000;

/**
 * The shell above the server. Its standard input is the pipe: `read` returns when the pipe closes.
 * SIGINT is PostgreSQL's fast shutdown: sessions are cut off and the data are written.
 */
const SUPERVISOR = `
  log=$1; shift
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

/**
 * Returns the folder for binaries and data that belong to `localDir`: the folder itself, unless this
 * process is root and the server's account cannot reach it, as in a clone below `/root`.
 */
export async function postgresHome(localDir: string): Promise<string> {
  await Deno.mkdir(localDir, { recursive: true });
  if (Deno.uid() !== 0 || await isReachable(localDir)) return localDir;
  const key = createHash("sha256").update(localDir).digest("hex").slice(0, 16);
  // Only root can write to /var/lib, so nobody else can have put something there beforehand.
  return join("/var/lib/whatsapp-credits", key);
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

/** Starts the server on its data folder, which is made first if it is not there. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const data = join(options.folder, "data");
  if (await exists(data)) {
    await checkOwner(data);
    await stopLeftover(data);
  } else {
    await makeFolder(options.folder);
    await initialise(options, data);
  }
  return await launch(options, data);
}

/** Stops the server that an earlier process left running on a folder of {@linkcode startPostgres}. */
export async function stopLeftoverPostgres(folder: string): Promise<void> {
  await stopLeftover(join(folder, "data"));
}

function account(): { uid?: number; gid?: number } {
  return Deno.uid() === 0 ? NOBODY : {};
}

async function makeFolder(folder: string): Promise<void> {
  const umask = Deno.umask(0o022);
  await Deno.mkdir(folder, { recursive: true });
  Deno.umask(umask);
  if (Deno.uid() === 0) await Deno.chown(folder, NOBODY.uid, NOBODY.gid);
}

/** Makes the data under another name and renames, so that an interrupted run leaves no half of it. */
async function initialise(options: PostgresOptions, data: string): Promise<void> {
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
      ...account(),
    });
    const { success, stderr } = await initdb.output();
    if (!success) {
      throw new TaskError(
        `PostgreSQL could not make its data folder in ${options.folder}. initdb says:\n` +
          new TextDecoder().decode(stderr).trim(),
      );
    }
    await Deno.rename(unfinished, data);
  } finally {
    await Deno.remove(passwordFile);
    await removeIfPresent(unfinished);
  }
}

/** PostgreSQL refuses data that its account does not own, in a sentence that names no way out. */
async function checkOwner(data: string): Promise<void> {
  const expected = account().uid ?? Deno.uid();
  const { uid } = await Deno.stat(data);
  if (uid === expected) return;
  throw new TaskError(
    `The data folder ${data} belongs to user id ${uid}, and this run needs one of user id ` +
      `${expected}. Run this as the account that made it, or set LOCAL_DIR to another folder.`,
  );
}

/**
 * Stops a server that still runs on the data, and removes a `postmaster.pid` that nobody holds.
 *
 * PostgreSQL takes any process with the noted id for its own, also a zombie and a stranger that got
 * the id since, and would then refuse to start.
 */
async function stopLeftover(data: string): Promise<void> {
  const pidFile = join(data, "postmaster.pid");
  const pid = Number((await readLines(pidFile))?.[0]);
  if (!pid) return;
  const found = await findProcess(pid);
  const ours = found !== undefined && !found.zombie && found.command.includes(data);
  if (ours && !await shutDown(pid)) {
    throw new TaskError(
      `A PostgreSQL server (process ${pid}) runs on ${data} and cannot be ended.`,
    );
  }
  await removeIfPresent(pidFile);
}

/** Asks first and insists then. Returns whether the process has ended. */
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
    if (pid !== undefined) return handle(supervisor, data, port, pid);

    await supervisor.status;
    const log = await Deno.readTextFile(join(options.folder, "server.log"));
    const portLost = log.includes("Address already in use");
    if (portLost && options.port !== 0) throw portTaken(port, "DB_PORT");
    // Sessions of a killed server take a moment to notice that it is gone.
    const occupied = log.includes("pre-existing shared memory block");
    if ((portLost || occupied) && Date.now() < deadline) {
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
    ...account(),
    // Ctrl-C in a terminal reaches the whole process group, and the server is to be stopped last.
    detached: true,
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** Nothing of the caller's environment: `PGDATA` or `LC_ALL` would have a say otherwise. */
function serverEnvironment(): Record<string, string> {
  return { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };
}

/** Returns the server's process id once it takes connections, or nothing if it ended before. */
async function waitUntilReady(
  supervisor: Deno.ChildProcess,
  data: string,
  deadline: number,
): Promise<number | undefined> {
  let ended = false;
  supervisor.status.then(() => ended = true);
  while (!ended) {
    // The file's lines are described in PostgreSQL's source, miscadmin.h; pg_ctl waits the same way.
    const lines = await readLines(join(data, "postmaster.pid"));
    if (lines?.[7]?.trim() === "ready") return Number(lines[0]);
    if (Date.now() > deadline) await supervisor.stdin.close();
    await delay(20);
  }
}

function handle(
  supervisor: Deno.ChildProcess,
  data: string,
  port: number,
  pid: number,
): Postgres {
  // Where the shell alone was killed, its server still runs.
  const ended = supervisor.status.then(() => stopLeftover(data));
  return {
    port,
    ended,
    async stop() {
      await closePipe(supervisor);
      if (!await waitForExit(pid, FAST_SHUTDOWN_MS)) await shutDown(pid);
      await ended;
    },
  };
}

async function closePipe(supervisor: Deno.ChildProcess): Promise<void> {
  try {
    await supervisor.stdin.close();
  } catch {
    // The shell is gone already and took its end of the pipe along.
  }
}

async function readLines(path: string): Promise<string[] | undefined> {
  return (await readIfPresent(path))?.split("\n");
}
