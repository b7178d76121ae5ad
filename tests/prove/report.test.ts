/**
 * What `deno task prove` writes: every figure, what was missed, and of which commit it is; and when it
 * refuses to.
 * @module
 */

import { deepStrictEqual, doesNotMatch, match, ok, strictEqual } from "node:assert/strict";
import { type Part, resultOf, type Size } from "../../local/prove/part.ts";
import { type Outcome, partText, updatedReport, verdicts } from "../../local/prove/report.ts";
import { REPOSITORY } from "../../local/system/settings.ts";

const part = (name: string): Part => ({
  name,
  claim: `The claim of ${name}.`,
  run: () => Promise.resolve(resultOf([])),
});
const OUTCOMES: readonly Outcome[] = [
  {
    part: part("kept"),
    size: "full",
    result: resultOf([{ what: "answers that are there", figure: "12 of 12", holds: true }]),
    seconds: 75,
  },
  {
    part: part("lost"),
    size: "full",
    result: resultOf(
      [{ what: "balances", figure: "3 of 4", holds: false }],
      ["+919812345678 has 3 instead of `4`", "x".repeat(1_000)],
    ),
    seconds: 660,
  },
];

const PARTS = OUTCOMES.map(({ part }) => part);

const circumstances = (commit: string) => ({
  commit,
  startedAt: new Date("2026-11-26T05:00:00Z"),
  postgresVersion: "postgres (PostgreSQL) 17.10",
  loadBefore: 0.2,
});

Deno.test("the report names the commit of each part, each figure, and what was missed", () => {
  let text = "";
  for (const outcome of OUTCOMES) {
    text = updatedReport(text, outcome, circumstances(`commit-of-${outcome.part.name}`), PARTS);
  }
  match(text, /\*\*1 of 2 hold\.\*\*/);
  match(text, /^## kept: holds$[^]*commit-of-kept[^]*^## lost: does not hold$[^]*commit-of-lost/m);
  match(text, /2026-11-26 05:00 UTC/);
  match(text, /`deno task prove kept`[^]*`deno task prove lost`/);
  match(text, /^\| answers that are there \| 12 of 12 \| yes +\|$/m);
  match(text, /^\| balances \| 3 of 4 \| \*\*no\*\* \|$/m);
  match(text, /^- `\+919812345678 has 3 instead of '4'`$/m);
  match(text, /^- `x{400}…`$/m);
  match(text, /^\| Took +\| 11 minutes +\|$/m);
});

Deno.test("a part that is run again replaces its section, and leaves the others as they are", () => {
  const [kept, lost] = OUTCOMES;
  ok(kept && lost);
  const before = updatedReport(
    updatedReport("", lost, circumstances("first"), PARTS),
    kept,
    circumstances("first"),
    PARTS,
  );
  const mended = {
    ...lost,
    result: resultOf([{ what: "balances", figure: "4 of 4", holds: true }]),
  };
  const after = updatedReport(before, mended, circumstances("second"), PARTS);
  const sectionOf = (text: string, name: string) =>
    text.split(/^(?=## )/m).find((section) => section.startsWith(`## ${name}`))?.trim();
  strictEqual(sectionOf(after, "kept"), sectionOf(before, "kept"));
  match(after, /\*\*2 of 2 hold\.\*\*/);
  match(String(sectionOf(after, "lost")), /4 of 4[^]*second/);
  doesNotMatch(after, /3 of 4/);
  strictEqual(updatedReport(after, mended, circumstances("second"), PARTS), after);
  const alone = updatedReport("", kept, circumstances("first"), PARTS);
  match(alone, /\*\*1 of 1 hold\.\*\* Not run yet: lost\./);
});

Deno.test("only a size of its own has a section of its own, and a required one is missed", () => {
  const parts = ["kills", "fuzz", "soak"].map(part);
  let text = "";
  const run = (name: string, size: Size) => {
    const result = resultOf([{ what: "anything", figure: "1", holds: true }]);
    const outcome = { part: part(name), size, result, seconds: 1 };
    text = updatedReport(text, outcome, circumstances(`${size}-${name}`), parts);
  };
  const titles = () => Array.from(text.matchAll(/^## (.+): holds$/gm), ([, title]) => title);
  run("kills", "million");
  deepStrictEqual(titles(), ["kills"]);
  match(text, /\*\*1 of 1 hold\.\*\* Not run yet: fuzz; fuzz, a million; soak\./);
  run("soak", "million");
  run("fuzz", "full");
  run("soak", "full");
  match(text, /\*\*4 of 4 hold\.\*\* Not run yet: fuzz, a million\./);
  run("fuzz", "million");
  deepStrictEqual(titles(), ["kills", "fuzz", "fuzz, a million", "soak", "soak, an hour"]);
  match(text, /full-fuzz[^]*million-fuzz[^]*full-soak[^]*million-soak/);
  const commands = Array.from(text.matchAll(/`deno task prove (.+)`/g), ([, rest]) => rest);
  deepStrictEqual(commands, [
    "kills",
    "fuzz",
    "fuzz --size million",
    "soak",
    "soak --size million",
  ]);
  match(text, /\*\*5 of 5 hold\.\*\*$/m);
});

Deno.test("a result with a miss does not hold, whatever its rows say", () => {
  const row = { what: "anything", figure: "1", holds: true };
  strictEqual(resultOf([row]).holds, true);
  strictEqual(resultOf([row], ["something else"]).holds, false);
});

Deno.test("the terminal says what was missed as well", () => {
  const texts = OUTCOMES.map(partText);
  doesNotMatch(String(texts[0]), /MISSED/);
  match(String(texts[1]), /lost: DOES NOT HOLD/);
  match(
    String(texts[1]),
    /balances {2}3 of 4 {3}MISSED\n {2}missed: \+919812345678.*\n {2}missed: x{1000}$/,
  );
});

Deno.test("a run ends with the verdict on each part", () => {
  deepStrictEqual(verdicts(OUTCOMES).split("\n"), [
    "  kept  holds, 1 of 1 figures, 75 seconds",
    "  lost  DOES NOT HOLD, 0 of 1 figures, 11 minutes",
  ]);
});

Deno.test("a part, a size or a time that does not exist is refused, with what does", async () => {
  for (const args of [["no-such-part"], ["--size", "huge"], ["soak", "--minutes", "never"]]) {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "--no-check", "local/prove/run.ts", ...args],
      cwd: REPOSITORY,
    }).output();
    const text = new TextDecoder().decode(stderr);
    deepStrictEqual([code, text.includes("Usage: deno task prove")], [1, true], text);
  }
});
