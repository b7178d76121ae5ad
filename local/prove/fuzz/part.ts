/**
 * Requests drawn from the document, and bytes drawn from nowhere.
 * @module
 */

import { join } from "node:path";
import { OPERATIONS } from "shared/contract/operations.ts";
import type { Progress } from "../../system/task.ts";
import { runChild } from "../child.ts";
import { type Part, resultOf, type Row, type Size } from "../part.ts";
import { newSeed } from "../random.ts";
import type { Found } from "./fuzz.ts";

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
 * How much the memory of a process may grow after the warm-up: by what chance makes of it, and by 200 bytes
 * for every request, because the stand-in for Razorpay, which is part of it, keeps its orders.
 */
const MEMORY_TOLERANCE_MEGABYTES = 64;
const MEMORY_TOLERANCE_MEGABYTES_PER_REQUEST = 0.0002;

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
    "connection, only documented answers come back, with nothing internal in them; nothing private " +
    "is logged, the books stay right, and the memory stays where it was.",
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
      const lanes = runs.map((run) => {
        if (run.status === "rejected") throw run.reason;
        return run.value;
      });
      const kept = lanes.flatMap(({ found }) => found.misses);
      const others = sumOf(lanes, "missCount") - kept.length;
      return resultOf(rowsOf(lanes), [...kept, ...others > 0 ? [`${others} more misses`] : []]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
};

async function runLane(
  requests: number,
  { seed, file, progress }: { seed: number; file: string; progress: Progress },
): Promise<Found> {
  progress(`starting, with seed ${seed}`);
  const args = [Math.ceil(requests), seed, file].map(String);
  if (!await runChild(["local/prove/fuzz/lane.ts", ...args], progress)) {
    throw new Error("A run was given up; why is above.");
  }
  // Written by the same version of this program.
  const found: Found = JSON.parse(await Deno.readTextFile(file));
  return found;
}

type Count = "overHttp" | "overSockets" | "answers" | "logLines" | "bookChecks" | "missCount";

function sumOf(lanes: readonly Lane[], count: Count): number {
  return lanes.reduce((sum, { found }) => sum + found[count], 0);
}

/** The rows of the table. */
export function rowsOf(lanes: readonly Lane[]): Row[] {
  const total = (count: Count) => sumOf(lanes, count).toLocaleString("en");
  const requests = sumOf(lanes, "overHttp") + sumOf(lanes, "overSockets");
  const tolerance = MEMORY_TOLERANCE_MEGABYTES +
    MEMORY_TOLERANCE_MEGABYTES_PER_REQUEST * requests / lanes.length;
  const memories = lanes.map(({ found }) => found.memory);
  const kinds = new Set(lanes.flatMap(({ found }) => Object.keys(found.kinds)));
  const failing = OPERATIONS.map(({ name }) => name).filter((name) =>
    !kinds.keys().some((kind) => kind.startsWith(`${name} 200`) || kind.startsWith(`${name} 303`))
  );
  const codes = new Set(kinds.keys().map((kind) => kind.split(" ").slice(1).join(" ")));
  const holds = sumOf(lanes, "missCount") === 0;
  const seeds = lanes.map(({ seed }) => seed).join(" and ");
  return [
    {
      what: "Requests over HTTP, and as bytes on connections",
      figure: `${total("overHttp")} and ${total("overSockets")} (seed ${seeds})`,
      holds: true,
    },
    {
      what: "Answers of functions, all documented",
      figure: `${total("answers")} of ${kinds.size} kinds, with ${codes.size} codes`,
      holds,
    },
    {
      what: "Operations that also succeeded",
      figure: failing.length === 0
        ? `all ${OPERATIONS.length}`
        : `${OPERATIONS.length - failing.length} of ${OPERATIONS.length}, not ${
          failing.join(", ")
        }`,
      holds: failing.length === 0,
    },
    { what: "Lines of the log, none with a private value", figure: total("logLines"), holds },
    { what: "Checks of the books, all right", figure: total("bookChecks"), holds },
    {
      what: `Memory of each process after a quarter and at the end, at most ${
        tolerance.toFixed(0)
      } MB more`,
      figure: memories.map(({ beforeMegabytes, afterMegabytes }) =>
        `${beforeMegabytes.toFixed(0)} MB and ${afterMegabytes.toFixed(0)} MB`
      ).join("; "),
      holds: memories.every(({ beforeMegabytes, afterMegabytes }) =>
        afterMegabytes - beforeMegabytes <= tolerance
      ),
    },
    {
      what: "Requests a second",
      figure: (requests / Math.max(...lanes.map(({ found }) => found.seconds))).toFixed(0),
      holds: true,
    },
  ];
}
