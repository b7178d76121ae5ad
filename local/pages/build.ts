/**
 * Builds a page into a folder that any static host can serve: a document, one script, one style sheet,
 * the headers and the configuration. Scripts and styles carry a hash of their contents in their names.
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { makeFolder, removeIfPresent } from "../system/files.ts";
import { REPOSITORY } from "../system/settings.ts";
import { TaskError } from "../system/task.ts";
import { formatHeaders, headerRules } from "./headers.ts";
import type { PageConfiguration, PageName } from "./pages.ts";

/** Where the pages' sources are. */
const SOURCES = join(REPOSITORY, "web");

/** The files of a page by path, as they are served. */
export type BuiltPage = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** Builds a page of the project that `configuration` describes. */
export async function buildPage(
  page: PageName,
  configuration: PageConfiguration,
): Promise<BuiltPage> {
  const [script, style, html] = await Promise.all([
    bundle(join(SOURCES, page, "main.tsx")),
    styleOf(page),
    Deno.readTextFile(join(SOURCES, page, "index.html")),
  ]);
  const scriptPath = hashedPath("main", "js", script);
  const stylePath = hashedPath("style", "css", style);
  return new Map([
    ["index.html", encode(withPaths(html, { "main.tsx": scriptPath, "style.css": stylePath }))],
    [scriptPath, script],
    [stylePath, style],
    ["config.json", encode(`${JSON.stringify(configuration, null, 2)}\n`)],
    ["_headers", encode(formatHeaders(headerRules(page, configuration)))],
  ]);
}

/** Writes a built page into a folder, in place of what was there. */
export async function writePage(files: BuiltPage, folder: string): Promise<void> {
  await removeIfPresent(folder);
  await makeFolder(join(folder, "assets"));
  for (const [path, bytes] of files) await Deno.writeFile(join(folder, path), bytes);
}

/** Returns what a visitor loads of a page before anything else happens, in bytes, compressed. */
export function compressedSize(files: BuiltPage): number {
  return [...files].filter(([path]) => /\.(html|js|css)$/.test(path))
    .reduce((sum, [, bytes]) => sum + gzipSync(bytes).byteLength, 0);
}

/** The styles that both pages share, and then those of the page. */
async function styleOf(page: PageName): Promise<Uint8Array<ArrayBuffer>> {
  const files = [join(SOURCES, "shared/style.css"), join(SOURCES, page, "style.css")];
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(file)));
  return encode(texts.join("\n"));
}

async function bundle(entry: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await Deno.makeTempFile({ suffix: ".js" });
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "bundle",
        "--frozen",
        "--quiet",
        "--platform",
        "browser",
        "--minify",
        "-o",
        file,
        entry,
      ],
      cwd: REPOSITORY,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new TaskError(`The page could not be built:\n${decode(stderr)}`);
    return await Deno.readFile(file);
  } finally {
    await removeIfPresent(file);
  }
}

function hashedPath(name: string, extension: string, contents: Uint8Array): string {
  const hash = createHash("sha256").update(contents).digest("hex").slice(0, 10);
  return `assets/${name}-${hash}.${extension}`;
}

/** Replaces the names of the sources in a document. */
function withPaths(html: string, paths: Record<string, string>): string {
  return Object.entries(paths).reduce((text, [name, path]) => {
    if (!text.includes(`"${name}"`)) throw new Error(`The document does not load ${name}.`);
    return text.replace(`"${name}"`, `"${path}"`);
  }, html);
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
