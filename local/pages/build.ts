/**
 * Builds a page into a folder that any static host can serve: a document, a script with the parts that
 * it loads when they are needed, a style sheet, the headers and the configuration. Scripts and styles
 * carry a hash of their contents in their names.
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
  const [{ script, parts }, style, html] = await Promise.all([
    bundleScript(page),
    bundleStyle(page),
    Deno.readTextFile(join(SOURCES, page, "index.html")),
  ]);
  const scriptPath = hashedPath("main", "js", script);
  const stylePath = hashedPath("style", "css", style);
  return new Map([
    ["index.html", encode(withPaths(html, { "main.tsx": scriptPath, "style.css": stylePath }))],
    [scriptPath, script],
    ...parts,
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

/**
 * Returns what a visitor loads of a page before anything else happens, in bytes, compressed: the
 * document and what it names, and the largest of the parts that the script loads, which are languages.
 */
export function compressedSize(files: BuiltPage): number {
  const document = decode(files.get("index.html") ?? new Uint8Array());
  const sizes = [...files].filter(([path]) => /\.(html|js|css)$/.test(path))
    .map(([path, bytes]) => ({
      isLoaded: path === "index.html" || document.includes(path),
      size: gzipSync(bytes).byteLength,
    }));
  const loaded = sizes.filter(({ isLoaded }) => isLoaded).reduce((sum, { size }) => sum + size, 0);
  const parts = sizes.filter(({ isLoaded }) => !isLoaded).map(({ size }) => size);
  return loaded + Math.max(0, ...parts);
}

/** The page's script, and the parts that it loads by their paths. */
async function bundleScript(page: PageName): Promise<{
  script: Uint8Array<ArrayBuffer>;
  parts: readonly (readonly [path: string, Uint8Array<ArrayBuffer>])[];
}> {
  const entry = join(SOURCES, page, "main.tsx");
  const files = await bundle(entry, ["--code-splitting"]);
  const script = files.get("main.js");
  if (!script) throw new TaskError(`${entry} was not built.`);
  files.delete("main.js");
  const names = [...files.keys()].sort();
  return {
    script,
    parts: names.map((name) => [`assets/${name}`, unescapeLetters(files.get(name) ?? script)]),
  };
}

/**
 * Writes the letters of other scripts as what they are, which is shorter than the escapes that the
 * bundler makes of them. Scripts are served as UTF-8.
 */
function unescapeLetters(script: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  // Two backslashes are one of the text's own, and what follows them is no escape.
  const escapes = /\\\\|\\u(09[0-9A-F]{2})/gi;
  return encode(
    decode(script).replaceAll(
      escapes,
      (text, code?: string) => code ? String.fromCharCode(parseInt(code, 16)) : text,
    ),
  );
}

/** The styles that both pages share, and then those of the page. */
async function bundleStyle(page: PageName): Promise<Uint8Array<ArrayBuffer>> {
  const sources = [join(SOURCES, "common/style.css"), join(SOURCES, page, "style.css")];
  const texts = await Promise.all(sources.map((file) => Deno.readTextFile(file)));
  const entry = await Deno.makeTempFile({ suffix: ".css" });
  try {
    await Deno.writeTextFile(entry, texts.join("\n"));
    const [style] = (await bundle(entry)).values();
    if (!style) throw new TaskError("The styles were not built.");
    return style;
  } finally {
    await removeIfPresent(entry);
  }
}

/** Returns what is built of a file, by name. */
async function bundle(
  entry: string,
  options: readonly string[] = [],
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const folder = await Deno.makeTempDir();
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "bundle",
        "--frozen",
        "--quiet",
        "--platform",
        "browser",
        "--minify",
        ...options,
        "--outdir",
        folder,
        entry,
      ],
      cwd: REPOSITORY,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new TaskError(`The page could not be built:\n${decode(stderr)}`);
    const files = new Map<string, Uint8Array<ArrayBuffer>>();
    for await (const { name } of Deno.readDir(folder)) {
      files.set(name, await Deno.readFile(join(folder, name)));
    }
    return files;
  } finally {
    await removeIfPresent(folder);
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
