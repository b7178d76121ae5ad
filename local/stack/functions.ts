/**
 * Loads the project's Edge Functions, to be called as the hosted runtime calls them.
 * @module
 */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { exists } from "../system/files.ts";
import { REPOSITORY } from "../system/settings.ts";
import { TaskError } from "../system/task.ts";

type Handler = (request: Request) => Response | Promise<Response>;

const functionModule = z.object({
  default: z.object({
    fetch: z.custom<Handler>((value) => typeof value === "function"),
  }),
});

/** The handlers by function name, which is the name of the function's folder. */
export type Functions = ReadonlyMap<string, Handler>;

/**
 * Imports every function of supabase/functions. Their environment has to be set before.
 *
 * @throws {TaskError} if a module is not an Edge Function.
 */
export async function loadFunctions(): Promise<Functions> {
  const functions = new Map<string, Handler>();
  for (const [name, path] of await findFunctions()) functions.set(name, await loadFunction(path));
  return functions;
}

/** Like {@linkcode loadFunctions}, but imports each function when it is first called. */
export async function deferFunctions(): Promise<Functions> {
  const functions = new Map<string, Handler>();
  for (const [name, path] of await findFunctions()) {
    functions.set(name, async (request) => (await loadFunction(path))(request));
  }
  return functions;
}

/** Returns the path of each function's module, by function name. */
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
  const module = functionModule.safeParse(await import(pathToFileURL(path).href));
  if (!module.success) {
    throw new TaskError(`${path} must have "export default { fetch }" to be an Edge Function.`);
  }
  return module.data.default.fetch;
}
