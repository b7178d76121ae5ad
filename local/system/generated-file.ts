/**
 * Generated files that are committed, and checked against their source.
 * @module
 */

/**
 * Writes a generated file of the repository. With `--check` on the command line, compares the text
 * with the committed file instead, and exits with status 1 if they differ.
 *
 * `path` is relative to the top of the repository.
 */
export async function writeGenerated(path: string, text: string): Promise<void> {
  const file = new URL(`../../${path}`, import.meta.url);
  if (!Deno.args.includes("--check")) {
    await Deno.writeTextFile(file, text);
    console.log(`Wrote ${path}.`);
    return;
  }
  if (await Deno.readTextFile(file).catch(() => "") !== text) {
    console.error(`${path} does not match its source. Run the task again without --check.`);
    Deno.exit(1);
  }
  console.log(`${path} is up to date.`);
}
