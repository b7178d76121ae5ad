/**
 * The project's Edge Functions as the hosted runtime would call them.
 * @module
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { exists } from "./files.ts";
import { OperatorError } from "./operator-error.ts";
import { REPOSITORY } from "./settings.ts";

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
  const folder = join(REPOSITORY, "supabase", "functions");
  const functions = new Map<string, Handler>();
  if (!await exists(folder)) return functions;
  for await (const { name } of Deno.readDir(folder)) {
    const path = join(folder, name, "index.ts");
    if (await exists(path)) functions.set(name, await loadFunction(path));
  }
  return functions;
}

async function loadFunction(path: string): Promise<Handler> {
  const module = FunctionModule.safeParse(await import(pathToFileURL(path).href));
  if (!module.success) {
    throw new OperatorError(`${path} must have "export default { fetch }" to be an Edge Function.`);
  }
  return module.data.default.fetch;
}
