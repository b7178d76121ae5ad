/**
 * Measures things side by side and sums the figures up.
 *
 * A machine is never as fast in one second as in the next. So the contestants take turns in short
 * rounds, and figures are compared within a round only.
 * @module
 */

/** The figures of one contestant, one for each round. */
export type Samples = readonly number[];

/** The middle of some figures, and how far they go. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly rounds: number;
}

/**
 * Measures every contestant once in each round, forwards and backwards in turn, so that none has
 * always the same neighbour before it. A round that is not counted comes first, to warm up.
 * Returns the samples in the order of the contestants.
 */
export async function sideBySide(
  contestants: readonly (() => Promise<number>)[],
  rounds: number,
): Promise<Samples[]> {
  const entries = contestants.map((measure) => ({ measure, samples: new Array<number>() }));
  for (const { measure } of entries) await measure();
  for (let round = 0; round < rounds; round++) {
    for (const { measure, samples } of round % 2 === 0 ? entries : entries.toReversed()) {
      samples.push(await measure());
    }
  }
  return entries.map(({ samples }) => samples);
}

/** The spread of some figures. */
export function spreadOf(samples: Samples): Spread {
  const sorted = samples.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return {
    median: sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2,
    least: sorted[0],
    most: sorted[sorted.length - 1],
    rounds: sorted.length,
  };
}

/** The spread of what `samples` are to `baseline`, round by round. */
export function ratioTo(baseline: Samples, samples: Samples): Spread {
  return spreadOf(samples.map((sample, round) => sample / baseline[round]));
}
