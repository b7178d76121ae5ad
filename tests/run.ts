/**
 * `deno task test [files and options of deno test]`: every test, or the ones named, on a PostgreSQL
 * server that is started for them and gone afterwards.
 * @module
 */
import { exists } from "../local/files.ts";
import { launcherEnded } from "../local/launcher.ts";
import { OperatorError, runTask } from "../local/operator-error.ts";
import { readSettings, REPOSITORY } from "../local/settings.ts";
import { createTemplate, TEMPLATE_VARIABLE } from "./support/database.ts";
import { startTestServer } from "./support/server.ts";

/** Variables that say where a stack is: tests make their own, and must not meet somebody's real one. */
const STACK_VARIABLES = /^(API_PORT|DB_PORT|RAZORPAY_|SUPABASE_|DATABASE_URL$|BOT_SECRET)/;

await runTask(async () => {
  const interruption = interrupted();
  const server = await startTestServer(readSettings());
  let code = 1;
  try {
    const variables = {
      [TEMPLATE_VARIABLE]: await createTemplate(server.url),
      POSTGRES_BIN: server.binaries,
    };
    code = await runTests(variables, interruption);
  } finally {
    await server.stop();
  }
  Deno.exit(code);
});

/** Resolves when this process is asked to end, or what started it has ended. */
function interrupted(): Promise<void> {
  const asked = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, resolve);
    }
  });
  return Promise.race([asked, launcherEnded()]);
}

/** Runs `deno test` and returns its exit code. Its output is followed by the line "N passed, N failed". */
async function runTests(
  variables: Record<string, string>,
  interruption: Promise<void>,
): Promise<number> {
  const report = await Deno.makeTempFile({ prefix: "tests-", suffix: ".xml" });
  const tests = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--no-check", `--junit-path=${report}`, ...await selection()],
    cwd: REPOSITORY,
    clearEnv: true,
    env: { ...inheritedEnvironment(), ...variables },
    stdin: "null",
  }).spawn();
  interruption.then(() => tests.kill("SIGTERM")).catch(() => {});
  const { code } = await tests.status;
  console.log(summary(await Deno.readTextFile(report)));
  await Deno.remove(report);
  return code;
}

/** The arguments as they are, and the folder of all tests where no file or folder is among them. */
async function selection(): Promise<string[]> {
  const named = await Promise.all(Deno.args.map((argument) => exists(argument)));
  return named.includes(true) ? Deno.args : [...Deno.args, "tests/"];
}

function inheritedEnvironment(): Record<string, string> {
  const variables = Object.entries(Deno.env.toObject());
  return Object.fromEntries(variables.filter(([name]) => !STACK_VARIABLES.test(name)));
}

/** Counts from the report in JUnit's format, which an interrupted run leaves empty. */
function summary(report: string): string {
  const suites = /<testsuites [^>]*>/.exec(report)?.[0];
  if (!suites) throw new OperatorError("The tests ended before they were through.");
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suites)?.[1] ?? 0);
  const failed = count("failures") + count("errors");
  const skipped = (report.match(/<skipped/g) ?? []).length;
  const passed = count("tests") - failed - skipped;
  return `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`;
}
