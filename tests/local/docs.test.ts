/**
 * What keeps the docs true: the checks find what is wrong, the generated parts are laid out as
 * `deno fmt` wants them, and the story is played as it stands there.
 * @module
 */

import {
  deepStrictEqual,
  match,
  notStrictEqual,
  rejects,
  strictEqual,
  throws,
} from "node:assert/strict";
import { findMistakes } from "../../local/docs/check.ts";
import { wrongExamples } from "../../local/docs/json-examples.ts";
import { limitTable } from "../../local/docs/limits.ts";
import { fillRegions, table } from "../../local/docs/markdown.ts";
import { stabilizer } from "../../local/docs/stable-text.ts";
import { play, stepsOf, withAnswers } from "../../local/docs/story.ts";
import type { StackEnvironment } from "../../local/stack/environment.ts";

const PROJECT = { version: "1.2.3", tasks: { start: "..." } };
const CHANGELOG = "# Changelog\n\n## [1.2.3]\n";

async function mistakesIn(text: string, changelog = CHANGELOG): Promise<string[]> {
  const docs = new Map([["CHANGELOG.md", changelog], ["docs/api.md", text]]);
  return await findMistakes(docs, PROJECT);
}

const TRUE_STATEMENTS = [
  "[the start](../README.md)",
  "# A heading: with `code`\n\n[above](#a-heading-with-code)",
  "[elsewhere](https://example.com/nothing#here)",
  "[a page of the repository's host](../../../actions)",
  "`deno task start` and `npx -y deno@9.9.9 task --quiet start`",
  "`supabase/functions/<name>/index.ts` in `supabase/functions/`",
  "```sh\ncat [nothing](nowhere.md)\n```",
];

for (const text of TRUE_STATEMENTS) {
  Deno.test(`the check of the docs accepts ${JSON.stringify(text)}`, async () => {
    deepStrictEqual(await mistakesIn(text), []);
  });
}

const FALSE_STATEMENTS: [string, string][] = [
  ["[nothing](nowhere.md)", "there is no docs/nowhere.md"],
  ["[nothing](#nowhere)", "docs/api.md has no heading #nowhere"],
  ["[nothing](../CHANGELOG.md#nowhere)", "CHANGELOG.md has no heading #nowhere"],
  ["`deno task --quiet finish`", "deno.json has no task finish"],
  ["`local/nothing.ts`", "there is no local/nothing.ts"],
  ["`web/nothing.ts`", "there is no web/nothing.ts"],
  ["`tests/nothing/<name>.ts`", "there is no tests/nothing/"],
];

for (const [text, mistake] of FALSE_STATEMENTS) {
  Deno.test(`the check of the docs refuses ${JSON.stringify(text)}`, async () => {
    deepStrictEqual(await mistakesIn(text), [`docs/api.md: ${mistake}`]);
  });
}

Deno.test("the check of the docs compares the version of the changelog", async () => {
  const [mistake] = await mistakesIn("", "## [1.2.2]");
  match(mistake ?? "", /1\.2\.2.*1\.2\.3/);
});

const example = (json: string) => `### bot-deduct\n\n\`\`\`json\n${json}\n\`\`\`\n`;

Deno.test("an example that the contract accepts or returns is right", () => {
  const right = [
    '{ "phone_number": "+919876543210", "credits": 1 }',
    '{ "status": "SUCCESS", "message": "Done", "data": { "remaining_credits": 1 } }',
    '{ "status": "INSUFFICIENT_CREDITS", "message": "No", "data": { "remaining_credits": 0 } }',
  ];
  for (const json of right) deepStrictEqual(wrongExamples(example(json)), []);
});

Deno.test("an example that the contract would refuse or never answer is wrong", () => {
  const wrong = [
    '{ "phone_number": "+919876543210", "credits": 0 }',
    '{ "phone": "+919876543210" }',
    '{ "status": "SUCCESS", "message": "Done", "data": { "credits": 1 } }',
    '{ "status": "PENDING", "message": "Later", "data": { "remaining_credits": 1 } }',
  ];
  for (const json of wrong) strictEqual(wrongExamples(example(json)).length, 1, json);
});

Deno.test("a region is filled, and one that nothing is generated for is refused", () => {
  const region = (content: string) => `<!-- generated: it -->\n${content}<!-- /generated -->`;
  const filled = fillRegions(region("old"), new Map([["it", "$1 new"]]));
  strictEqual(filled, region("\n$1 new\n\n"));
  strictEqual(fillRegions(filled, new Map([["it", "$1 new"]])), filled);
  throws(() => fillRegions(region("old"), new Map()), /"it"/);
});

Deno.test("a table's columns have one width, and a bar does not end a cell", () => {
  strictEqual(
    table(["a", "long"], [["1 | 2", "3"]]),
    [
      "| a      | long |",
      "| ------ | ---- |",
      "| 1 \\| 2 | 3    |",
    ].join("\n"),
  );
});

const STORY =
  "First:\n\n```sh\nA=1\n```\n\nThen:\n\n```sh\necho $A\n```\n\n```text\nold\n```\n\nEnd.\n";

async function playAll(commands: string[]): Promise<string[]> {
  return await Array.fromAsync(play(commands));
}

Deno.test("the story is played in one session, and its answers replace the old ones", async () => {
  const steps = stepsOf(STORY);
  deepStrictEqual(steps.map(({ prose }) => prose), ["First:", "Then:"]);
  const answers = await playAll(steps.map(({ command }) => command));
  deepStrictEqual(answers, ["", "1\n"]);
  strictEqual(withAnswers(STORY, answers), STORY.replace("old", "1"));
  strictEqual(withAnswers(withAnswers(STORY, ["", ""]), answers), STORY.replace("old", "1"));
});

Deno.test("a story whose command fails says what it printed", async () => {
  await rejects(playAll(["echo before", "echo the reason >&2; false", "echo after"]), /the reason/);
});

Deno.test("what differs from run to run is replaced, and ids stay recognizable", () => {
  const environment = {
    SUPABASE_URL: "http://127.0.0.1:1",
    RAZORPAY_API_URL: "http://127.0.0.1:2",
  } as StackEnvironment;
  const run = (order: string, user: string, minutes: number) => {
    const stable = stabilizer(environment);
    const time = new Date(Date.now() + minutes * 60_000).toISOString();
    return stable(`${order} of ${user}, "token":"${user}.abc" at ${time}, ${order}`);
  };
  const one = run("order_AAAAAAAAAAAAAA", crypto.randomUUID(), 60);
  strictEqual(run("order_BBBBBBBBBBBBBB", crypto.randomUUID(), 60), one);
  notStrictEqual(run("order_BBBBBBBBBBBBBB", crypto.randomUUID(), 30), one);
  match(one, /^(order_\w{14}) of [0-9a-f-]{36}, "token":"\.\.\." at 2026-11-23T08:30:00Z, \1$/);
});

Deno.test("the table of limits has a cell for each row of the schema, and a place for all of them", () => {
  const sql = `values
    ('create_order', 'address', 60, 3600),
    ('create_order', 'project', 10000, 3600),
    ('verify_payment', 'user', 5, 60);`;
  const [, , orders, payments] = limitTable(sql).split("\n").map((line) => line.split(/ *\| */));
  deepStrictEqual(orders?.slice(1, -1), [
    "orders, `create-order`",
    "60 an hour",
    "",
    "10,000 an hour",
    "",
  ]);
  deepStrictEqual(payments?.slice(1, -1), [
    "`verify-payment`, `payment-return`",
    "",
    "5 a minute",
    "",
    "",
  ]);
  throws(() => limitTable("('create_order', 'planet', 60, 3600)"), /no place/);
});
