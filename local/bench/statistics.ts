/**
 * Measures things side by side and summarizes the figures.
 *
 * A machine is never as fast in one second as in the next. So a baseline and its contestants take
 * turns in short rounds, and figures are compared only within a round.
 * @module
 */

import { median } from "../system/median.ts";

/** One figure per round. */
export type Samples = readonly number[];

/** Measures something once and returns the figure. */
export type Measure = () => Promise<number>;

/** The limit of a median ratio: a throughput should not fall below it, or a time not exceed it. */
export type Limit = { readonly atLeast: number } | { readonly atMost: number };

/** What is measured against a baseline. */
interface Contestant {
  readonly name: string;
  readonly measure: Measure;
  readonly limit?: Limit | undefined;
}

/** The figures of a contestant, and of the baseline in the same rounds. */
export interface Comparison {
  readonly name: string;
  readonly baseline: Samples;
  readonly samples: Samples;
  readonly limit: Limit | undefined;
}

/** The median and the range of some figures. */
interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

/**
 * Measures the baseline and every contestant once in each round, forwards and backwards in turn, so
 * that none always follows the same neighbor. An uncounted round comes first, to warm up.
 */
export async function sideBySide(
  baseline: Measure,
  contestants: readonly Contestant[],
  rounds: number,
): Promise<Comparison[]> {
  const [baselineSamples = [], ...others] = await takeTurns(
    [baseline, ...contestants.map(({ measure }) => measure)],
    rounds,
  );
  return contestants.map(({ name, limit }, index) => ({
    name,
    baseline: baselineSamples,
    samples: others[index] ?? [],
    limit,
  }));
}

/** Takes every measure once in each round, in the order that {@linkcode sideBySide} describes. */
export async function takeTurns(measures: readonly Measure[], rounds: number): Promise<Samples[]> {
  const turns = measures.map((measure) => ({ measure, samples: new Array<number>() }));
  for (const { measure } of turns) await measure();
  for (let round = 0; round < rounds; round++) {
    for (const { measure, samples } of round % 2 === 0 ? turns : turns.toReversed()) {
      samples.push(await measure());
    }
  }
  return turns.map(({ samples }) => samples);
}

/** Returns the spread of some figures. */
export function spreadOf(samples: Samples): Spread {
  const sorted = samples.toSorted((one, other) => one - other);
  const last = sorted.length - 1;
  const at = (index: number): number => {
    const figure = sorted[index];
    if (figure === undefined) throw new RangeError("There are no samples to summarize");
    return figure;
  };
  return {
    median: median(sorted),
    min: at(0),
    max: at(last),
    rounds: sorted.length,
  };
}

/** Returns the spread of the ratio of a contestant to its baseline, round by round. */
export function ratioOf({ baseline, samples }: Comparison): Spread {
  return spreadOf(samples.map((sample, round) => {
    const divisor = baseline[round];
    if (divisor === undefined) {
      throw new RangeError(`The baseline has no figure for round ${round}`);
    }
    return sample / divisor;
  }));
}
