/**
 * Chance that can be repeated: the same seed leads to the same draws.
 * @module
 */

import { randomInt } from "node:crypto";

/** A source of draws. */
export interface Random {
  /** A number from 0, and below 1. */
  next(): number;
  /** A whole number from `min` to `max`. */
  between(min: number, max: number): number;
  /** Whether something of this probability happens. */
  happens(probability: number): boolean;
  /** The items in another order. */
  shuffled<Item>(items: readonly Item[]): Item[];
}

/** A seed to print, so that somebody else can repeat the draws. */
export function newSeed(): number {
  return randomInt(2 ** 31);
}

/** Draws from a seed, by the algorithm mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6D2B79F5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (min: number, max: number) => min + Math.floor(next() * (max - min + 1));
  return {
    next,
    between,
    happens: (probability) => next() < probability,
    shuffled: (items) =>
      items.map((item) => ({ item, position: next() }))
        .sort((one, other) => one.position - other.position)
        .map(({ item }) => item),
  };
}
