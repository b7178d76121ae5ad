/**
 * The backend that is proved: the embedded stack, as `deno task start` runs it, in a process of its own,
 * beside the Razorpay stand-in in another; on fixed ports, so that whatever is killed comes back at the
 * same address.
 * @module
 */

import { join } from "node:path";
import postgres from "postgres";
import { connectControl, type RazorpayControl } from "../../razorpay/control-client.ts";
import { SUPERUSER } from "../../postgres/server.ts";
import type { StackEnvironment } from "../../stack/environment.ts";
import { generateSecrets } from "../../stack/secrets.ts";
import {
  newStackFolder,
  ready,
  runLocal,
  runProgram,
  type StackFolder,
  type TaskProcess,
} from "../../stack/stack-process.ts";
import { readIfPresent } from "../../system/files.ts";
import { claimPort } from "../../system/ports.ts";
import { findProcess } from "../../system/processes.ts";
import { readSettings } from "../../system/settings.ts";
import { failWhenInterrupted } from "../../system/task.ts";
import { until } from "../../system/until.ts";
import { variablesOf } from "../../system/variables.ts";
import { kill } from "../kill.ts";
import { type EventListener, listenForEvents } from "./event-listener.ts";
import type { Target } from "./target.ts";

/** What the processes are given anyway: where they keep their data, and where they listen. */
const PLACES: readonly string[] = ["LOCAL_DIR", "RAZORPAY_PORT", "ACCOUNT_PORT", "CONSOLE_PORT"];

/** More than the load ever asks for. The proof is not about limits, and has a single address. */
const UNLIMITED = 1_000_000;

/** The variables of both processes. */
type Variables = Readonly<Record<string, string>>;

/** A running backend whose processes can be killed. */
export class ProvedStack implements Target {
  #functions: TaskProcess;
  #standIn: TaskProcess;

  private constructor(
    readonly environment: StackEnvironment,
    readonly control: RazorpayControl,
    readonly listener: EventListener,
    readonly folder: StackFolder,
    /** Queries as the role that owns the tables. Connects again after its connections were cut. */
    readonly sql: postgres.Sql,
    private readonly variables: Variables,
    processes: { functions: TaskProcess; standIn: TaskProcess },
  ) {
    this.#functions = processes.functions;
    this.#standIn = processes.standIn;
  }

  static async start(parts: AsyncDisposableStack): Promise<ProvedStack> {
    const secrets = await generateSecrets();
    const folder = parts.use(await newStackFolder());
    const listener = parts.use(listenForEvents(secrets.eventsSecret));
    const port = (setting: string) => String(claimPort(0, setting));
    const ports = {
      API_PORT: port("API_PORT"),
      DB_PORT: port("DB_PORT"),
      STAND_IN_PORT: port("RAZORPAY_PORT"),
    };
    const razorpayUrl = `http://127.0.0.1:${ports.STAND_IN_PORT}`;
    const variables = {
      ...noSettings(),
      ...ports,
      POSTGRES_BIN: readSettings().postgresBin ?? "",
      LOG_FORMAT: "json",
      BOT_SECRET: secrets.botSecret,
      RAZORPAY_KEY_ID: secrets.razorpayKeyId,
      RAZORPAY_KEY_SECRET: secrets.razorpayKeySecret,
      RAZORPAY_WEBHOOK_SECRET: secrets.razorpayWebhookSecret,
      RAZORPAY_API_URL: razorpayUrl,
      EVENTS_SECRET: secrets.eventsSecret,
      EVENTS_URL: listener.url,
      STAND_IN_STATE: join(folder.path, "stand-in.json"),
      STAND_IN_WEBHOOK_URL: `http://127.0.0.1:${ports.API_PORT}/functions/v1/razorpay-webhook`,
    };
    const control = connectControl(razorpayUrl);
    const standIn = await startStandIn(folder, variables, control);
    const functions = runLocal("start", folder, variables);
    const environment = await ready(functions, folder);
    const sql = connect(environment.DATABASE_URL);
    parts.defer(() => sql.end({ timeout: 5 }));
    await sql`update public.rate_limits set max_count = ${UNLIMITED}`;
    const processes = { functions, standIn };
    return new ProvedStack(environment, control, listener, folder, sql, variables, processes);
  }

  /** The process of the functions, of the Data API and of the scheduler. */
  get functionsPid(): number {
    return this.#functions.pid;
  }

  /**
   * The server's own process, which is the parent of those of its connections. Waits for one while it is
   * being started again: a server that was killed leaves its file behind.
   */
  async serverPid(): Promise<number> {
    const data = join(this.folder.home, "postgres", "data");
    let pid = 0;
    await until("the server runs", async () => {
      pid = Number((await readIfPresent(join(data, "postmaster.pid")))?.split("\n")[0]);
      const found = pid > 0 ? await findProcess(pid) : undefined;
      return found !== undefined && !found.zombie && found.command.includes(data);
    });
    return pid;
  }

  /** The processes of the connections to the server, in any order. */
  async backendPids(): Promise<number[]> {
    const server = await this.serverPid();
    const pids: number[] = [];
    for await (const { name } of Deno.readDir("/proc")) {
      const found = /^\d+$/.test(name) ? await findProcess(Number(name)) : undefined;
      // PostgreSQL names each process after its role and database.
      if (found?.parentPid === server && /^postgres: postgres /.test(found.command)) {
        pids.push(found.pid);
      }
    }
    return pids;
  }

  /** Sends SIGKILL to the process of the functions. Throws if it had ended already. */
  async killFunctions(): Promise<void> {
    await kill(this.#functions.pid);
  }

  /** Runs the command that starts the stack, and waits until it says that it is ready. */
  async startFunctions(): Promise<void> {
    this.#functions = runLocal("start", this.folder, this.variables);
    await ready(this.#functions, this.folder);
  }

  /** Sends SIGKILL to the stand-in. Throws if it had ended already. */
  async killStandIn(): Promise<void> {
    await kill(this.#standIn.pid);
  }

  /** Runs the command that starts the stand-in, and waits until it answers. */
  async startStandIn(): Promise<void> {
    this.#standIn = await startStandIn(this.folder, this.variables, this.control);
  }

  /** What the stack has printed since it was last started. */
  output(): Promise<string> {
    return this.#functions.output();
  }

  /** What the database server has logged since it was last started. */
  async serverLog(): Promise<string> {
    return await readIfPresent(join(this.folder.home, "postgres", "server.log")) ?? "";
  }

  /** Queries once as a superuser. */
  async asSuperuser<Result>(query: (sql: postgres.Sql) => Promise<Result>): Promise<Result> {
    const url = new URL(this.environment.DATABASE_URL);
    url.username = SUPERUSER;
    const sql = connect(url.href);
    try {
      return await query(sql);
    } finally {
      await sql.end({ timeout: 5 });
    }
  }
}

/** What the machine lacks for {@linkcode withProvedStack}. */
export function missingForProvedStack(): Promise<string | undefined> {
  const isThere = Deno.build.os === "linux";
  return Promise.resolve(
    isThere ? undefined : "The processes of a stack are found in /proc, which only Linux has.",
  );
}

/**
 * Starts the stack and the stand-in, calls `use`, and ends every process and removes every file of
 * theirs, even if the task is interrupted.
 */
export async function withProvedStack<Result>(
  use: (stack: ProvedStack) => Promise<Result>,
): Promise<Result> {
  await using parts = new AsyncDisposableStack();
  const interruption = failWhenInterrupted();
  const stack = await ProvedStack.start(parts);
  return await Promise.race([use(stack), interruption]);
}

async function startStandIn(
  folder: StackFolder,
  variables: Variables,
  control: RazorpayControl,
): Promise<TaskProcess> {
  const args = ["run", "--allow-all", "local/prove/load/stand-in.ts"];
  const process = runProgram(args, folder, variables);
  let hasEnded = false;
  process.status.then(() => hasEnded = true);
  await until("the stand-in answers", async () => {
    if (hasEnded) throw new Error(`The stand-in did not start: ${await process.output()}`);
    return await control.settings().then(() => true, () => false);
  });
  return process;
}

/** Every setting, as if it was not set: what a developer's `.env` says must not reach what is proved. */
function noSettings(): Variables {
  const parts = ["stack", "secrets", "options"] as const;
  const names = parts.flatMap((part) => variablesOf(part)).map(({ name }) => name);
  const set = names.filter((name) => !PLACES.includes(name));
  return Object.fromEntries(set.map((name) => [name, ""]));
}

function connect(url: string): postgres.Sql {
  // It would ask for the types of arrays when it connects, with a query whose failure nobody can catch.
  return postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
}
