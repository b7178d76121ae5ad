/**
 * `deno task prove [part ...] [--size small|full|million] [--minutes <number>] [--seed <number>]`: shows
 * what the backend survives, part by part, with figures. Each part that is run in full, with every file
 * committed, writes its section of docs/proof.md; anything less only prints.
 * @module
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { installPostgres } from "../postgres/binaries.ts";
import { readIfPresent } from "../system/files.ts";
import { readSettings, REPOSITORY } from "../system/settings.ts";
import { abortedWhenInterrupted, runTask, TaskError } from "../system/task.ts";
import { attempt } from "./attempt.ts";
import { fuzz } from "./fuzz/part.ts";
import { kills } from "./kills/part.ts";
import { mutants } from "./mutants/part.ts";
import type { Part, Size } from "./part.ts";
import { type Circumstances, type Outcome, partText, updatedReport, verdicts } from "./report.ts";
import { scale } from "./scale/part.ts";
import { soak } from "./soak/part.ts";

/** In the order in which they run. */
const PARTS: readonly Part[] = [kills, mutants, fuzz, soak, scale];

const SIZES: readonly Size[] = ["small", "full", "million"];

const REPORT = "docs/proof.md";

const USAGE = `Usage: deno task prove [part ...] [--size ${
  SIZES.join("|")
}] [--minutes <number>] [--seed <number>]
The parts are ${
  PARTS.map(({ name }) => name).join(", ")
}; --minutes is how long the soak lasts, and --seed
repeats what kills, fuzz and soak have drawn.`;

await runTask(async () => {
  const { parts, size, minutes, seed } = readArguments(Deno.args);
  // Before anything else, because a signal that comes between two parts must not be lost.
  const interruption = abortedWhenInterrupted();
  await requireMachine(parts);
  const isFull = size !== "small" && minutes === undefined;
  const commit = isFull ? await committed() : undefined;
  const startedAt = performance.now();
  const progress = (step: string) => {
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    console.log(`${time.padStart(7)}  ${step}`);
  };
  const outcomes: Outcome[] = [];
  for (const [index, part] of parts.entries()) {
    interruption.throwIfAborted();
    progress(`part ${index + 1} of ${parts.length}, ${part.name}, at size ${size}`);
    const circumstances = await readCircumstances();
    const partStartedAt = performance.now();
    const result = await attempt(
      () => part.run({ size, minutes, seed, progress }),
      interruption,
    );
    const outcome = { part, size, result, seconds: (performance.now() - partStartedAt) / 1_000 };
    outcomes.push(outcome);
    console.log(partText(outcome));
    // At once, so that an hour is not lost with the part that is interrupted after it.
    if (commit !== undefined) await writeSection(outcome, { ...circumstances, commit });
  }
  interruption.throwIfAborted();
  console.log(`\n${verdicts(outcomes)}`);
  Deno.exit(outcomes.every(({ result }) => result.holds) ? 0 : 1);
});

/** Refuses to begin what this machine cannot finish, which would be noticed only an hour later. */
async function requireMachine(parts: readonly Part[]): Promise<void> {
  const found = await Promise.all(
    parts.map(async ({ name, missing }) => ({ name, lack: await missing?.() })),
  );
  const lacking = found.filter(({ lack }) => lack !== undefined);
  if (lacking.length === 0) return;
  const others = found.filter(({ lack }) => lack === undefined).map(({ name }) => name).join(" ");
  throw new TaskError([
    ...lacking.map(({ name, lack }) => `${name} cannot run here. ${lack}`),
    ...others ? [`The other parts can: deno task prove ${others}`] : [],
  ].join("\n"));
}

function readArguments(args: string[]) {
  const { values, positionals } = parse(args);
  const unknown = positionals.find((name) => !PARTS.some((part) => part.name === name));
  const size = SIZES.find((size) => size === (values.size ?? "full"));
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
  const seed = values.seed === undefined ? undefined : Number(values.seed);
  const isPossible = (minutes === undefined || minutes > 0 && Number.isFinite(minutes)) &&
    (seed === undefined || Number.isInteger(seed));
  if (unknown !== undefined || size === undefined || !isPossible) throw new TaskError(USAGE);
  const named = PARTS.filter(({ name }) => positionals.includes(name));
  return { parts: named.length > 0 ? named : PARTS, size, minutes, seed };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: { size: { type: "string" }, minutes: { type: "string" }, seed: { type: "string" } },
    });
  } catch {
    throw new TaskError(USAGE);
  }
}

/** Reads what the report says about the place and the time. */
async function readCircumstances(): Promise<Omit<Circumstances, "commit">> {
  const binaries = readSettings().postgresBin ?? await installPostgres();
  return {
    startedAt: new Date(),
    postgresVersion: (await output(join(binaries, "postgres"), "--version")).trim(),
    loadBefore: Deno.loadavg()[0] ?? 0,
  };
}

/**
 * The commit that the files are of, or undefined, after saying why, if they are those of none. The report
 * may differ, because it is what is written.
 */
async function committed(): Promise<string | undefined> {
  try {
    const changes = await output("git", "status", "--porcelain", "--", ".", `:(exclude)${REPORT}`);
    if (changes.trim() === "") return (await output("git", "rev-parse", "HEAD")).trim();
    console.log(`${REPORT} stays as it is, because these changes are in no commit:\n${changes}`);
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    console.log(`${REPORT} stays as it is, because it names a commit. ${error.message}`);
  }
  return undefined;
}

async function writeSection(outcome: Outcome, circumstances: Circumstances): Promise<void> {
  if (await committed() !== circumstances.commit) {
    console.log(`${REPORT} says nothing of this: the files were changed while it ran.`);
    return;
  }
  const path = join(REPOSITORY, REPORT);
  const report = await readIfPresent(path) ?? "";
  await Deno.writeTextFile(path, updatedReport(report, outcome, circumstances, PARTS));
  await output(Deno.execPath(), "fmt", "--quiet", REPORT);
  console.log(`\nWrote the section in ${REPORT}.`);
}

async function output(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd: REPOSITORY })
    .output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new TaskError(`${program} ${args.join(" ")}: ${text(stderr).trim()}`);
  return text(stdout);
}
