/**
 * Files that are generated, committed and checked for drift.
 * @module
 */

/**
 * Writes a generated file of the repository, or, with `--check` on the command line, ends the
 * process with status 1 when the committed file is another.
 */
export async function writeGenerated(path: string, text: string): Promise<void> {
  const file = new URL(`../../${path}`, import.meta.url);
  if (!Deno.args.includes("--check")) {
    await Deno.writeTextFile(file, text);
    console.log(`${path} is written.`);
    return;
  }
  if (await Deno.readTextFile(file).catch(() => "") !== text) {
    console.error(`${path} is not what its source says. Run the task again without --check.`);
    Deno.exit(1);
  }
  console.log(`${path} is up to date.`);
}
