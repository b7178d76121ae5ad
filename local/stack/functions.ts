/**
 * The project's Edge Functions as the hosted runtime would call them.
 * @module
 */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { exists } from "../system/files.ts";
import { REPOSITORY } from "../system/settings.ts";
import { TaskError } from "../system/task.ts";

type Handler = (request: Request) => Response | Promise<Response>;

const FunctionModule = z.object({
  default: z.object({
    fetch: z.custom<Handler>((value) => typeof value === "function"),
  }),
});

/** Handlers by the function's name, which is its folder's name. */
export type Functions = ReadonlyMap<string, Handler>;

/** Imports every function of supabase/functions. Its environment has to be set before. */
export async function loadFunctions(): Promise<Functions> {
  const functions = new Map<string, Handler>();
  for (const [name, path] of await findFunctions()) functions.set(name, await loadFunction(path));
  return functions;
}

/** As {@linkcode loadFunctions}, but imports each function at its first call. */
export async function deferFunctions(): Promise<Functions> {
  const functions = new Map<string, Handler>();
  for (const [name, path] of await findFunctions()) {
    functions.set(name, async (request) => (await loadFunction(path))(request));
  }
  return functions;
}

/** Returns the path of each function's module by the function's name. */
async function findFunctions(): Promise<Map<string, string>> {
  const folder = join(REPOSITORY, "supabase", "functions");
  const paths = new Map<string, string>();
  for await (const { name } of Deno.readDir(folder)) {
    const path = join(folder, name, "index.ts");
    if (await exists(path)) paths.set(name, path);
  }
  return paths;
}

async function loadFunction(path: string): Promise<Handler> {
  const module = FunctionModule.safeParse(await import(pathToFileURL(path).href));
  if (!module.success) {
    throw new TaskError(`${path} must have "export default { fetch }" to be an Edge Function.`);
  }
  return module.data.default.fetch;
}
