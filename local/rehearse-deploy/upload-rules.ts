/**
 * The rules for every upload, whatever its function does.
 * @module
 */

import { TaskError } from "../system/task.ts";
import type { UploadedFunction } from "./management-api.ts";

/** The platform's limit for functions that it bundles (Supabase docs, Functions, "Limits"). */
export const MAX_BUNDLE_BYTES = 5_000_000;

/** The repository's only configuration file, with the import map of every function. */
const CONFIGURATION = "deno.json";

/**
 * Checks one upload against the rules.
 *
 * @throws {TaskError} that names the function and the first rule it breaks.
 */
export function checkUpload({ slug, metadata, files }: UploadedFunction): void {
  const refuse = (reason: string): never => {
    throw new TaskError(`${slug} cannot be deployed like this: ${reason}.`);
  };
  // With verify_jwt, the platform's gateway would reject bots and webhooks, which have no JWT.
  if (metadata.verify_jwt !== false) refuse("supabase/config.toml must say verify_jwt = false");
  if (metadata.import_map_path !== CONFIGURATION) {
    refuse('supabase/config.toml must say import_map = "../deno.json"');
  }
  for (const needed of [CONFIGURATION, metadata.entrypoint_path]) {
    if (!files.has(needed)) refuse(`${needed} was not uploaded`);
  }
  // The CLI uploads the whole folder behind an import map's alias, even files that nothing imports.
  for (const name of files.keys()) {
    if (name === CONFIGURATION || isSource(name, slug)) continue;
    refuse(
      `${name} was uploaded, but is neither its own source, shared source nor ${CONFIGURATION}`,
    );
  }
}

function isSource(name: string, slug: string): boolean {
  return [`supabase/functions/${slug}/`, "functions-shared/"].some((at) => name.startsWith(at)) &&
    name.endsWith(".ts") && !name.endsWith(".test.ts") &&
    // Excludes hidden files and ways out of the folder.
    !name.includes("/.");
}

/** Returns the size of all uploaded files together. */
export function uploadedBytes({ files }: UploadedFunction): number {
  return files.values().reduce((bytes, content) => bytes + content.byteLength, 0);
}

/**
 * Checks that the configuration, the deployment and the table of answers have the same functions.
 *
 * @throws {TaskError} that names the functions that are missing somewhere.
 */
export function checkNames(
  { configured, deployed, rehearsed }: Record<"configured" | "deployed" | "rehearsed", Set<string>>,
): void {
  const undeployed = [...configured.symmetricDifference(deployed)].join(", ");
  if (undeployed !== "") {
    throw new TaskError(
      `supabase/config.toml and the deployed functions differ in ${undeployed}. Every function ` +
        "needs supabase/functions/<name>/index.ts and a block [functions.<name>].",
    );
  }
  const unrehearsed = [...deployed.symmetricDifference(rehearsed)].join(", ");
  if (unrehearsed !== "") {
    throw new TaskError(
      `The functions and the rehearsed answers differ in ${unrehearsed}. Every function needs an ` +
        "entry in local/rehearse-deploy/answers.ts.",
    );
  }
}

/** Returns the functions that supabase/config.toml declares. */
export function configuredFunctions(configToml: string): Set<string> {
  return new Set(
    configToml.matchAll(/^\s*\[functions\.([\w-]+)\]/gm).map(([, name = ""]) => name),
  );
}
