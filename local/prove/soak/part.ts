/**
 * `deno task prove soak`: minutes of everything at once with faults in between, after which everything
 * that was acknowledged is there, and nothing has grown that must not.
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import type { Progress } from "../../system/task.ts";
import { checkAfterLoad } from "../load/check.ts";
import { type Load, startLoad } from "../load/load.ts";
import { LONGEST_SILENCE_MS } from "../load/patience.ts";
import { missingForProvedStack, type ProvedStack, withProvedStack } from "../load/proved-stack.ts";
import { type Part, type PartResult, resultOf, type Size } from "../part.ts";
import { newSeed, type Random, randomOf } from "../random.ts";
import { type Fault, FAULTS } from "./faults.ts";
import { flatness, seriesLine } from "./flat.ts";
import { Sampler } from "./samples.ts";

const MINUTES: Readonly<Record<Size, number>> = { small: 1, full: 10, million: 60 };

/** How many samples are tried, however long it lasts. */
const SAMPLES = 60;

/** The rest may fall into the time in which the database is away. */
const MIN_SAMPLES_SHARE = 0.5;

/** How long the backend has to itself between two faults. */
const BETWEEN_FAULTS_MS: Readonly<Record<Size, number>> = {
  small: 1_500,
  full: 6_000,
  million: 6_000,
};

/** Runs everything with faults for minutes, and shows that nothing is lost or grows. */
export const soak: Part = {
  name: "soak",
  claim:
    "A mixed load for minutes, with faults in between: the database away, Razorpay slow, wrong or " +
    "down, connections cut. What was acknowledged is there, once. After a warm-up of a quarter of the " +
    "time, memory, open files and queues grow by no more than what is said, and connections, dead rows " +
    "and the wait of events stay below a limit in nine of ten samples.",
  missing: missingForProvedStack,
  run: ({ size, minutes = MINUTES[size], seed = newSeed(), progress }) =>
    withProvedStack((stack) => prove(stack, { size, minutes, seed, progress })),
};

async function prove(
  stack: ProvedStack,
  { size, minutes, seed, progress }: {
    size: Size;
    minutes: number;
    seed: number;
    progress: Progress;
  },
): Promise<PartResult> {
  progress(`soak: seed ${seed}, ${minutes} minutes`);
  await hurryServer(stack);
  const load = await startLoad(stack, {
    seed,
    callers: 8,
    restMs: size === "small" ? 60 : 200,
    cutRate: 0.02,
    forgottenAfterSeconds: 30,
  });
  const sampler = new Sampler(stack);
  const startsAt = Date.now();
  const endsAt = startsAt + minutes * 60_000;
  const [happened] = await Promise.all([
    keepFailing(stack, load, { size, endsAt, random: randomOf(seed), progress }),
    keepSampling(sampler, startsAt, endsAt),
  ]);
  const { answered, longestSilenceMs } = load.journal;
  progress("soak: waiting for what is under way, then checking");
  await load.stop();
  const { rows, misses } = await checkAfterLoad(stack, load.journal, { seed });
  const isLong = minutes >= MINUTES.full;
  const series = sampler.series({ isLong });
  for (const one of series) progress(`soak: ${seriesLine(one)}`);
  const flat = series.map(flatness);
  const missing = FAULTS.filter((fault) => isLong && !happened.has(fault));
  const count = [...happened.values()].reduce((sum, times) => sum + times, 0);
  return resultOf(
    [
      {
        what: `faults in ${minutes} ${minutes === 1 ? "minute" : "minutes"}, and their kinds`,
        figure: `${count}, and ${happened.size} of ${FAULTS.length} (seed ${seed})`,
        holds: count > 0 && missing.length === 0,
      },
      {
        what: "calls that were answered meanwhile",
        figure: answered.toLocaleString("en-US"),
        holds: answered > 0,
      },
      {
        what: "longest time without an answer for anybody",
        figure: `${(longestSilenceMs / 1_000).toFixed(1)} s (up to ${
          LONGEST_SILENCE_MS / 1_000
        } would do)`,
        holds: longestSilenceMs <= LONGEST_SILENCE_MS,
      },
      {
        what: "samples that could be taken",
        figure: `${sampler.taken} of ${SAMPLES} (${MIN_SAMPLES_SHARE * SAMPLES} would do)`,
        holds: sampler.taken >= MIN_SAMPLES_SHARE * SAMPLES,
      },
      ...rows,
      ...flat,
    ],
    [
      ...misses,
      ...missing.map(({ name }) => `never happened so that somebody met it: ${name}`),
      ...series.filter((_, index) => !flat[index]?.holds)
        .map((one) => `has grown, or was too high: ${seriesLine(one)}`),
    ],
  );
}

/** Lets one fault happen after the other, and returns how often somebody met which. */
async function keepFailing(
  stack: ProvedStack,
  load: Load,
  { size, endsAt, random, progress }: {
    size: Size;
    endsAt: number;
    random: Random;
    progress: Progress;
  },
): Promise<ReadonlyMap<Fault, number>> {
  const queue: Fault[] = [];
  const happened = new Map<Fault, number>();
  while (Date.now() < endsAt) {
    load.throwIfFailed();
    await delay(BETWEEN_FAULTS_MS[size]);
    if (queue.length === 0) queue.push(...random.shuffled(FAULTS));
    const fault = queue.pop();
    if (fault === undefined) break;
    const secondsLeft = Math.max(0, Math.round((endsAt - Date.now()) / 1_000));
    progress(`soak: ${secondsLeft} seconds left, ${fault.name}`);
    if (await fault.happen(stack)) happened.set(fault, (happened.get(fault) ?? 0) + 1);
  }
  return happened;
}

/** Takes samples at regular intervals. Those that a database standing still has delayed are made up for. */
async function keepSampling(sampler: Sampler, startsAt: number, endsAt: number): Promise<void> {
  for (let sample = 0; sample < SAMPLES; sample++) {
    const dueAt = startsAt + sample * (endsAt - startsAt) / SAMPLES;
    await delay(Math.max(0, dueAt - Date.now()));
    await sampler.take();
  }
}

/**
 * PostgreSQL looks once a minute for tables with dead rows; every second, so that a soak of minutes shows
 * what hours would. A shutdown waits up to authentication_timeout for a client that has connected and has
 * said nothing yet; shorter, so that the faults after it happen as well.
 */
async function hurryServer(stack: ProvedStack): Promise<void> {
  await stack.asSuperuser(async (sql) => {
    await sql`alter system set autovacuum_naptime = '1s'`;
    await sql`alter system set authentication_timeout = '5s'`;
    await sql`select pg_reload_conf()`;
  });
}
