/**
 * Requests drawn from the document, and bytes drawn from nowhere.
 * @module
 */

import { join } from "node:path";
import { OPERATIONS } from "shared/contract/operations.ts";
import { type Progress, TaskError } from "../../system/task.ts";
import { runChild } from "../child.ts";
import { type Part, type PartResult, resultOf, type Row, type Size } from "../part.ts";
import { newSeed } from "../random.ts";
import { allOf, type Found, type Subject } from "./fuzz.ts";
import { bytesPerRequest, type Usage } from "./memory.ts";

const REQUESTS: Readonly<Record<Size, number>> = {
  small: 20_000,
  full: 150_000,
  million: 1_000_000,
};

/** At most so many processes send requests at once, however many processors there are. */
const MAX_LANES = 4;

/** The seeds of two processes are so far apart that neither draws what the other one does. */
const SEED_DISTANCE = 1_000_000_007;

/**
 * How much a process may grow after the warm-up for every request: the stand-in for Razorpay, which is part
 * of it, keeps its orders, and the run keeps who its customers were.
 */
const BYTES_PER_REQUEST = 150;

/**
 * How much more it may grow by chance. That is little of what JavaScript refers to, and much of what the
 * engine keeps: up to 250 megabytes more were seen for minutes in long runs, and went again.
 */
const CHANCE_MEGABYTES: Readonly<Record<keyof Usage, number>> = {
  heapMegabytes: 4,
  residentMegabytes: 256,
};

/** So many requests may meet an outage: a machine that stands still holds up a handful of them. */
const MIN_OUTAGES = 10;
const REQUESTS_PER_OUTAGE = 5_000;

/** What a process was given, and what it found. */
export interface Lane {
  readonly seed: number;
  readonly found: Found;
}

/** Sends anything at all, and shows that only documented answers come back. */
export const fuzz: Part = {
  name: "fuzz",
  claim:
    "Whatever is sent, as bot, page, operator, Razorpay or nobody, over HTTP or as bytes on a " +
    "connection, only documented answers come back, with nothing internal in them and of nobody else, " +
    "and functions of the bot, of operators and of Razorpay serve nobody else; nothing private is " +
    "logged, the books stay right, and the memory grows by no more for a request than what is said.",
  async run({ size, progress, seed = newSeed() }) {
    // The small size is for CI, where tests keep the other processors busy.
    const count = size === "small" ? 1 : Math.min(navigator.hardwareConcurrency, MAX_LANES);
    const folder = await Deno.makeTempDir({ prefix: "whatsapp-credits-fuzz-" });
    try {
      const runs = await Promise.allSettled(
        Array.from({ length: count }, async (_, index): Promise<Lane> => {
          const laneSeed = (seed + index * SEED_DISTANCE) % 2 ** 31;
          const found = await runLane(REQUESTS[size] / count, {
            seed: laneSeed,
            file: join(folder, `${index}.json`),
            progress: (step) => progress(count === 1 ? step : `${index + 1} of ${count}: ${step}`),
          });
          return { seed: laneSeed, found };
        }),
      );
      return resultOfLanes(runs);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
};

/**
 * What the processes found together. One that gave up is a miss, and takes nothing from the others.
 *
 * @throws {TaskError} if the person who runs it has interrupted it.
 */
export function resultOfLanes(runs: readonly PromiseSettledResult<Lane>[]): PartResult {
  const lanes = runs.flatMap((run) => run.status === "fulfilled" ? [run.value] : []);
  const failures = runs.flatMap((run) => run.status === "rejected" ? [run.reason] : []);
  for (const failure of failures) if (failure instanceof TaskError) throw failure;
  const kept = lanes.flatMap(({ found }) => found.misses);
  const others = lanes.reduce((sum, { found }) => sum + allOf(found.missCounts), 0) - kept.length;
  return resultOf(lanes.length > 0 ? rowsOf(lanes) : [], [
    ...failures.map((failure) => failure instanceof Error ? failure.message : String(failure)),
    ...kept,
    ...others > 0 ? [`${others} more misses`] : [],
  ]);
}

async function runLane(
  requests: number,
  { seed, file, progress }: { seed: number; file: string; progress: Progress },
): Promise<Found> {
  progress(`starting, with seed ${seed}`);
  const args = [Math.ceil(requests), seed, file].map(String);
  if (!await runChild(["local/prove/fuzz/lane.ts", ...args], progress)) {
    throw new Error(`The process with seed ${seed} gave up; what it printed says why.`);
  }
  // Written by the same version of this program.
  const found: Found = JSON.parse(await Deno.readTextFile(file));
  return found;
}

type Count =
  | "overHttp"
  | "overSockets"
  | "answers"
  | "logLines"
  | "bookChecks"
  | "outages"
  | "outageLines"
  | "refused";

function sumOf(lanes: readonly Lane[], count: Count): number {
  return lanes.reduce((sum, { found }) => sum + found[count], 0);
}

/** The rows of the table. */
export function rowsOf(lanes: readonly Lane[]): Row[] {
  const total = (count: Count) => sumOf(lanes, count).toLocaleString("en");
  const requests = sumOf(lanes, "overHttp") + sumOf(lanes, "overSockets");
  const mostOutages = Math.max(MIN_OUTAGES, Math.floor(requests / REQUESTS_PER_OUTAGE));
  const kinds = new Set(lanes.flatMap(({ found }) => Object.keys(found.kinds)));
  const failing = OPERATIONS.map(({ name }) => name).filter((name) =>
    !kinds.keys().some((kind) => kind.startsWith(`${name} 200`) || kind.startsWith(`${name} 303`))
  );
  const codes = new Set(kinds.keys().map((kind) => kind.split(" ").slice(1).join(" ")));
  const judged = (what: string, count: Count, subject: Subject, more = ""): Row => {
    const misses = lanes.reduce((sum, { found }) => sum + found.missCounts[subject], 0);
    return {
      what,
      figure: `${total(count)}${more}, ${misses.toLocaleString("en")} missed`,
      holds: misses === 0 && sumOf(lanes, count) > 0,
    };
  };
  const seeds = lanes.map(({ seed }) => seed).join(" and ");
  return [
    {
      what: "requests over HTTP, and as bytes on connections",
      figure: `${total("overHttp")} and ${total("overSockets")} (seed ${seeds})`,
      holds: true,
    },
    judged(
      "answers of functions, all documented, and to somebody who may call them",
      "answers",
      "answers",
      ` of ${kinds.size} kinds, with ${codes.size} pairs of status and code`,
    ),
    {
      what:
        "requests that were refused before any function, or not answered because they were none",
      figure: total("refused"),
      holds: true,
    },
    {
      what: "operations that also succeeded",
      figure: failing.length === 0
        ? `all ${OPERATIONS.length}`
        : `${OPERATIONS.length - failing.length} of ${OPERATIONS.length}, not ${
          failing.join(", ")
        }`,
      holds: failing.length === 0,
    },
    judged("lines of the log, none with a private value, and no error", "logLines", "log"),
    judged("checks of the books, all right", "bookChecks", "books"),
    {
      what:
        "requests that met an outage, and were answered when sent once more; lines of the log about outages",
      figure: `${total("outages")} and ${total("outageLines")} (up to ${mostOutages} would do)`,
      holds: Math.max(sumOf(lanes, "outages"), sumOf(lanes, "outageLines")) <= mostOutages,
    },
    memoryRow("memory that JavaScript refers to, after a collection", "heapMegabytes", lanes),
    memoryRow("memory of the process, with what the engine keeps", "residentMegabytes", lanes),
    {
      what: "requests a second",
      figure: (requests / Math.max(...lanes.map(({ found }) => found.seconds))).toFixed(0),
      holds: true,
    },
  ];
}

/** A size of each process, a quarter into its run and at its end. */
function memoryRow(what: string, size: keyof Usage, lanes: readonly Lane[]): Row {
  const memories = lanes.map(({ found }) => found.memory);
  const most = Math.min(
    ...memories.map(({ requests }) =>
      BYTES_PER_REQUEST + CHANCE_MEGABYTES[size] * 2 ** 20 / Math.max(1, requests)
    ),
  );
  const grown = memories.map((memory) => bytesPerRequest(size, memory));
  const sizes = memories.map(({ before, after }, lane) =>
    `${before[size].toFixed(0)} MB and ${after[size].toFixed(0)} MB, ${
      grown[lane]?.toFixed(0)
    } bytes a request`
  );
  return {
    what: `${what}: after a quarter of the run, and at its end`,
    figure: `${sizes.join("; ")} (up to ${most.toFixed(0)} bytes would do)`,
    holds: grown.every((bytes) => bytes <= most),
  };
}
