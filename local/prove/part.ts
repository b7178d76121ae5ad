/**
 * What the parts of `deno task prove` have in common. Each part is the constant of its name in the file
 * `part.ts` of its folder.
 * @module
 */

import type { Progress } from "../system/task.ts";

/**
 * How much of a part is run: `small` in under two minutes on a machine of two processors, `full` for
 * docs/proof.md, and `million` where a part has a size that takes longer ({@linkcode LARGEST}); the full
 * size for the others.
 */
export type Size = "small" | "full" | "million";

/**
 * The parts of which the size `million` is another than the full one: what it is called in docs/proof.md, and
 * whether the report lacks something without it.
 */
export const LARGEST: Readonly<Record<string, { title: string; isRequired: boolean }>> = {
  fuzz: { title: "fuzz, a million", isRequired: true },
  soak: { title: "soak, an hour", isRequired: false },
};

/** What a part is run with. */
export interface PartOptions {
  readonly size: Size;
  /** How long a part lasts that can last as long as one likes, instead of what its size says. */
  readonly minutes?: number | undefined;
  /** Is told how far the part is, in a short sentence without a line break. */
  readonly progress: Progress;
  /** Repeats what a part draws; drawn and named by the part if left out. */
  readonly seed?: number | undefined;
}

/** One line of the table: what was measured or counted, its figure, and whether it is as it has to be. */
export interface Row {
  readonly what: string;
  readonly figure: string;
  readonly holds: boolean;
}

/** What a part found. */
export interface PartResult {
  /** Whether the claim holds: every row does, and nothing was missed. */
  readonly holds: boolean;
  readonly rows: readonly Row[];
  /** What contradicts the claim, a sentence each, with what is needed to find it again. */
  readonly misses: readonly string[];
}

/** A claim about the product, and the way to test it. */
export interface Part {
  /** The word that `deno task prove` is given. */
  readonly name: string;
  /** What is shown, and what is not, in a sentence or two. */
  readonly claim: string;
  /** Says what this machine lacks for the part, and how to get it; undefined if it lacks nothing. */
  readonly missing?: () => Promise<string | undefined>;
  /**
   * Rejects only if the part could not be run; whatever it finds is in its result.
   *
   * @throws {TaskError} for what the person who runs it can fix.
   */
  run(options: PartOptions): Promise<PartResult>;
}

/** The result of a part that has these rows and misses. */
export function resultOf(rows: readonly Row[], misses: readonly string[] = []): PartResult {
  return { holds: misses.length === 0 && rows.every(({ holds }) => holds), rows, misses };
}
