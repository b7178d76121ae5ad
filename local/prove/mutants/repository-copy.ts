/**
 * A copy of the repository in which mutants can be made while the original stays as it is.
 *
 * In a copy, one migration makes the whole schema: the files of supabase/schemas one after the other,
 * which `deno task migration --check` holds equal to the migrations. So a mutant changes the schema where
 * a developer would, and no migration has to be written for it.
 * @module
 */

import { dirname, join } from "node:path";
import { postgresHome } from "../../postgres/server.ts";
import { readSchemaFiles } from "../../postgres/schemas.ts";
import { makeFolder, removeIfPresent } from "../../system/files.ts";
import { REPOSITORY } from "../../system/settings.ts";
import { broken, type Mutant } from "./mutant.ts";

/** What is no part of the product, or belongs to this machine only. */
const LEFT_OUT = new Set([".git", ".local", ".env", "node_modules"]);

const MIGRATION = "supabase/migrations/20000101000000_schemas.sql";

/** A copy of the repository. */
export class RepositoryCopy implements AsyncDisposable {
  /** The top folder of the copy. */
  readonly folder: string;
  /** The files of the schema in their order, as absolute paths. */
  readonly #schemaFiles: readonly string[];

  private constructor(folder: string, schemaFiles: readonly string[]) {
    this.folder = folder;
    this.#schemaFiles = schemaFiles;
  }

  /** Copies the repository as it is now, committed or not, into a folder of its own. */
  static async make(): Promise<RepositoryCopy> {
    const folder = await Deno.makeTempDir({ prefix: "whatsapp-credits-" });
    await copyFolder(REPOSITORY, folder);
    const schemaFiles = (await readSchemaFiles()).map(({ path }) => join(folder, "supabase", path));
    const copy = new RepositoryCopy(folder, schemaFiles);
    await removeIfPresent(join(copy.folder, dirname(MIGRATION)));
    await makeFolder(join(copy.folder, dirname(MIGRATION)));
    await copy.#writeMigration();
    return copy;
  }

  /** Where the tests that run in the copy keep their data. */
  get localDir(): string {
    return join(this.folder, ".local");
  }

  /** Calls `use` while the copy has the mutant's defect. */
  async withMutant<Result>(mutant: Mutant, use: () => Promise<Result>): Promise<Result> {
    const path = join(this.folder, mutant.file);
    const text = await Deno.readTextFile(path);
    const defect = broken(text, mutant);
    try {
      await this.#write(mutant.file, defect);
      return await use();
    } finally {
      await this.#write(mutant.file, text);
    }
  }

  async #write(file: string, text: string): Promise<void> {
    await Deno.writeTextFile(join(this.folder, file), text);
    if (file.startsWith("supabase/schemas/")) await this.#writeMigration();
  }

  async #writeMigration(): Promise<void> {
    const texts = await Promise.all(this.#schemaFiles.map((path) => Deno.readTextFile(path)));
    await Deno.writeTextFile(join(this.folder, MIGRATION), texts.join("\n"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Run by root, the servers may have had their data elsewhere.
    await removeIfPresent(await postgresHome(this.localDir));
    await removeIfPresent(this.folder);
  }
}

async function copyFolder(from: string, to: string): Promise<void> {
  await makeFolder(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (LEFT_OUT.has(name)) continue;
    if (isDirectory) await copyFolder(join(from, name), join(to, name));
    else await Deno.copyFile(join(from, name), join(to, name));
  }
}
