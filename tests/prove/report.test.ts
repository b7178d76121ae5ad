/**
 * What `deno task prove` writes: every figure, what was missed, and of which commit it is; and when it
 * refuses to.
 * @module
 */

import { deepStrictEqual, doesNotMatch, match, strictEqual } from "node:assert/strict";
import { type Part, resultOf } from "../../local/prove/part.ts";
import { partText, reportText } from "../../local/prove/report.ts";
import { REPOSITORY } from "../../local/system/settings.ts";

const part = (name: string): Part => ({
  name,
  claim: `The claim of ${name}.`,
  run: () => Promise.resolve(resultOf([])),
});
const OUTCOMES = [
  {
    part: part("kept"),
    result: resultOf([{ what: "answers that are there", figure: "12 of 12", holds: true }]),
    seconds: 75,
  },
  {
    part: part("lost"),
    result: resultOf(
      [{ what: "balances", figure: "3 of 4", holds: false }],
      ["+919812345678 has 3 instead of `4`"],
    ),
    seconds: 660,
  },
];

Deno.test("the report names its commit, each figure, and what was missed", () => {
  const text = reportText(OUTCOMES, {
    commit: "0123456789abcdef",
    startedAt: new Date("2026-11-26T05:00:00Z"),
    postgresVersion: "postgres (PostgreSQL) 17.10",
    loadBefore: 0.2,
  });
  match(text, /\*\*1 of 2 parts hold\.\*\*/);
  match(text, /0123456789abcdef/);
  match(text, /2026-11-26 05:00 UTC/);
  match(text, /^\| answers that are there \| 12 of 12 \| yes +\|$/m);
  match(text, /^\| balances \| 3 of 4 \| \*\*no\*\* \|$/m);
  match(text, /^- `\+919812345678 has 3 instead of '4'`$/m);
  match(text, /It took 11 minutes\./);
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
  match(String(texts[1]), /balances {2}3 of 4 {3}MISSED\n {2}missed: \+919812345678/);
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
