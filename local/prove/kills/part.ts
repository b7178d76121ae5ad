/**
 * `deno task prove kills`: whatever process is killed, at whatever moment, everything that was
 * acknowledged is there afterwards, once.
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import type { Progress } from "../../system/task.ts";
import { until } from "../../system/until.ts";
import { kill } from "../kill.ts";
import { checkAfterLoad } from "../load/check.ts";
import { acknowledged } from "../load/event-listener.ts";
import { type Load, startLoad } from "../load/load.ts";
import { LONGEST_SILENCE_MS, RECOVERY_MS } from "../load/patience.ts";
import { missingForProvedStack, type ProvedStack, withProvedStack } from "../load/proved-stack.ts";
import { type Part, type PartResult, resultOf, type Row, type Size } from "../part.ts";
import { newSeed, type Random, randomOf } from "../random.ts";

const ROUNDS: Readonly<Record<Size, number>> = { small: 5, full: 20, million: 20 };

/** Fewer at small, because machines that run tests have something else to do. */
const CALLERS: Readonly<Record<Size, number>> = { small: 8, full: 16, million: 16 };

/** How many calls are answered between two kills, so that each meets a backend at work. */
const ANSWERED_BETWEEN_KILLS = 40;

/** The kill comes at any moment within so many milliseconds after that. */
const WITHIN_MS = 1_500;

/** The share of events that the bot refuses at first. */
const REFUSED_RATE = 0.02;

/** What is killed, and how it comes back. */
interface Victim {
  readonly name: string;
  readonly comesBack: string;
  /** Throws if it could not be killed. */
  kill(stack: ProvedStack, random: Random): Promise<void>;
}

const VICTIMS: readonly Victim[] = [
  {
    name: "the PostgreSQL server",
    comesBack: "by itself",
    kill: async (stack) => await kill(await stack.serverPid()),
  },
  {
    name: "single connections of the server",
    comesBack: "by themselves",
    kill: killSomeBackends,
  },
  {
    name: "the process of the functions",
    comesBack: "with deno task start",
    async kill(stack, random) {
      await stack.killFunctions();
      await delay(random.between(0, 500));
      await stack.startFunctions();
    },
  },
  {
    name: "the Razorpay stand-in",
    comesBack: "with its command",
    async kill(stack, random) {
      await stack.killStandIn();
      await delay(random.between(0, 500));
      await stack.startStandIn();
    },
  },
  {
    name: "all of them in the same moment",
    comesBack: "with both commands",
    async kill(stack) {
      const server = await stack.serverPid();
      await Promise.all([
        kill(server),
        stack.killFunctions(),
        stack.killStandIn(),
      ]);
      await Promise.all([stack.startFunctions(), stack.startStandIn()]);
    },
  },
];

/** PostgreSQL ends all other connections when one dies, because it may have left anything behind. */
async function killSomeBackends(stack: ProvedStack, random: Random): Promise<void> {
  await until("a connection was killed", async () => {
    const pids = random.shuffled(await stack.backendPids()).slice(0, random.between(1, 2));
    const kills = await Promise.allSettled(pids.map((pid) => kill(pid)));
    // One may have been closed since it was found.
    return kills.some(({ status }) => status === "fulfilled");
  });
}

/** Kills processes under load, and shows that what was acknowledged is there, once. */
export const kills: Part = {
  name: "kills",
  claim:
    "SIGKILL at a random moment, under a mixed load: the server, single connections, the functions, " +
    "Razorpay. What was acknowledged is there, once. This is the death of processes: what the operating " +
    "system has taken is kept, so it shows nothing about a loss of power.",
  missing: missingForProvedStack,
  run: ({ size, seed = newSeed(), progress }) =>
    withProvedStack((stack) => prove(stack, { size, seed, progress })),
};

async function prove(
  stack: ProvedStack,
  { size, seed, progress }: { size: Size; seed: number; progress: Progress },
): Promise<PartResult> {
  progress(`kills: seed ${seed}`);
  const random = randomOf(seed);
  stack.listener.behave(() =>
    random.happens(REFUSED_RATE) ? new Response(null, { status: 503 }) : acknowledged()
  );
  const load = await startLoad(stack, {
    seed,
    callers: CALLERS[size],
    restMs: 20,
    cutRate: 0.01,
    forgottenAfterSeconds: 30,
  });
  const answeredAfterMs: number[] = [];
  const victims = victimsOf(ROUNDS[size], random);
  for (const [index, victim] of victims.entries()) {
    await delay(random.between(0, WITHIN_MS));
    progress(`kills: round ${index + 1} of ${victims.length}, ${victim.name}`);
    const killedAt = performance.now();
    await victim.kill(stack, random);
    const isAnswered = await answeredCalls(load, 2 * CALLERS[size]);
    if (isAnswered) answeredAfterMs.push(performance.now() - killedAt);
    if (!isAnswered || !await answeredCalls(load, ANSWERED_BETWEEN_KILLS)) {
      return resultOf(roundRows(victims, answeredAfterMs), [
        `seed ${seed}, round ${index + 1}: no answers for ${RECOVERY_MS / 1_000} seconds after ` +
        `SIGKILL for ${victim.name}. ${await stateOf(stack, load)}`,
      ]);
    }
  }
  await everyKind(load);
  progress("kills: waiting for what is under way, then checking");
  await load.stop();
  const { rows, misses } = await checkAfterLoad(stack, load.journal, { seed });
  const rounds = { what: "rounds", figure: `${victims.length} (seed ${seed})`, holds: true };
  return resultOf([rounds, ...roundRows(victims, answeredAfterMs), ...rows], misses);
}

/** Each victim as often as the others, in a random order. */
function victimsOf(rounds: number, random: Random): Victim[] {
  const victims: Victim[] = [];
  while (victims.length < rounds) victims.push(...random.shuffled(VICTIMS));
  return victims.slice(0, rounds);
}

/**
 * Waits until so many more calls have been answered, and returns whether they were. Throws if the load has
 * ended by an error of its own.
 */
async function answeredCalls({ journal, throwIfFailed }: Load, count: number): Promise<boolean> {
  const enough = journal.answered + count;
  const deadline = Date.now() + RECOVERY_MS;
  while (journal.answered < enough) {
    throwIfFailed();
    if (Date.now() > deadline) return false;
    await delay(10);
  }
  return true;
}

/** Lets a load that was short go on until each kind of call has succeeded. The check says which has not. */
async function everyKind({ journal, throwIfFailed }: Load): Promise<void> {
  const deadline = Date.now() + RECOVERY_MS;
  while (journal.missingKinds().length > 0 && Date.now() < deadline) {
    throwIfFailed();
    await delay(100);
  }
}

/** What somebody needs who wants to know why nothing is answered. */
async function stateOf(stack: ProvedStack, { journal }: Load): Promise<string> {
  const waiting = journal.entries.filter(({ answer, isAbandoned }) => !answer && !isAbandoned);
  const lastLines = (text: string) => text.trimEnd().split("\n").slice(-5).join(" | ");
  return [
    `Waiting: ${waiting.map(({ call }) => call.path).join(", ") || "nobody"}`,
    `The stack: ${lastLines(await stack.output())}`,
    `The server: ${lastLines(await stack.serverLog())}`,
  ].join(". ");
}

function roundRows(victims: readonly Victim[], answeredAfterMs: readonly number[]): Row[] {
  return VICTIMS.flatMap((victim) => {
    const times = answeredAfterMs.filter((_, round) => victims[round] === victim);
    return times.length > 0 ? [killRow(victim, times)] : [];
  });
}

/** The row of one victim: how long after its kills the load was answered again, at most. */
export function killRow(
  { name, comesBack }: Pick<Victim, "name" | "comesBack">,
  answeredAfterMs: readonly number[],
): Row {
  const slowestMs = Math.max(...answeredAfterMs);
  return {
    what: `SIGKILL for ${name}, back ${comesBack}`,
    figure: `${answeredAfterMs.length} times, answers went on after ${
      (slowestMs / 1_000).toFixed(1)
    } s at most (up to ${LONGEST_SILENCE_MS / 1_000} would do)`,
    holds: slowestMs <= LONGEST_SILENCE_MS,
  };
}
