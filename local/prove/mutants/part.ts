/**
 * `deno task prove mutants`: breaks the product's rules, one at a time, and sees whether the tests notice.
 *
 * First every test that is needed has to pass in an unchanged copy, so that a failure means something. A
 * mutant is caught if one of its tests then fails, and by nothing else: not by a file that cannot be
 * loaded, not by a schema that PostgreSQL refuses, not by a run without tests.
 * @module
 */

import { join } from "node:path";
import { installPostgres } from "../../postgres/binaries.ts";
import { readSettings, REPOSITORY } from "../../system/settings.ts";
import { failWhenInterrupted, TaskError } from "../../system/task.ts";
import { type Part, type PartOptions, type PartResult, resultOf } from "../part.ts";
import { broken, type Mutant, requireFilter, type Subject } from "./mutant.ts";
import { RepositoryCopy } from "./repository-copy.ts";
import { SUBJECTS } from "./rules/subjects.ts";
import { runTests, type Selection, type TestRun } from "./test-run.ts";

/** How many copies are tested at once. */
const MAX_LANES = 2;

/** How many mutants the small size makes: the first of so many subjects. */
const SMALL_COUNT = 5;

/** Shows that the tests notice when a rule of the product is broken. */
export const mutants: Part = {
  name: "mutants",
  claim:
    "Each rule of a list is broken by a small patch, one at a time, and the test that upholds " +
    "it fails. It says nothing about rules that are not on the list.",
  run: ({ size, progress }) =>
    proveMutants(size === "small" ? firstOfEach(SUBJECTS) : SUBJECTS, progress),
};

function firstOfEach(subjects: readonly Subject[]): Subject[] {
  return subjects.slice(0, SMALL_COUNT).map(({ name, mutants }) => ({
    name,
    mutants: mutants.slice(0, 1),
  }));
}

/**
 * Checks that every patch of the whole list applies, then makes the mutants of `subjects` and runs the
 * tests that have to notice.
 *
 * @throws {TaskError} if the run is interrupted.
 */
export async function proveMutants(
  subjects: readonly Subject[],
  progress: PartOptions["progress"],
  maxLanes = MAX_LANES,
): Promise<PartResult> {
  const all = SUBJECTS.flatMap(({ mutants }) => mutants);
  const unfit = await findUnfit(all);
  const fit = {
    what: "patches that apply, and name tests that exist",
    figure: `${all.length - unfit.length} of ${all.length}`,
    holds: unfit.length === 0,
  };
  if (unfit.length > 0) return resultOf([fit], unfit);

  await using cleanUp = new AsyncDisposableStack();
  const postgresBin = readSettings().postgresBin ?? await installPostgres();
  const interruption = new AbortController();
  const chosen = subjects.flatMap(({ mutants }) => mutants);
  const copies: RepositoryCopy[] = [];
  for (let lane = 0; lane < Math.min(maxLanes, navigator.hardwareConcurrency); lane++) {
    copies.push(cleanUp.use(await RepositoryCopy.make()));
  }
  const test = (copy: RepositoryCopy, selection: Selection) =>
    runTests(copy, selection, { postgresBin, signal: interruption.signal });

  const work = async () => {
    const files = [...Map.groupBy(chosen, (mutant) => mutant.test)];
    const unusable = await inLanes(copies, files, async (copy, [file, needed], place) => {
      const run = await test(copy, { test: file, filter: anyFilterOf(needed) });
      const misses = missesUnbroken(file, needed, run);
      progress(
        `unbroken, ${place} of ${files.length}: ${file} ${misses.length ? "FAILS" : "passes"}`,
      );
      return misses;
    });
    const misses = unusable.flat();
    if (misses.length > 0) return { verdicts: [], misses };
    const verdicts = await inLanes(copies, chosen, async (copy, mutant, place) => {
      const run = await copy.withMutant(
        mutant,
        () => test(copy, { test: mutant.test, filter: mutant.filter, failFast: true }),
      );
      const verdict = verdictOf(mutant, run);
      progress(
        `mutant ${place} of ${chosen.length} ${verdict.isCaught ? "caught" : "NOT CAUGHT"}: ` +
          mutant.rule,
      );
      return verdict;
    });
    return { verdicts, misses: verdicts.flatMap(({ miss }) => miss === undefined ? [] : [miss]) };
  };
  const working = work();
  // Whatever happens, no run is left behind when the copies are removed.
  cleanUp.defer(async () => {
    interruption.abort();
    await working.catch(() => {});
  });
  const { verdicts, misses } = await Promise.race([working, failWhenInterrupted()]);

  const caught = new Set(verdicts.flatMap(({ mutant, isCaught }) => isCaught ? [mutant] : []));
  return resultOf(
    [
      fit,
      ...subjects.map(({ name, mutants }) => {
        const count = mutants.filter((mutant) => caught.has(mutant)).length;
        const figure = `${count} of ${mutants.length}`;
        return { what: `mutants caught: ${name}`, figure, holds: count === mutants.length };
      }),
    ],
    misses,
  );
}

/** What is wrong with the list itself, a sentence for each mutant. */
async function findUnfit(all: readonly Mutant[]): Promise<string[]> {
  const found: string[] = [];
  const rules = new Set<string>();
  for (const mutant of all) {
    try {
      broken(await read(mutant.file), mutant);
      requireFilter(await read(mutant.test), mutant);
      if (rules.has(mutant.rule)) throw new TaskError(`Two mutants break "${mutant.rule}".`);
      rules.add(mutant.rule);
    } catch (error) {
      if (!(error instanceof TaskError)) throw error;
      found.push(error.message);
    }
  }
  return found;
}

async function read(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(join(REPOSITORY, file));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new TaskError(`${file} is not there any more.`);
    }
    throw error;
  }
}

/** Calls `act` for each item, as many at a time as there are copies, with its place in the list. */
async function inLanes<Item, Result>(
  copies: readonly RepositoryCopy[],
  items: readonly Item[],
  act: (copy: RepositoryCopy, item: Item, place: number) => Promise<Result>,
): Promise<Result[]> {
  const queue = items.entries();
  const results: Result[] = [];
  await Promise.all(copies.map(async (copy) => {
    for (const [index, item] of queue) results[index] = await act(copy, item, index + 1);
  }));
  return results;
}

/** A filter for all tests that these mutants need; undefined if that is the whole file. */
function anyFilterOf(needed: readonly Mutant[]): string | undefined {
  const filters = new Set(needed.map(({ filter }) => filter));
  if (filters.has(undefined)) return undefined;
  return `/${[...filters].map((filter = "") => RegExp.escape(filter)).join("|")}/`;
}

/** Why an unchanged copy is no ground to judge these mutants on. */
function missesUnbroken(file: string, needed: readonly Mutant[], run: TestRun): string[] {
  if (!run.isSuccess) {
    return [`${file} fails without any mutant, so it shows nothing:\n${run.end}`];
  }
  return needed.flatMap(({ rule, filter = "" }) =>
    run.passed.some((title) => title.includes(filter))
      ? []
      : [`No test of ${file} has "${filter}" in its title, for the rule "${rule}".`]
  );
}

function verdictOf(
  mutant: Mutant,
  run: TestRun,
): { mutant: Mutant; isCaught: boolean; miss?: string } {
  if (run.failed.length > 0) return { mutant, isCaught: true };
  const what = `"${mutant.rule}" (${mutant.file}, ${mutant.test})`;
  return {
    mutant,
    isCaught: false,
    miss: run.isSuccess
      ? `Survived: ${what}.`
      : `Not caught by a test, because the run ended otherwise: ${what}.\n${run.end}`,
  };
}
