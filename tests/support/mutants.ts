/**
 * Rules of database functions, broken on purpose to show that a test notices.
 * @module
 */

import { notStrictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { MUTANT_VARIABLE } from "../../local/prove/mutants/test-run.ts";
import { one } from "./lists.ts";

/**
 * Registers a test of the tests: one that breaks a rule itself and expects that this is noticed. All tests
 * whose result depends on a passage of a function are registered here.
 *
 * `deno task prove mutants` ignores them. A mutant of the passage would fail them because it is no longer
 * there, even if everything still behaves as it should, and so would be caught for the wrong reason.
 */
export const testOfTests: Deno.TestIgnore = Deno.env.get(MUTANT_VARIABLE) === undefined
  ? Deno.test
  : Deno.test.ignore;

/** Passages of a function, and what replaces each. */
export type Breaks = readonly (readonly [before: string, after: string])[];

/** Replaces passages of a database function, whatever white space they are written with. */
export async function breakRule(
  sql: postgres.ISql,
  name: string,
  breaks: Breaks,
): Promise<void> {
  const { definition } = one(
    await sql<{ definition: string }[]>`
    select pg_get_functiondef(${name}::regproc) as definition`,
  );
  const broken = breaks.reduce((text, [before, after]) => {
    const passage = before.split(/\s+/).map(RegExp.escape).join("\\s+");
    const changed = text.replaceAll(new RegExp(passage, "g"), () => after);
    notStrictEqual(changed, text, `${name} has no ${before}`);
    return changed;
  }, definition);
  await sql.unsafe(broken);
}
