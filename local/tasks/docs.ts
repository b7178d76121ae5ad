/**
 * `deno task docs`: fills the generated parts of the docs and `.env.example`, and looks for statements
 * about the repository that are not true. With `--check`, it writes nothing and fails where it would.
 *
 * The answers in docs/tutorial.md are written by `deno task demo --write`.
 * @module
 */

import { join } from "node:path";
import configuration from "../../deno.json" with { type: "json" };
import { endpointTable, errorTable, eventTable, requestTables } from "../docs/api.ts";
import { findMistakes } from "../docs/check.ts";
import { envExample, variableTables } from "../docs/configuration.ts";
import { wrongExamples } from "../docs/json-examples.ts";
import { limitTable } from "../docs/limits.ts";
import { codeBlock, fillRegions, hasRegions } from "../docs/markdown.ts";
import { writeGenerated } from "../system/generated-file.ts";
import { REPOSITORY } from "../system/settings.ts";
import { runTask, TaskError } from "../system/task.ts";

/** The part of the tutorial that the README shows too. */
const FIRST_STEPS = /<!-- first steps -->\n([\s\S]*?)<!-- \/first steps -->/;

async function readDocs(): Promise<Map<string, string>> {
  const docs = new Map<string, string>();
  for (const folder of ["", "docs/", "local/", "local/razorpay/"]) {
    for await (const { name } of Deno.readDir(join(REPOSITORY, folder))) {
      if (name.endsWith(".md")) docs.set(folder + name, await read(folder + name));
    }
  }
  return docs;
}

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(join(REPOSITORY, path));
}

async function example(name: string): Promise<[string, string]> {
  return [`example ${name}`, codeBlock("ts", await read(`examples/${name}`))];
}

await runTask(async () => {
  const docs = await readDocs();
  const firstSteps = FIRST_STEPS.exec(docs.get("docs/tutorial.md") ?? "")?.[1];
  const contents = new Map([
    ["endpoints", endpointTable()],
    ["errors", errorTable()],
    ["events", eventTable()],
    ...requestTables(),
    ...variableTables(),
    ["limits", limitTable(await read("supabase/schemas/rows.sql"))],
    await example("bot.ts"),
    await example("events.ts"),
    await example("reserved-job.ts"),
    await example("page.ts"),
    ["first steps", firstSteps?.trim() ?? ""],
  ]);
  for (const [path, text] of docs) {
    if (!hasRegions(text)) continue;
    docs.set(path, fillRegions(text, contents));
    await writeGenerated(path, docs.get(path) ?? "");
  }
  await writeGenerated(".env.example", envExample());

  const mistakes = [
    ...await findMistakes(docs, configuration),
    ...wrongExamples(docs.get("docs/api.md") ?? "").map((mistake) => `docs/api.md: ${mistake}`),
  ];
  if (mistakes.length > 0) throw new TaskError(mistakes.join("\n"));
  console.log("The links, tasks, files, examples and the version in the docs are right.");
});
