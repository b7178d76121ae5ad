/**
 * The tutorial as a program: its `sh` blocks are played in one bash session, and each `text` block after
 * one holds what it prints.
 * @module
 */

import { TaskError } from "../system/task.ts";
import { codeBlock } from "./markdown.ts";

const STEP = /^```sh\n([\s\S]*?)^```\n(?:\n```text\n[\s\S]*?^```\n)?/gm;

/** A comment that marks a part of the tutorial. */
const MARKER = /^<!-- .* -->$/gm;

/** Ends the output of a step; no command prints it. */
const SEPARATOR = "\x1e";

/** A piece of the tutorial: what it says, and the commands that follow. */
export interface Step {
  readonly prose: string;
  readonly command: string;
}

/** The tutorial up to its last command. */
export function stepsOf(tutorial: string): Step[] {
  let end = 0;
  return [...tutorial.matchAll(STEP)].map((match) => {
    const prose = tutorial.slice(end, match.index).replaceAll(MARKER, "").trim();
    end = match.index + match[0].length;
    return { prose, command: match[1] ?? "" };
  });
}

/** Puts what each step printed into the tutorial. A step that prints nothing has no answer. */
export function withAnswers(tutorial: string, answers: readonly string[]): string {
  let step = 0;
  return tutorial.replaceAll(STEP, (_, command: string) => {
    const answer = answers[step++]?.replaceAll("\r", "").trim();
    const shown = answer ? `\n${codeBlock("text", answer)}\n` : "";
    return `${codeBlock("sh", command)}\n${shown}`;
  });
}

/**
 * Runs the commands in one session, as a reader pastes them, and yields what each prints.
 *
 * @throws {TaskError} when a command fails.
 */
export async function* play(commands: readonly string[]): AsyncGenerator<string> {
  const script = commands.map((command) => `${command}\nprintf '${SEPARATOR}'\n`).join("");
  const bash = new Deno.Command("bash", {
    args: ["-c", `exec 2>&1; set -euo pipefail\n${script}`],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let output = "";
  for await (const text of bash.stdout.pipeThrough(new TextDecoderStream())) {
    const [rest = "", ...answers] = (output + text).split(SEPARATOR).reverse();
    yield* answers.reverse();
    output = rest;
  }
  if (!(await bash.status).success) throw new TaskError(`A command failed: ${output}`);
}
