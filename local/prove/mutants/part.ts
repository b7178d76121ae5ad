/**
 * `deno task prove mutants`: breaks the product's rules, one at a time, and sees whether the tests notice.
 *
 * First every test that is needed has to pass in an unchanged copy, so that a failure means something. A
 * mutant is caught if one of its tests then fails, and by nothing else: not by a file that cannot be
 * loaded, not by a schema that PostgreSQL refuses, not by a run without tests. Tests that break a rule
 * themselves are not run (tests/support/mutants.ts).
 * @module
 */

import { join } from "node:path";
import { installPostgres } from "../../postgres/binaries.ts";
import { type TemporaryServer, withTemporaryServer } from "../../postgres/temporary.ts";
import { readSettings, REPOSITORY } from "../../system/settings.ts";
import { failWhenInterrupted, TaskError } from "../../system/task.ts";
import { type Part, type PartOptions, type PartResult, resultOf } from "../part.ts";
import { broken, type Mutant, requireFilter, type Subject } from "./mutant.ts";
import { RepositoryCopy } from "./repository-copy.ts";
import { SUBJECTS } from "./rules/subjects.ts";
import { type Lane, runTests, type TestRun } from "./test-run.ts";

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
  const all = [...new Set([...SUBJECTS, ...subjects].flatMap(({ mutants }) => mutants))];
  const unfit = await findUnfit(all);
  const fit = {
    what: "patches that apply, and name tests that exist",
    figure: `${all.length - unfit.length} of ${all.length}`,
    holds: unfit.length === 0,
  };
  if (unfit.length > 0) return resultOf([fit], unfit);

  const chosen = subjects.flatMap(({ mutants }) => mutants);
  const count = Math.min(maxLanes, navigator.hardwareConcurrency);
  const { verdicts, misses } = await withLanes(
    count,
    (lanes, signal) => tryMutants(chosen, { lanes, signal, progress }),
    failWhenInterrupted(),
  );
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

/**
 * Calls `use` with as many lanes, and removes them afterwards, even if `interruption` rejects; then the
 * signal is aborted first, and `use` has to come to an end.
 */
async function withLanes<Result>(
  count: number,
  use: (lanes: readonly Lane[], signal: AbortSignal) => Promise<Result>,
  interruption: Promise<never>,
  lanes: readonly Lane[] = [],
): Promise<Result> {
  await using cleanUp = new AsyncDisposableStack();
  if (lanes.length === count) {
    const end = new AbortController();
    const used = use(lanes, end.signal);
    cleanUp.defer(async () => {
      end.abort();
      await used.catch(() => {});
    });
    return await Promise.race([used, interruption]);
  }
  const postgresBin = readSettings().postgresBin ?? await installPostgres();
  const copy = cleanUp.use(await RepositoryCopy.make());
  const useServer = (server: TemporaryServer) => {
    const serverUrl = server.superuserUrl("postgres");
    return withLanes(count, use, interruption, [...lanes, { copy, serverUrl, postgresBin }]);
  };
  // Only the innermost lane hears of an interruption, so that they are removed from the inside out. An outer
  // one that was done first would end the process before the inner ones are.
  const never = new Promise<never>(() => {});
  return await withTemporaryServer({ ...readSettings(), postgresBin }, useServer, {}, never);
}

interface Verdict {
  readonly mutant: Mutant;
  readonly isCaught: boolean;
  /** Why not. */
  readonly miss?: string;
}

/** Runs what is needed of the tests in unchanged copies, and, if all of it passes, makes each mutant. */
async function tryMutants(
  chosen: readonly Mutant[],
  { lanes, signal, progress }: {
    lanes: readonly Lane[];
    signal: AbortSignal;
    progress: PartOptions["progress"];
  },
): Promise<{ verdicts: readonly Verdict[]; misses: readonly string[] }> {
  const files = [...Map.groupBy(chosen, (mutant) => mutant.test)];
  const unusable = await inLanes({ lanes, signal }, files, async (lane, [test, needed], place) => {
    const run = await runTests(lane, { test, filter: anyFilterOf(needed) }, signal);
    const misses = missesUnbroken(test, needed, run);
    const result = misses.length === 0 ? "passes" : "FAILS";
    progress(`unbroken, ${place} of ${files.length}: ${test} ${result}`);
    return misses;
  });
  const misses = unusable.flat();
  if (misses.length > 0) return { verdicts: [], misses };

  const verdicts = await inLanes({ lanes, signal }, chosen, async (lane, mutant, place) => {
    const { test, filter } = mutant;
    const run = await lane.copy.withMutant(
      mutant,
      () => runTests(lane, { test, filter, failFast: true }, signal),
    );
    const verdict = verdictOf(mutant, run);
    const result = verdict.isCaught ? "caught" : "NOT CAUGHT";
    progress(`mutant ${place} of ${chosen.length} ${result}: ${mutant.rule}`);
    return verdict;
  });
  return { verdicts, misses: verdicts.flatMap(({ miss }) => miss === undefined ? [] : [miss]) };
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

/**
 * Calls `act` for each item, as many at a time as there are lanes, with its place in the list. After `signal`
 * no further one is begun, and those that were are waited for.
 */
async function inLanes<Item, Result>(
  { lanes, signal }: { lanes: readonly Lane[]; signal: AbortSignal },
  items: readonly Item[],
  act: (lane: Lane, item: Item, place: number) => Promise<Result>,
): Promise<Result[]> {
  const queue = items.entries();
  const results: Result[] = [];
  await Promise.all(lanes.map(async (lane) => {
    for (const [index, item] of queue) {
      if (signal.aborted) return;
      results[index] = await act(lane, item, index + 1);
    }
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
      : [`No test of ${file} with "${filter}" in its title is run, for the rule "${rule}".`]
  );
}

function verdictOf(mutant: Mutant, run: TestRun): Verdict {
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
