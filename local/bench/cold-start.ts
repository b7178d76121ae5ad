/**
 * From starting a process to its first answer: what a caller waits for when a function has not run
 * for a while.
 * @module
 */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { REPOSITORY } from "../system/settings.ts";
import { printComparisons, printFinding, printHeading } from "./report.ts";
import { serveModule } from "./served-module.ts";
import { sideBySide } from "./statistics.ts";

const ROUNDS = 25;
const LIMIT = { atMost: 1.5 };

/** A function, and a request that it refuses after reading all of it. */
interface Start {
  readonly name: string;
  readonly path: string;
  readonly body?: string;
}

/** No real number, but one that only the whole numbering plan can tell from a real one. */
const WRONG_NUMBER = "+910000000000";

const STARTS: readonly Start[] = [
  { name: "bot-credits", path: `/bot-credits/${WRONG_NUMBER}` },
  {
    name: "bot-deduct",
    path: "/bot-deduct",
    body: JSON.stringify({ phone_number: WRONG_NUMBER }),
  },
  { name: "users", path: `/users/${WRONG_NUMBER}` },
  { name: "credit-history", path: "/credit-history/nobody" },
];

/** A function that does talk to Razorpay, to show that the look at the imports can tell. */
const BUYING = "create-order";

/** Measures and prints. */
export async function benchColdStarts(): Promise<void> {
  printHeading(
    "From starting a process to its first answer, against an empty function (milliseconds)",
    [
      "Each function alone under deno serve, with this repository's deno.json and deno.lock.",
      "Modules are in the cache. The request is refused with 400 after its caller and its fields",
      "have been checked, so no database takes part. The empty function imports supabase-js.",
    ],
  );
  const empty = new URL("./empty-function.ts", import.meta.url);
  const [baseline, ...samples] = await sideBySide(
    [
      () => firstAnswerMs(empty, { name: "empty", path: "/" }),
      ...STARTS.map((start) => () => firstAnswerMs(moduleOf(start.name), start)),
    ],
    ROUNDS,
  );
  printComparisons(
    { baseline: "empty", samples: "function", digits: 0 },
    STARTS.map(({ name }, index) => ({ name, baseline, samples: samples[index], limit: LIMIT })),
  );
  console.log();
  await printImports();
}

function moduleOf(name: string): URL {
  return pathToFileURL(join(REPOSITORY, "supabase", "functions", name, "index.ts"));
}

async function firstAnswerMs(module: URL, { path, body }: Start): Promise<number> {
  const botSecret = randomBytes(32).toString("base64url");
  const startedAt = performance.now();
  await using served = await serveModule(module, { BOT_SECRET: botSecret });
  const response = await fetch(served.url + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { "x-bot-secret": botSecret },
    body,
  });
  const text = await response.text();
  const durationMs = performance.now() - startedAt;
  assert.equal(response.status, 400, text);
  return durationMs;
}

async function printImports(): Promise<void> {
  for (const { name } of STARTS) {
    const packages = await importedPackages(moduleOf(name));
    printFinding(`${name} loads no razorpay`, !packages.includes("razorpay"), packages.join(", "));
  }
  const packages = await importedPackages(moduleOf(BUYING));
  printFinding(
    `${BUYING} does, for comparison`,
    packages.includes("razorpay"),
    packages.join(", "),
  );
}

const ModuleGraph = z.object({
  modules: z.array(z.object({ npmPackage: z.string().optional() })),
});

/** The names of the npm packages that a module imports, itself or by what it imports. */
async function importedPackages(module: URL): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", module.href],
    cwd: REPOSITORY,
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(decoder.decode(stderr));
  const { modules } = ModuleGraph.parse(JSON.parse(decoder.decode(stdout)));
  const names = modules.flatMap(({ npmPackage }) => npmPackage?.replace(/(?<=.)@.*$/, "") ?? []);
  return [...new Set(names)].toSorted();
}
