/**
 * Finds statements in the docs that are not true: links that lead nowhere, tasks and files that do not
 * exist, a version other than that of deno.json.
 * @module
 */

import { dirname, join, normalize } from "node:path";
import { exists } from "../system/files.ts";
import { REPOSITORY } from "../system/settings.ts";

const LINK = /\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)/g;
const TASK = /\bdeno(?:@[\d.]+)? task (?:--\w+ )*([a-z][\w-]*)/g;
const CODE_SPAN = /`([^`\n]+)`/g;
const HEADING = /^#{1,6} (.+)$/gm;
const FENCE = /^( *)```[\s\S]*?^\1```$/gm;
const VERSION = /^## \[(\d[^\]]*)\]/m;

/** The folders whose files the docs name by their path. */
const FOLDERS =
  /^(supabase|functions-shared|local|tests|docs|examples|web(?!\/dist)|\.ci|\.github)\//;

/** What the docs are compared with. */
export interface Project {
  readonly version: string;
  readonly tasks: Record<string, string>;
}

/** The docs: their text, by their path in the repository. */
export type Docs = ReadonlyMap<string, string>;

/** Returns a sentence for each mistake. */
export async function findMistakes(docs: Docs, project: Project): Promise<string[]> {
  const mistakes: string[] = [];
  for (const [path, text] of docs) {
    const found = [
      ...await brokenLinks(path, text, docs),
      ...unknownTasks(text, project),
      ...await missingFiles(text),
    ];
    mistakes.push(...found.map((mistake) => `${path}: ${mistake}`));
  }
  const released = VERSION.exec(docs.get("CHANGELOG.md") ?? "")?.[1];
  if (released !== project.version) {
    mistakes.push(`CHANGELOG.md starts with ${released}, and deno.json says ${project.version}`);
  }
  return mistakes;
}

async function brokenLinks(path: string, text: string, docs: Docs): Promise<string[]> {
  const mistakes: string[] = [];
  for (const [, file = "", anchor] of text.replaceAll(FENCE, "").matchAll(LINK)) {
    const target = file === "" ? path : normalize(join(dirname(path), file));
    // Such as the badge: pages of the repository's host, not files.
    if (target.startsWith("..")) continue;
    if (!await exists(join(REPOSITORY, target))) mistakes.push(`there is no ${target}`);
    else if (anchor && !anchorsOf(docs.get(target) ?? "").has(anchor)) {
      mistakes.push(`${target} has no heading #${anchor}`);
    }
  }
  return mistakes;
}

/** The anchors that GitHub makes of headings. */
function anchorsOf(text: string): Set<string> {
  const headings = text.replaceAll(FENCE, "").matchAll(HEADING);
  return new Set(
    [...headings].map(([, heading = ""]) =>
      heading.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-")
    ),
  );
}

function unknownTasks(text: string, { tasks }: Project): string[] {
  return [...text.matchAll(TASK)]
    .filter(([, task = ""]) => tasks[task] === undefined)
    .map(([, task]) => `deno.json has no task ${task}`);
}

/** Of a pattern, only the path before the first placeholder is checked. */
async function missingFiles(text: string): Promise<string[]> {
  const mistakes: string[] = [];
  for (const [, code = ""] of text.replaceAll(FENCE, "").matchAll(CODE_SPAN)) {
    if (!FOLDERS.test(code) || code.includes(" ")) continue;
    const path = code.replace(/[^/]*[<*].*$/, "");
    if (!await exists(join(REPOSITORY, path))) mistakes.push(`there is no ${path}`);
  }
  return mistakes;
}
