/**
 * What `deno task prove` found, as text for a terminal and as docs/proof.md.
 * @module
 */

import { cpus, totalmem } from "node:os";
import { table } from "../docs/markdown.ts";
import { LARGEST, type Part, type PartResult, type Size } from "./part.ts";

/** A part that has been run. */
export interface Outcome {
  readonly part: Part;
  readonly size: Size;
  readonly result: PartResult;
  readonly seconds: number;
}

/** Where and of what a part was run. */
export interface Circumstances {
  readonly commit: string;
  readonly startedAt: Date;
  readonly postgresVersion: string;
  /** The average load of a minute, before the part. */
  readonly loadBefore: number;
}

const GIGABYTE = 1_000_000_000;

/** The result of one part, for a terminal. */
export function partText({ part, result, seconds }: Outcome): string {
  const width = Math.max(0, ...result.rows.map(({ what }) => what.length));
  return [
    `\n${part.name}: ${result.holds ? "holds" : "DOES NOT HOLD"} (${duration(seconds)})`,
    ...result.rows.map(({ what, figure, holds }) =>
      `  ${what.padEnd(width)}  ${figure}${holds ? "" : "   MISSED"}`
    ),
    ...result.misses.map((miss) => `  missed: ${miss}`),
  ].join("\n");
}

/** What became of each part, a line each, so that a long run ends with all of it in view. */
export function verdicts(outcomes: readonly Outcome[]): string {
  const width = Math.max(...outcomes.map(({ part }) => part.name.length));
  return outcomes.map(({ part, result, seconds }) => {
    const missed = result.rows.filter(({ holds }) => !holds).length;
    const verdict = result.holds ? "holds" : "DOES NOT HOLD";
    const figures = `${result.rows.length - missed} of ${result.rows.length} figures`;
    return `  ${part.name.padEnd(width)}  ${verdict}, ${figures}, ${duration(seconds)}`;
  }).join("\n");
}

/** The beginning of a section of docs/proof.md: what was run, and what became of the claim. */
const SECTION = /^## (.+): (holds|does not hold)$/m;

/** A part has a section for its full size, and another for its largest one, if that is not the same. */
const titlesOf = (name: string) => [name, ...LARGEST[name] ? [LARGEST[name].title] : []];

const titleOf = ({ part: { name }, size }: Outcome) =>
  (size === "million" ? LARGEST[name]?.title : undefined) ?? name;

/** What repeats it, alone. */
const commandOf = (outcome: Outcome) => {
  const { part: { name } } = outcome;
  return `deno task prove ${name}${titleOf(outcome) === name ? "" : " --size million"}`;
};

/** The sections without which the report is not complete. */
const requiredOf = (name: string) => [
  name,
  ...LARGEST[name]?.isRequired ? [LARGEST[name].title] : [],
];

/**
 * docs/proof.md with the section of this outcome in place of an earlier one, before `deno fmt`. Sections of
 * parts that do not exist any more are left out.
 */
export function updatedReport(
  report: string,
  outcome: Outcome,
  circumstances: Circumstances,
  parts: readonly Part[],
): string {
  // Each section follows its title and its verdict, which the pattern captures.
  const [, ...pieces] = report.split(SECTION);
  const sections = new Map<string, string>();
  for (let at = 0; at + 2 < pieces.length; at += 3) {
    const [title = "", verdict, text = ""] = pieces.slice(at);
    sections.set(title, `## ${title}: ${verdict}\n\n${text.trim()}`);
  }
  sections.set(titleOf(outcome), sectionText(outcome, circumstances));
  const kept = parts.flatMap(({ name }) => titlesOf(name))
    .flatMap((title) => sections.get(title) ?? []);
  const missing = parts.flatMap(({ name }) => requiredOf(name))
    .filter((title) => !sections.has(title));
  const held = kept.filter((section) => SECTION.exec(section)?.[2] === "holds").length;
  return [
    "# Proof",
    "Each section was written by the command that it names, on the commit that it names. Run them " +
    "yourself: `deno task prove` needs this repository, 10 GB of disk, and a machine that does nothing " +
    "else for an hour; kills and soak need Linux, and scale needs pgbench.",
    `**${held} of ${kept.length} hold.**` +
    (missing.length > 0 ? ` Not run yet: ${missing.join("; ")}.` : ""),
    ...kept,
  ].join("\n\n") + "\n";
}

function sectionText(
  outcome: Outcome,
  { commit, startedAt, postgresVersion, loadBefore }: Circumstances,
): string {
  const { part, result, seconds } = outcome;
  const [processor] = cpus();
  return [
    `## ${titleOf(outcome)}: ${result.holds ? "holds" : "does not hold"}`,
    part.claim,
    table(["What", "Figure", "Holds"], [
      ...result.rows.map(({ what, figure, holds }) => [what, figure, holds ? "yes" : "**no**"]),
    ]),
    ...(result.misses.length > 0
      ? ["Missed:", result.misses.map((miss) => `- ${asMarkdown(miss)}`).join("\n")]
      : []),
    table(["Run", ""], [
      ["Command", `\`${commandOf(outcome)}\``],
      ["Commit", `\`${commit}\``],
      ["Started", `${startedAt.toISOString().slice(0, 16).replace("T", " ")} UTC`],
      ["Took", duration(seconds)],
      [
        "Machine",
        `${navigator.hardwareConcurrency} processors (${processor?.model.trim()}), ` +
        `${Math.round(totalmem() / GIGABYTE)} GB, ${Deno.build.os} ${Deno.osRelease()}`,
      ],
      ["Load before", `${loadBefore.toFixed(1)} on average over a minute`],
      ["Versions", `Deno ${Deno.version.deno}, V8 ${Deno.version.v8}, ${postgresVersion}`],
    ]),
  ].join("\n\n");
}

/** So much of a miss is in the report; the terminal shows it whole. */
const MISS_CHARACTERS = 400;

/** A miss quotes what the backend said, which is no Markdown. */
function asMarkdown(text: string): string {
  const line = text.replaceAll("`", "'").replaceAll(/\s+/g, " ");
  const shown = line.length > MISS_CHARACTERS ? `${line.slice(0, MISS_CHARACTERS)}…` : line;
  return `\`${shown}\``;
}

function duration(seconds: number): string {
  if (seconds < 100) return `${Math.round(seconds)} seconds`;
  return `${Math.round(seconds / 60)} minutes`;
}
