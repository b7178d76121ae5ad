/**
 * Samples of what must not grow while a backend works: memory, connections, dead rows, queues.
 * @module
 */

import type postgres from "postgres";
import { readIfPresent } from "../../system/files.ts";
import type { Series, Tolerance } from "./flat.ts";

/** What is sampled. */
export interface Sampled {
  readonly sql: postgres.Sql;
  /** The process of the functions. */
  readonly functionsPid: number;
  /** The processes of the server's connections. */
  backendPids(): Promise<number[]>;
}

const KILOBYTES_PER_MEGABYTE = 1_024;

/**
 * The figures, in the order of the table. Those that take minutes go up and down with every fault, so that
 * a minute says nothing about them.
 */
const FIGURES = {
  functionsMemory: {
    takesMinutes: true,
    what: "memory of the process of the functions",
    unit: "MB",
    tolerance: { share: 0.1, slack: 32 },
  },
  descriptors: {
    takesMinutes: true,
    what: "files and sockets that it has open",
    unit: "",
    // After the burst of calls that follows a fault, idle connections stay open for a minute and a half.
    tolerance: { share: 0.25, slack: 32 },
  },
  connectionMemory: {
    takesMinutes: true,
    what: "memory of a connection to the database, on average, without what it shares",
    unit: "MB",
    // Each learns the tables and plans that it needs anew after it was cut.
    tolerance: { share: 0.25, slack: 8 },
  },
  connections: {
    takesMinutes: false,
    what: "connections to the database",
    unit: "",
    // The pool of the Data API, its two others, and those of the proof.
    tolerance: { limit: 25 },
  },
  deadRows: {
    takesMinutes: false,
    what: "dead rows of the table with most, compared with what autovacuum leaves",
    unit: "%",
    // It looks after a table that has more of them than 50 and a fifth of its rows, which are its
    // defaults, and comes to it within seconds.
    tolerance: { limit: 200 },
  },
  events: {
    takesMinutes: false,
    what: "how long the oldest event that is due has waited",
    unit: "s",
    // No fault lasts longer than a few seconds. But claims that it cut off hold up the others for the 30
    // seconds of claim_event_deliveries, and so does the probe of an address that was down before, if that
    // is cut off as well. The rest is the fault's own time and the scheduler's next call. A soak of a minute
    // may consist of that, so the limit is none that only the rare samples may reach.
    tolerance: { limit: 65 },
  },
  orders: {
    takesMinutes: false,
    what: "orders that Razorpay is to be asked about now",
    unit: "",
    tolerance: { share: 0, slack: 20 },
  },
  holds: {
    takesMinutes: false,
    what: "reservations that have expired and are not ended",
    unit: "",
    tolerance: { share: 0, slack: 20 },
  },
} as const satisfies Record<
  string,
  { takesMinutes: boolean; what: string; unit: string; tolerance: Tolerance }
>;

type Figure = keyof typeof FIGURES;
type Sample = Record<Figure, number>;

/** Takes samples. */
export class Sampler {
  readonly #sampled: Sampled;
  readonly #samples: Sample[] = [];

  constructor(sampled: Sampled) {
    this.#sampled = sampled;
  }

  /** How many samples could be taken. */
  get taken(): number {
    return this.#samples.length;
  }

  /** Takes one sample of everything, or none if the database does not answer or has no connections. */
  async take(): Promise<void> {
    try {
      this.#samples.push(await takeSample(this.#sampled));
    } catch {
      // Those that could be taken are counted, and must be most of them.
    }
  }

  /** All samples so far, of what a run of this length says something about. */
  series({ isLong }: { isLong: boolean }): Series[] {
    return (Object.keys(FIGURES) as Figure[])
      .filter((name) => isLong || !FIGURES[name].takesMinutes)
      .map((name) => ({
        ...FIGURES[name],
        samples: this.#samples.map((sample) => sample[name]),
      }));
  }
}

async function takeSample(sampled: Sampled): Promise<Sample> {
  const [counts] = await sampled.sql<
    [Omit<Sample, "functionsMemory" | "connectionMemory" | "descriptors">]
  >`
    select
      (
        select count(*) from pg_catalog.pg_stat_activity
        where datname = current_database() and backend_type = 'client backend'
      )::integer as connections,
      (
        select max(100 * n_dead_tup / (50 + 0.2 * n_live_tup))
        from pg_catalog.pg_stat_user_tables
      )::float8 as "deadRows",
      (
        select coalesce(extract(epoch from clock_timestamp() - min(due.since)), 0)
        from (
          select created_at as since from public.events where state = 'new'
          union all
          select next_attempt_at from public.event_deliveries
          where state = 'pending' and next_attempt_at <= clock_timestamp()
        ) due
      )::float8 as events,
      (
        select count(*) from public.payment_orders where next_check_at <= clock_timestamp()
      )::integer as orders,
      (
        select count(*) from public.holds where state = 'open' and expires_at <= clock_timestamp()
      )::integer as holds`;
  const pids = await sampled.backendPids();
  if (pids.length === 0) throw new Error("The server has no connections");
  const backends = await Promise.all(pids.map((pid) => kilobytes(pid, "RssAnon")));
  return {
    ...counts,
    functionsMemory: await kilobytes(sampled.functionsPid, "VmRSS") / KILOBYTES_PER_MEGABYTE,
    connectionMemory: backends.reduce((sum, part) => sum + part, 0) / backends.length /
      KILOBYTES_PER_MEGABYTE,
    descriptors: await countEntries(`/proc/${sampled.functionsPid}/fd`),
  };
}

/** A line of a process's status; 0 if it has just ended. */
async function kilobytes(pid: number, name: string): Promise<number> {
  const status = await readIfPresent(`/proc/${pid}/status`) ?? "";
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0);
}

async function countEntries(folder: string): Promise<number> {
  let count = 0;
  for await (const _ of Deno.readDir(folder)) count++;
  return count;
}
