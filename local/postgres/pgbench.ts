/**
 * Whether the machine has PostgreSQL's load generator, which the embedded PostgreSQL comes without.
 * @module
 */

/** What is said in place of figures where it is missing. */
export const PGBENCH_MISSING = "pgbench is not installed. Debian's package postgresql has it.";

/** Returns what pgbench calls itself, or undefined if it is not installed. */
export async function pgbenchVersion(): Promise<string | undefined> {
  try {
    const { success, stdout, stderr } = await new Deno.Command("pgbench", { args: ["--version"] })
      .output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
    if (!success) throw new Error(`pgbench --version failed:\n${text(stderr)}`);
    return text(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
