/**
 * What `deno task prove` found, as text for a terminal and as docs/proof.md.
 * @module
 */

import { cpus, totalmem } from "node:os";
import { table } from "../docs/markdown.ts";
import type { Part, PartResult } from "./part.ts";

/** A part that has been run. */
export interface Outcome {
  readonly part: Part;
  readonly result: PartResult;
  readonly seconds: number;
}

/** Where and of what a proof was made. */
export interface Circumstances {
  readonly commit: string;
  readonly startedAt: Date;
  readonly postgresVersion: string;
  /** The average load of a minute, before the first part. */
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

/** docs/proof.md, before `deno fmt`. */
export function reportText(
  outcomes: readonly Outcome[],
  { commit, startedAt, postgresVersion, loadBefore }: Circumstances,
): string {
  const held = outcomes.filter(({ result }) => result.holds).length;
  const [processor] = cpus();
  return [
    "# Proof",
    "Written by `deno task prove`, and by nobody else. Run it yourself: it needs nothing but this " +
    "repository, and some hours of a machine that does nothing else.",
    `**${held} of ${outcomes.length} parts hold.**`,
    table(["", ""], [
      ["Commit", `\`${commit}\``],
      ["Started", `${startedAt.toISOString().slice(0, 16).replace("T", " ")} UTC`],
      [
        "Machine",
        `${navigator.hardwareConcurrency} processors (${processor?.model.trim()}), ` +
        `${Math.round(totalmem() / GIGABYTE)} GB, ${Deno.build.os} ${Deno.osRelease()}`,
      ],
      ["Load before", `${loadBefore.toFixed(1)} on average over a minute`],
      ["Versions", `Deno ${Deno.version.deno}, V8 ${Deno.version.v8}, ${postgresVersion}`],
    ]),
    ...outcomes.flatMap(({ part, result, seconds }) => [
      `## ${part.name}: ${result.holds ? "holds" : "does not hold"}`,
      `${part.claim} It took ${duration(seconds)}.`,
      table(
        ["What", "Figure", "Holds"],
        result.rows.map(({ what, figure, holds }) => [what, figure, holds ? "yes" : "**no**"]),
      ),
      ...(result.misses.length > 0
        ? ["Missed:", result.misses.map((miss) => `- ${asMarkdown(miss)}`).join("\n")]
        : []),
    ]),
  ].join("\n\n") + "\n";
}

/** A miss quotes what the backend said, which is no Markdown. */
function asMarkdown(text: string): string {
  return `\`${text.replaceAll("`", "'").replaceAll(/\s+/g, " ")}\``;
}

function duration(seconds: number): string {
  if (seconds < 100) return `${Math.round(seconds)} seconds`;
  return `${Math.round(seconds / 60)} minutes`;
}
