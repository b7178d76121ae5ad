/**
 * The time from starting a process to its first response, which is what a caller waits for if a
 * function has not run for a while.
 * @module
 */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { REPOSITORY } from "../system/settings.ts";
import { GOALS } from "./goals.ts";
import { printComparisons, printFinding, printHeading } from "./report.ts";
import { serveModule } from "./served-module.ts";
import { sideBySide } from "./statistics.ts";

const ROUNDS = 25;

/** A function, and a request that it rejects after reading all of it. */
interface ColdStart {
  readonly name: string;
  readonly path: string;
  readonly body?: string;
}

/** An invalid number that only the complete numbering plan can tell from a valid one. */
const WRONG_NUMBER = "+910000000000";

const COLD_STARTS: readonly ColdStart[] = [
  { name: "bot-credits", path: `/bot-credits/${WRONG_NUMBER}` },
  {
    name: "bot-deduct",
    path: "/bot-deduct",
    body: JSON.stringify({ phone_number: WRONG_NUMBER }),
  },
  {
    name: "bot-reserve",
    path: "/bot-reserve",
    body: JSON.stringify({ phone_number: WRONG_NUMBER, reference_id: "a" }),
  },
  { name: "bot-prices", path: "/bot-prices?unknown=1&unknown=2" },
  { name: "users", path: `/users/${WRONG_NUMBER}` },
  { name: "credit-history", path: "/credit-history/nobody" },
];

/** A function that does talk to Razorpay, to prove that looking at the imports can tell. */
const RAZORPAY_FUNCTION = "create-order";

/** Measures and prints the result. */
export async function benchColdStarts(): Promise<void> {
  printHeading(
    "From starting a process to its first response, against an empty function (milliseconds)",
    [
      "Each function alone under deno serve, with this repository's deno.json and deno.lock, and",
      "with all modules cached. The request is rejected with 400 after its caller and its fields",
      "have been checked, so no database is involved. The empty function imports supabase-js.",
    ],
  );
  const empty = new URL("./empty-function.ts", import.meta.url);
  const comparisons = await sideBySide(
    () => firstResponseMs(empty, { name: "empty", path: "/" }),
    COLD_STARTS.map((start) => ({
      name: start.name,
      measure: () => firstResponseMs(moduleOf(start.name), start),
      limit: GOALS.coldStart,
    })),
    ROUNDS,
  );
  printComparisons({ baseline: "empty", samples: "function", digits: 0 }, comparisons);
  console.log();
  await printImports();
}

function moduleOf(name: string): URL {
  return pathToFileURL(join(REPOSITORY, "supabase", "functions", name, "index.ts"));
}

async function firstResponseMs(module: URL, { path, body }: ColdStart): Promise<number> {
  const botSecret = randomBytes(32).toString("base64url");
  const startedAt = performance.now();
  await using served = await serveModule(module, { BOT_SECRET: botSecret });
  const response = await fetch(served.url + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { "x-bot-secret": botSecret },
    body: body ?? null,
  });
  const text = await response.text();
  const durationMs = performance.now() - startedAt;
  assert.equal(response.status, 400, text);
  return durationMs;
}

async function printImports(): Promise<void> {
  for (const { name } of COLD_STARTS) {
    const packages = await importedPackages(moduleOf(name));
    printFinding(`${name} loads no razorpay`, !packages.includes("razorpay"), packages.join(", "));
  }
  const packages = await importedPackages(moduleOf(RAZORPAY_FUNCTION));
  printFinding(
    `${RAZORPAY_FUNCTION} does, for comparison`,
    packages.includes("razorpay"),
    packages.join(", "),
  );
}

const moduleGraph = z.object({
  modules: z.array(z.object({ npmPackage: z.string().optional() })),
});

/** Returns the names of the npm packages that a module imports, directly or indirectly. */
async function importedPackages(module: URL): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", module.href],
    cwd: REPOSITORY,
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(decoder.decode(stderr));
  const { modules } = moduleGraph.parse(JSON.parse(decoder.decode(stdout)));
  const names = modules.flatMap(({ npmPackage }) => npmPackage?.replace(/(?<=.)@.*$/, "") ?? []);
  return [...new Set(names)].toSorted();
}
