/**
 * Imports run downwards: a file uses its own room and the rooms on lower floors, and no files import
 * each other in a cycle.
 * @module
 */

import { deepStrictEqual } from "node:assert/strict";
import { posix } from "node:path";

/** The floors of each tree, from the top. Rooms on the same floor do not use each other. */
const FLOORS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "functions-shared": [
    ["endpoint.ts"],
    ["payments", "auth", "events", "housekeeping"],
    ["database", "http"],
    ["contract"],
    ["razorpay", "phone-number.ts"],
    ["errors.ts", "environment.ts", "hmac.ts", "messages.ts", "old-spelling.ts"],
  ],
  "local": [
    ["tasks", "bench", "rehearse-deploy", "prove"],
    ["docs", "screenshots"],
    ["stack"],
    ["postgres", "razorpay", "whatsapp", "pages"],
    ["system"],
  ],
  "web": [
    ["account", "console"],
    ["common"],
  ],
};

const CONTRACT = ["functions-shared/contract", "functions-shared/errors.ts"];

/** What a room may use in another tree. The functions may use all of functions-shared. */
const OTHER_TREES: Readonly<Record<string, readonly string[]>> = {
  // Runs the bot of the examples against the stack.
  "local/tasks": [...CONTRACT, "examples/whatsapp-bot"],
  "local/docs": CONTRACT,
  // Checks options by the functions' rules, and reads the functions' log.
  "local/stack": [
    "functions-shared/environment.ts",
    "functions-shared/phone-number.ts",
    "functions-shared/http",
  ],
  // The types of requests and answers, and the words of their errors.
  "web/account": CONTRACT,
  "web/console": CONTRACT,
  "web/common": CONTRACT,
  // Measures a function in its own process, next to a handler that does less.
  "local/bench": ["supabase/functions/bot-deduct"],
  // Knows what each answer has to be, and makes links that have expired.
  "local/prove": [...CONTRACT, "functions-shared/auth"],
  // Signs webhooks as Razorpay does.
  "local/rehearse-deploy": ["functions-shared/hmac.ts"],
};

const REPOSITORY = new URL("../", import.meta.url);

/** Static and dynamic imports, type imports and re-exports; the specifier is the captured group. */
const IMPORT = /\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g;

/** Files by path, relative to the top of the repository, with the files that they import. */
type Imports = ReadonlyMap<string, readonly string[]>;

function importsOf(file: string, source: string): string[] {
  return Array.from(source.matchAll(IMPORT), ([, specifier = ""]) => {
    if (specifier.startsWith(".")) return posix.join(posix.dirname(file), specifier);
    return specifier.replace(/^shared\//, "functions-shared/");
  }).filter((path) => path.includes("/") && /\.tsx?$/.test(path));
}

async function readImports(folder: string, imports = new Map<string, string[]>()) {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, REPOSITORY))) {
    const path = `${folder}/${name}`;
    if (isDirectory) await readImports(path, imports);
    else if (/\.tsx?$/.test(name)) {
      imports.set(path, importsOf(path, await Deno.readTextFile(new URL(path, REPOSITORY))));
    }
  }
  return imports;
}

/** The room of a file: its folder on the second level, or the file itself in the root of a tree. */
function roomOf(file: string): string {
  return file.split("/").slice(0, file.startsWith("supabase/functions/") ? 3 : 2).join("/");
}

function roomsBelow(room: string): string[] {
  if (room.startsWith("supabase/functions/")) return roomsOf("functions-shared", 0);
  const tree = posix.dirname(room);
  const floor = FLOORS[tree]?.findIndex((rooms) => rooms.includes(posix.basename(room))) ?? -1;
  if (floor === -1) throw new Error(`${room} is on no floor: give it one in FLOORS.`);
  return [...roomsOf(tree, floor + 1), ...OTHER_TREES[room] ?? []];
}

function roomsOf(tree: string, floor: number): string[] {
  return (FLOORS[tree] ?? []).slice(floor).flat().map((room) => `${tree}/${room}`);
}

function findUpwardImports(imports: Imports): string[] {
  return [...imports].flatMap(([file, used]) => {
    const room = roomOf(file);
    const below = roomsBelow(room);
    return used
      .filter((path) => roomOf(path) !== room && !below.includes(roomOf(path)))
      .map((path) => `${file} imports ${path}: ${room} may use ${below.join(", ") || "no room"}`);
  });
}

function findCycles(imports: Imports): string[] {
  const cycles: string[] = [];
  const finished = new Set<string>();
  const visit = (file: string, trail: readonly string[]) => {
    const start = trail.indexOf(file);
    if (start !== -1) cycles.push([...trail.slice(start), file].join(" -> "));
    if (start !== -1 || finished.has(file)) return;
    for (const path of imports.get(file) ?? []) visit(path, [...trail, file]);
    finished.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return cycles;
}

const imports = new Map<string, string[]>();
for (const tree of ["functions-shared", "supabase/functions", "local", "web"]) {
  await readImports(tree, imports);
}

Deno.test("every import stays in its room or goes to a room below it", () => {
  deepStrictEqual(findUpwardImports(imports), []);
});

Deno.test("no files import each other in a cycle", () => {
  deepStrictEqual(findCycles(imports), []);
});

Deno.test("every form of import is seen", () => {
  const source = `
    import { one } from "shared/errors.ts";
    import type { Two } from "./two.ts";
    import "../razorpay/three.ts";
    export {
      four,
    } from "../../functions-shared/contract/four.ts";
    const five = await import("./five.ts");
    import { z } from "zod";`;
  deepStrictEqual(importsOf("local/stack/a.ts", source), [
    "functions-shared/errors.ts",
    "local/stack/two.ts",
    "local/razorpay/three.ts",
    "functions-shared/contract/four.ts",
    "local/stack/five.ts",
  ]);
});

const forbidden: readonly (readonly [file: string, imported: string, mayUse: string])[] = [
  ["local/postgres/server.ts", "local/stack/stack.ts", "local/system"],
  ["local/system/a.ts", "local/razorpay/ids.ts", "no room"],
  ["functions-shared/errors.ts", "functions-shared/http/log.ts", "no room"],
];

for (const [file, imported, mayUse] of forbidden) {
  Deno.test(`an import from ${file} to ${imported} would be reported`, () => {
    deepStrictEqual(findUpwardImports(new Map([[file, [imported]]])), [
      `${file} imports ${imported}: ${roomOf(file)} may use ${mayUse}`,
    ]);
  });
}

Deno.test("an import of a test, of local/ by a function, or of another function would be reported", () => {
  const imported = ["tests/run.ts", "local/system/task.ts", "supabase/functions/users/index.ts"];
  const found = findUpwardImports(new Map([["supabase/functions/bot-link/index.ts", imported]]));
  deepStrictEqual(found.length, imported.length);
});

Deno.test("a cycle would be reported, whatever it is reached from", () => {
  const made = new Map([["a.ts", ["b.ts"]], ["b.ts", ["c.ts"]], ["c.ts", ["b.ts"]]]);
  deepStrictEqual(findCycles(made), ["b.ts -> c.ts -> b.ts"]);
});
