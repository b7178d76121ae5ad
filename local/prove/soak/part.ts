/**
 * `deno task prove soak`: minutes of everything at once with faults in between, after which everything
 * that was acknowledged is there, and nothing has grown that must not.
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import type { Progress } from "../../system/task.ts";
import { checkAfterLoad } from "../load/check.ts";
import { type Load, startLoad } from "../load/load.ts";
import { type ProvedStack, withProvedStack } from "../load/proved-stack.ts";
import { type Part, type PartResult, resultOf, type Size } from "../part.ts";
import { newSeed, type Random, randomOf } from "../random.ts";
import { type Fault, FAULTS } from "./faults.ts";
import { flatness, seriesLine } from "./flat.ts";
import { Sampler } from "./samples.ts";

const MINUTES: Readonly<Record<Size, number>> = { small: 1, full: 10, million: 60 };

/** How many samples are taken, however long it lasts. */
const SAMPLES = 60;

/** How long the backend has to itself between two faults. */
const BETWEEN_FAULTS_MS: Readonly<Record<Size, number>> = {
  small: 1_500,
  full: 6_000,
  million: 6_000,
};

export const soak: Part = {
  name: "soak",
  claim:
    "A mixed load for minutes, with faults in between: the database away, Razorpay slow, wrong or " +
    "down, connections cut. What was acknowledged is there, once; memory, connections, dead rows and " +
    "queues stay as they were after a warm-up of a quarter of the time.",
  run: ({ size, minutes = MINUTES[size], progress }) =>
    withProvedStack((stack) => prove(stack, { size, minutes, progress })),
};

async function prove(
  stack: ProvedStack,
  { size, minutes, progress }: { size: Size; minutes: number; progress: Progress },
): Promise<PartResult> {
  const seed = newSeed();
  progress(`soak: seed ${seed}, ${minutes} minutes`);
  await hurryAutovacuum(stack);
  const load = await startLoad(stack, {
    seed,
    callers: 8,
    restMs: size === "small" ? 60 : 200,
    cutRate: 0.02,
    forgottenAfterSeconds: 30,
  });
  const sampler = new Sampler(stack);
  const endsAt = Date.now() + minutes * 60_000;
  const [happened] = await Promise.all([
    keepFailing(stack, load, { size, endsAt, random: randomOf(seed), progress }),
    keepSampling(stack, sampler, endsAt, minutes),
  ]);
  progress("soak: waiting for what is under way, then checking");
  await load.stop();
  const { rows, misses } = await checkAfterLoad(stack, load.journal, { seed });
  const series = sampler.series();
  for (const one of series) progress(`soak: ${seriesLine(one)}`);
  const flat = series.map(flatness);
  return resultOf(
    [
      {
        what: `faults in ${minutes} minutes, of ${FAULTS.length} kinds`,
        figure: String(happened),
        holds: happened > 0,
      },
      {
        what: "calls that were answered meanwhile",
        figure: load.journal.answered.toLocaleString("en-US"),
        holds: load.journal.answered > 0,
      },
      ...rows,
      ...flat,
    ],
    [
      ...misses,
      ...series.filter((_, index) => !flat[index]?.holds)
        .map((one) => `has grown: ${seriesLine(one)}`),
    ],
  );
}

/** Lets one fault happen after the other, and returns how many there were. */
async function keepFailing(
  stack: ProvedStack,
  load: Load,
  { size, endsAt, random, progress }: {
    size: Size;
    endsAt: number;
    random: Random;
    progress: Progress;
  },
): Promise<number> {
  const queue: Fault[] = [];
  let happened = 0;
  while (Date.now() < endsAt) {
    load.throwIfFailed();
    await delay(BETWEEN_FAULTS_MS[size]);
    if (queue.length === 0) queue.push(...random.shuffled(FAULTS));
    const fault = queue.pop();
    if (fault === undefined) break;
    const secondsLeft = Math.max(0, Math.round((endsAt - Date.now()) / 1_000));
    progress(`soak: ${secondsLeft} seconds left, ${fault.name}`);
    await fault.happen(stack);
    happened++;
  }
  return happened;
}

/** Takes samples until the end, and lets the stand-in forget what it has reported. */
async function keepSampling(
  stack: ProvedStack,
  sampler: Sampler,
  endsAt: number,
  minutes: number,
): Promise<void> {
  while (Date.now() < endsAt) {
    await sampler.take();
    // Otherwise it would write thousands of old events to its file with each new one.
    await stack.control.forgetWebhookEvents().catch(() => {});
    await delay(minutes * 60_000 / SAMPLES);
  }
}

/**
 * PostgreSQL looks once a minute for tables with dead rows. Every second, so that a soak of minutes shows
 * what hours would.
 */
async function hurryAutovacuum(stack: ProvedStack): Promise<void> {
  await stack.asSuperuser(async (sql) => {
    await sql`alter system set autovacuum_naptime = '1s'`;
    await sql`select pg_reload_conf()`;
  });
}
