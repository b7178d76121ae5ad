/**
 * The list of rules to break fits the product, and its runner tells a mutant that a test has caught from
 * one that survived or that broke something else.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { broken, type Mutant, requireFilter } from "../../local/prove/mutants/mutant.ts";
import { mutants, proveMutants } from "../../local/prove/mutants/part.ts";
import { SUBJECTS } from "../../local/prove/mutants/rules/subjects.ts";
import { REPOSITORY } from "../../local/system/settings.ts";

/** A rule that a test without a database upholds. */
const SIGNATURE: Mutant = {
  rule: "An empty secret signs nothing.",
  file: "functions-shared/auth/signature.ts",
  find: 'if (secret === "" || ',
  replace: "if (",
  test: "tests/shared/signature.test.ts",
  filter: "what anybody can sign with an empty secret does not verify",
};

const RULES = SUBJECTS.flatMap(({ mutants }) => mutants);

Deno.test("at least 85 rules are broken, and every patch applies", async () => {
  ok(RULES.length >= 85, String(RULES.length));
  const { rows, misses } = await mutants.run({ size: "small", progress: () => {} });
  deepStrictEqual(misses, []);
  strictEqual(rows[0]?.figure, `${RULES.length} of ${RULES.length}`);
  deepStrictEqual(rows.filter(({ holds }) => !holds), []);
  ok(rows.length > 1);
});

/** How a clause of the check of the books begins: with what it calls the violation. */
const CLAUSE = /\bselect\s+'([a-z](?:[^']|'')+)',/g;

Deno.test("every clause of the check of the books is broken by a mutant", async () => {
  const folder = "supabase/schemas/functions/private";
  const names = Array.from(Deno.readDirSync(join(REPOSITORY, folder)), ({ name }) => name);
  let clauses = 0;
  for (const name of names.filter((name) => name.startsWith("check_"))) {
    const file = `${folder}/${name}`;
    const text = await Deno.readTextFile(join(REPOSITORY, file));
    const places = RULES.filter((rule) => rule.file === file).map(({ find }) => text.indexOf(find));
    const beginnings = Array.from(text.matchAll(CLAUSE), ({ index }) => index);
    for (const [at, beginning] of beginnings.entries()) {
      const end = beginnings[at + 1] ?? text.length;
      const isBroken = places.some((place) => beginning <= place && place < end);
      ok(isBroken, `${file}: no mutant breaks ${text.slice(beginning, beginning + 80)}`);
      clauses++;
    }
  }
  ok(clauses >= 37, String(clauses));
});

Deno.test("a mutant that survives, or that no test can look at, fails the run", async () => {
  const progress: string[] = [];
  const { holds, rows, misses } = await proveMutants([{
    name: "made up",
    mutants: [
      SIGNATURE,
      {
        ...SIGNATURE,
        rule: "A rule that nobody upholds.",
        find: "in constant time.\n",
        replace: "in constant time!\n",
      },
      { ...SIGNATURE, rule: "A file can be loaded.", replace: "if ((" },
    ],
  }], (step) => progress.push(step));
  strictEqual(holds, false);
  deepStrictEqual(rows.at(-1), {
    what: "mutants caught: made up",
    figure: "1 of 3",
    holds: false,
  });
  strictEqual(misses.length, 2);
  match(misses[0] ?? "", /^Survived: "A rule that nobody upholds\."/);
  match(misses[1] ?? "", /^Not caught by a test, because the run ended otherwise: "A file can be/);
  strictEqual(progress.filter((step) => step.includes("NOT CAUGHT")).length, 2);
});

Deno.test("a test that only no longer finds the passage that it breaks itself has not noticed", async () => {
  const { holds, misses } = await proveMutants([{
    name: "made up",
    mutants: [{
      rule: "A passage is written as it was.",
      file: "supabase/schemas/functions/private/check_holds.sql",
      find: "left join public.credit_transactions t",
      replace: "left outer join public.credit_transactions t",
      test: "tests/database/invariants.test.ts",
      // Also in the title of a test that takes this passage away.
      filter: "its entry is gone",
    }],
  }], () => {});
  strictEqual(holds, false);
  strictEqual(misses.length, 1);
  match(misses[0] ?? "", /^Survived: "A passage is written as it was\."/);
});

Deno.test("a filter that fits no test of the product is told before any mutant is made", async () => {
  const { holds, misses } = await proveMutants([{
    name: "made up",
    mutants: [
      // The file has it, and no title does.
      { ...SIGNATURE, rule: "Something else.", filter: "EnLs21M47BllR3X8PSFtjtbd" },
      {
        ...SIGNATURE,
        rule: "A test of the tests is no test of the product.",
        test: "tests/database/hold-rules.test.ts",
        filter: "the story notices when this rule is broken",
      },
    ],
  }], () => {});
  strictEqual(holds, false);
  deepStrictEqual(misses, [
    'No test of tests/shared/signature.test.ts with "EnLs21M47BllR3X8PSFtjtbd" in its title is run, ' +
    'for the rule "Something else.".',
    "No test of tests/database/hold-rules.test.ts with " +
    '"the story notices when this rule is broken" in its title is run, for the rule ' +
    '"A test of the tests is no test of the product.".',
  ]);
});

Deno.test("a patch that no longer fits says so, and so does a filter", () => {
  const text = "one two two";
  const mutant = { ...SIGNATURE, find: "two", replace: "three" };
  const refusal = (act: () => void) => {
    try {
      act();
      return "no refusal";
    } catch (error) {
      return String(error);
    }
  };
  match(refusal(() => broken(text, mutant)), /is there 2 times and not 1/);
  match(refusal(() => broken(text, { ...mutant, find: "four" })), /is there 0 times/);
  strictEqual(broken(text, { ...mutant, count: 2 }), "one three three");
  match(
    refusal(() => broken(text, { ...mutant, replace: "two", count: 2 })),
    /no longer fits/,
  );
  match(refusal(() => requireFilter("other titles", mutant)), /no longer has/);
});
