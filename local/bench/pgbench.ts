/**
 * PostgreSQL's own load generator, if the machine has it.
 * @module
 */

import { join } from "node:path";
import { pgbenchVersion } from "../postgres/pgbench.ts";
import type { Script } from "./scripts.ts";
import { FIRST_NATIONAL_NUMBER } from "./users.ts";

/** The duration of one run, without the time to connect. */
const RUN_SECONDS = 1;

/** pgbench for one database. */
export interface Pgbench {
  readonly version: string;
  /** Repeats a pgbench script and returns how often per second it ran. */
  throughput(script: readonly string[]): Promise<number>;
}

/** The database, and the number and the settings of the sessions. */
interface PgbenchTarget {
  readonly databaseUrl: string;
  readonly connections: number;
  readonly sessionSettings: Record<string, string>;
  /** How often each connection repeats the script; left out, as often as it can in a second. */
  readonly turns?: number | undefined;
}

/** Returns pgbench, or undefined if it is not installed. */
export async function findPgbench(target: PgbenchTarget): Promise<Pgbench | undefined> {
  const version = await pgbenchVersion();
  if (version === undefined) return undefined;
  return { version, throughput: (script) => measure(target, script) };
}

/** Writes a script as pgbench reads it: for a random one of the first `users` users. */
export function pgbenchScript(
  script: Script,
  { users, withReference }: { users: number; withReference: boolean },
): string[] {
  const statements = script({
    phoneNumber: "'+91' || :number",
    reference: withReference ? "'reference ' || :reference" : "null",
  });
  return [
    `\\set number ${FIRST_NATIONAL_NUMBER} + random(0, ${users - 1})`,
    "\\set reference random(1, 9000000000000000)",
    ...statements.map((statement) => `${statement.replaceAll(/\s+/g, " ").trim()};`),
  ];
}

async function measure(
  { databaseUrl, connections, sessionSettings, turns }: PgbenchTarget,
  script: readonly string[],
): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "pgbench-" });
  try {
    const file = join(folder, "script.sql");
    await Deno.writeTextFile(file, script.join("\n"));
    const { hostname, port, username, password, pathname } = new URL(databaseUrl);
    const output = await run([
      "--no-vacuum",
      "--protocol=prepared",
      `--client=${connections}`,
      "--jobs=2",
      turns === undefined ? `--time=${RUN_SECONDS}` : `--transactions=${turns}`,
      `--file=${file}`,
      `--host=${hostname}`,
      `--port=${port}`,
      `--username=${username}`,
      pathname.slice(1),
    ], {
      PGPASSWORD: decodeURIComponent(password),
      PGOPTIONS: Object.entries(sessionSettings).map(([name, value]) => `-c ${name}=${value}`)
        .join(" "),
    });
    const [, tps] = /^tps = ([0-9.]+)/m.exec(output) ?? [];
    if (tps === undefined) throw new Error(`pgbench did not report its throughput:\n${output}`);
    return Number(tps);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function run(
  args: readonly string[],
  env: Record<string, string>,
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("pgbench", { args: [...args], env })
    .output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`pgbench failed:\n${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}
