/**
 * The check after a load: whether everything that was acknowledged is there, once, and nothing else.
 *
 * What must be there comes from the journal and from Razorpay's books; what is there, from the tables,
 * from repeated calls, and from what the bot was told.
 * @module
 */

import { randomUUID } from "node:crypto";
import type { PartResult } from "../part.ts";
import { randomOf } from "../random.ts";
import { Client } from "./client.ts";
import { isDone, nameOf } from "./entry.ts";
import { gather } from "./evidence.ts";
import { Findings } from "./findings.ts";
import type { Journal } from "./journal.ts";
import { judge } from "./judge.ts";
import { differenceOfReplay, REPEATABLE } from "./load.ts";
import { settle } from "./settle.ts";
import type { Target } from "./target.ts";

/**
 * How long the backend may take, after the load, until less is left to do than before. Not for all of it:
 * what an hour leaves takes longer than what a minute does.
 */
const SETTLE_MS = 120_000;

/** At most so many calls are repeated, drawn at random. */
const MAX_REPEATED = 1_000;

/** At most so many people spend another credit, drawn at random. */
const MAX_SPENDERS = 100;

const CALLS_AT_ONCE = 8;

/**
 * Waits until the backend has nothing left to do, and checks it. The load must have been stopped.
 *
 * `seed` draws who spends another credit and which calls are repeated, and `settleMs` is how long nothing
 * may get less of what is left.
 */
export async function checkAfterLoad(
  target: Target,
  journal: Journal,
  { seed, settleMs = SETTLE_MS }: { seed: number; settleMs?: number },
): Promise<PartResult> {
  const findings = new Findings();
  // Before anything is counted, so that what is spent is found in the books as well.
  await checkSpending(target, journal, seed, findings);
  await checkSettling(target, settleMs, findings);
  judge(journal, await gather(target, journal), findings);
  await checkReplays(target, journal, seed, findings);
  return findings.result();
}

/**
 * A backend that refuses whatever it is asked for loses nothing: those who have credits left for certain
 * must be able to spend one.
 */
async function checkSpending(
  { environment }: Target,
  journal: Journal,
  seed: number,
  findings: Findings,
): Promise<void> {
  const misses: string[] = [];
  const surprised = (sentence: string) => misses.push(sentence);
  const random = randomOf(seed);
  const client = new Client(environment, { random, cutRate: 0, surprised });
  const drawn = random.shuffled(journal.allowances.solvent()).slice(0, MAX_SPENDERS);
  const queue = drawn.values();
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, async () => {
    for (const phone of queue) {
      const reference = `another-${randomUUID()}`;
      const body = { phone_number: phone, reference_id: reference, credits: 1 };
      const call = { as: "bot", path: "bot-deduct", body } as const;
      const entry = journal.begin({ kind: "deduction", phone, reference, credits: 1, call });
      const answer = await client.insist(call);
      if (answer !== undefined) journal.answer(entry, answer);
      if (!isDone(entry)) {
        misses.push(`${phone} cannot spend a credit: ${answer?.code ?? answer?.status}`);
      }
    }
  }));
  findings.addCount("people with credits left who could spend another one", drawn.length, misses);
}

/** What the load has left is done, by a reconciler that does not fail at it. */
async function checkSettling(target: Target, settleMs: number, findings: Findings): Promise<void> {
  const misses: string[] = [];
  const surprised = (sentence: string) => misses.push(sentence);
  const left = await settle(target, { settleMs, surprised });
  for (const [what, count] of Object.entries(left)) {
    misses.push(`${count} ${what}, after ${settleMs / 1_000} seconds without less to do`);
  }
  findings.add("nothing is left to do, once what waits is put forward", misses, "");
}

/** Repeated calls: each gets its first answer again. */
async function checkReplays(
  { environment }: Target,
  journal: Journal,
  seed: number,
  findings: Findings,
): Promise<void> {
  const misses: string[] = [];
  const surprised = (sentence: string) => misses.push(sentence);
  const random = randomOf(seed);
  const client = new Client(environment, { random, cutRate: 0, surprised });
  const known = journal.acknowledged(...REPEATABLE);
  const drawn = random.shuffled(known).slice(0, MAX_REPEATED);
  const queue = drawn.values();
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, async () => {
    for (const entry of queue) {
      const again = await client.insist(entry.call);
      if (again === undefined) misses.push(`${nameOf(entry)} was repeated, and had no answer`);
      const difference = again && differenceOfReplay(entry, again);
      if (difference) misses.push(difference);
    }
  }));
  findings.addCount("repeated calls that got their first answer again", drawn.length, misses);
}
