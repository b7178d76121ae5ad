/**
 * Compares the list of variables with the code that reads them.
 * @module
 */

import { deepStrictEqual } from "node:assert/strict";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { parseSettings, REPOSITORY } from "../../local/system/settings.ts";
import { VARIABLES } from "../../local/system/variables.ts";

/** How the two readers name a variable: as an argument, or as a property of all of them. */
const QUOTED_NAME = /"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"/g;
const PROPERTY = /\bvariables\.([A-Z][A-Z0-9_]+)/g;

async function namesReadBy(path: string): Promise<string[]> {
  const code = await Deno.readTextFile(join(REPOSITORY, path));
  return [QUOTED_NAME, PROPERTY]
    .flatMap((pattern) => [...code.matchAll(pattern)])
    .map(([, name = ""]) => name);
}

Deno.test("every variable that the code reads is in the list, and no other", async () => {
  const read = [
    ...await namesReadBy("functions-shared/environment.ts"),
    ...await namesReadBy("local/system/settings.ts"),
  ];
  deepStrictEqual(
    [...new Set(read)].sort(),
    VARIABLES.map(({ name }) => name).sort(),
  );
});

Deno.test("an unchanged copy of .env.example changes nothing but the options it shows", async () => {
  const example = parseEnv(await Deno.readTextFile(join(REPOSITORY, ".env.example")));
  deepStrictEqual(parseSettings(example as Record<string, string>), {
    ...parseSettings({}),
    functionOptions: {
      DEFAULT_COUNTRY: "IN",
    },
  });
});
