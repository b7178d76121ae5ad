/**
 * What a check finds, as rows of the table and as what contradicts them.
 * @module
 */

import { type PartResult, resultOf, type Row } from "../part.ts";

/** How many misses of one kind are told one by one. */
const MAX_TOLD = 10;

/** Rows of the table, each with what contradicts it. */
export class Findings {
  readonly #rows: Row[] = [];
  readonly #misses: string[] = [];

  /** Adds a row that holds if nothing contradicts it. Without a figure, it says whether it does. */
  add(what: string, misses: readonly string[], figure: string): void {
    const holds = misses.length === 0;
    this.#rows.push({ what, figure: figure || (holds ? "yes" : "no"), holds });
    this.#misses.push(...misses.slice(0, MAX_TOLD));
    const untold = misses.length - MAX_TOLD;
    if (untold > 0) this.#misses.push(`${what}: ${untold} more`);
  }

  /** As {@linkcode add}, for things of which each should be right. None at all shows nothing. */
  addCount(what: string, count: number, misses: readonly string[]): void {
    const right = Math.max(0, count - misses.length);
    this.add(
      what,
      count === 0 ? [...misses, `${what}: there were none`] : misses,
      `${right.toLocaleString("en-US")} of ${count.toLocaleString("en-US")}`,
    );
  }

  /** All rows so far, with what contradicts them. */
  result(): PartResult {
    return resultOf(this.#rows, this.#misses);
  }
}
