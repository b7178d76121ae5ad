/**
 * `deno task prove [part ...] [--size small|full|million] [--minutes <number>]`: kills it, breaks it,
 * drowns it, and shows the figures. All parts at the size `full`, which is the default, write
 * docs/proof.md; anything less only prints.
 * @module
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { installPostgres } from "../postgres/binaries.ts";
import { readSettings, REPOSITORY } from "../system/settings.ts";
import { runTask, TaskError } from "../system/task.ts";
import { kills } from "./kills/part.ts";
import { mutants } from "./mutants/part.ts";
import { type Part, type PartResult, resultOf, type Size } from "./part.ts";
import { type Circumstances, type Outcome, partText, reportText } from "./report.ts";
import { scale } from "./scale/part.ts";
import { soak } from "./soak/part.ts";

/** In the order in which they run. */
const PARTS: readonly Part[] = [kills, mutants, soak, scale];

const SIZES: readonly Size[] = ["small", "full", "million"];

const REPORT = "docs/proof.md";

const USAGE = `Usage: deno task prove [part ...] [--size ${SIZES.join("|")}] [--minutes <number>]
The parts are ${PARTS.map(({ name }) => name).join(", ")}; --minutes is how long the soak lasts.`;

await runTask(async () => {
  const { parts, size, minutes, isWhole } = readArguments(Deno.args);
  const circumstances = isWhole ? await readCircumstances() : undefined;
  const startedAt = performance.now();
  const progress = (step: string) => {
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    console.log(`${time.padStart(7)}  ${step}`);
  };
  const outcomes: Outcome[] = [];
  for (const [index, part] of parts.entries()) {
    progress(`part ${index + 1} of ${parts.length}, ${part.name}, at size ${size}`);
    const partStartedAt = performance.now();
    const result = await attempt(() => part.run({ size, minutes, progress }));
    const outcome = { part, result, seconds: (performance.now() - partStartedAt) / 1_000 };
    outcomes.push(outcome);
    console.log(partText(outcome));
  }
  if (circumstances) await writeReport(outcomes, circumstances);
  Deno.exit(outcomes.every(({ result }) => result.holds) ? 0 : 1);
});

function readArguments(args: string[]) {
  const { values, positionals } = parse(args);
  const unknown = positionals.find((name) => !PARTS.some((part) => part.name === name));
  const size = SIZES.find((size) => size === (values.size ?? "full"));
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
  const isPossible = minutes === undefined || minutes > 0 && Number.isFinite(minutes);
  if (unknown !== undefined || size === undefined || !isPossible) throw new TaskError(USAGE);
  const named = PARTS.filter(({ name }) => positionals.includes(name));
  const isWhole = positionals.length === 0 && size === "full" && minutes === undefined;
  return { parts: named.length > 0 ? named : PARTS, size, minutes, isWhole };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: { size: { type: "string" }, minutes: { type: "string" } },
    });
  } catch {
    throw new TaskError(USAGE);
  }
}

/** A part that breaks has not shown what it claims, and must not hide what the others find. */
async function attempt(run: () => Promise<PartResult>): Promise<PartResult> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof TaskError) throw error;
    return resultOf([], [`The part has failed: ${error instanceof Error ? error.stack : error}`]);
  }
}

/**
 * Reads what the report says about the place and the time.
 *
 * @throws {TaskError} if the files are not those of a commit.
 */
async function readCircumstances(): Promise<Circumstances> {
  const binaries = readSettings().postgresBin ?? await installPostgres();
  return {
    commit: await committed(),
    startedAt: new Date(),
    postgresVersion: (await output(join(binaries, "postgres"), "--version")).trim(),
    loadBefore: Deno.loadavg()[0] ?? 0,
  };
}

/** The commit that the files are of. An earlier report may differ, because this run replaces it. */
async function committed(): Promise<string> {
  const changes = await output("git", "status", "--porcelain", "--", ".", `:(exclude)${REPORT}`);
  if (changes.trim() !== "") {
    throw new TaskError(
      `${REPORT} is about a commit, and there are changes that are in none:\n${changes.trimEnd()}\n` +
        "Commit them or put them aside, or name the parts, which then only print.",
    );
  }
  return (await output("git", "rev-parse", "HEAD")).trim();
}

async function writeReport(
  outcomes: readonly Outcome[],
  circumstances: Circumstances,
): Promise<void> {
  if (await committed() !== circumstances.commit) {
    throw new TaskError(`${REPORT} is not written: the files are now those of another commit.`);
  }
  await Deno.writeTextFile(join(REPOSITORY, REPORT), reportText(outcomes, circumstances));
  await output(Deno.execPath(), "fmt", "--quiet", REPORT);
  console.log(`\nWrote ${REPORT}.`);
}

async function output(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd: REPOSITORY })
    .output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new TaskError(`${program} ${args.join(" ")}: ${text(stderr).trim()}`);
  return text(stdout);
}
