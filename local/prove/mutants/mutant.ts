/**
 * A rule of the product, with the smallest change that breaks it and the test that has to notice.
 * @module
 */

import { TaskError } from "../../system/task.ts";

/** One small defect that somebody could make. */
export interface Mutant {
  /** The rule that it breaks, as a sentence. No two mutants have the same one. */
  readonly rule: string;
  /** The file that it changes, relative to the top of the repository. */
  readonly file: string;
  /** The passage that it replaces, which the file has exactly once, or `count` times. */
  readonly find: string;
  readonly replace: string;
  readonly count?: number;
  /** The test file that has to notice. */
  readonly test: string;
  /**
   * A part of the titles of the tests that are run, as it is written in that file; all if left out. Tests
   * that break a rule themselves are never run.
   */
  readonly filter?: string;
}

/** Rules about one subject. */
export interface Subject {
  /** As in "locks and turns". */
  readonly name: string;
  readonly mutants: readonly Mutant[];
}

/**
 * Returns the text of the mutant's file with its change.
 *
 * @throws {TaskError} if the text does not have the passage as often as it should.
 */
export function broken(text: string, { rule, file, find, replace, count = 1 }: Mutant): string {
  const found = text.split(find).length - 1;
  if (found !== count || find === replace) {
    throw new TaskError(
      `The mutant "${rule}" no longer fits ${file}: its passage is there ${found} times and not ` +
        `${count}. Find the passage that upholds the rule now.`,
    );
  }
  return text.replaceAll(find, () => replace);
}

/**
 * Checks that the text of the mutant's test file has its filter.
 *
 * @throws {TaskError} if not: then the test has another title now, or is gone.
 */
export function requireFilter(testText: string, { rule, test, filter = "" }: Mutant): void {
  if (testText.includes(filter)) return;
  throw new TaskError(
    `The mutant "${rule}" names tests that ${test} no longer has: "${filter}". Find the test that ` +
      "upholds the rule now.",
  );
}
