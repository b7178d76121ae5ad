/**
 * A part of `deno task prove` that cannot be run is a miss of that part alone; an interruption is no miss,
 * and nothing is begun or written after it.
 * @module
 */

import { deepStrictEqual, doesNotMatch, match, ok, rejects, strictEqual } from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { attempt } from "../../local/prove/attempt.ts";
import { resultOf } from "../../local/prove/part.ts";
import { findProcess } from "../../local/system/processes.ts";
import { REPOSITORY } from "../../local/system/settings.ts";
import { TaskError } from "../../local/system/task.ts";
import { until } from "../../local/system/until.ts";

const HOLDS = resultOf([{ what: "anything", figure: "1", holds: true }]);
const NEVER = new AbortController().signal;

Deno.test("a part that cannot be run does not hold, and says why", async () => {
  const forTheReader = await attempt(() => Promise.reject(new TaskError("Only on Linux.")), NEVER);
  deepStrictEqual(forTheReader, resultOf([], ["Only on Linux."]));
  const unexpected = await attempt(() => Promise.reject(new Error("It broke.")), NEVER);
  strictEqual(unexpected.holds, false);
  match(String(unexpected.misses), /^The part has failed: Error: It broke\.\n +at /);
});

Deno.test("whatever a part says that ends after an interruption, it is no result", async () => {
  for (const end of [() => Promise.resolve(HOLDS), () => Promise.reject(new Error("It broke."))]) {
    const interruption = new AbortController();
    const attempted = attempt(() => {
      interruption.abort(new TaskError("Interrupted."));
      return end();
    }, interruption.signal);
    await rejects(attempted, { message: "Interrupted." });
  }
});

Deno.test("a part whose processes notice an interruption first has not failed", async () => {
  const interruption = new AbortController();
  const attempted = attempt(() => {
    setTimeout(() => interruption.abort(new TaskError("Interrupted.")), 50);
    return Promise.reject(new Error("The server has ended."));
  }, interruption.signal);
  await rejects(attempted, { message: "Interrupted." });
});

Deno.test("no part is begun after an interruption", async () => {
  let isBegun = false;
  const attempted = attempt(() => {
    isBegun = true;
    return Promise.resolve(HOLDS);
  }, AbortSignal.abort(new TaskError("Interrupted.")));
  await rejects(attempted, { message: "Interrupted." });
  strictEqual(isBegun, false);
});

// The parts that start processes of their own run there only.
const onLinux = { ignore: Deno.build.os !== "linux" };

Deno.test(
  "Ctrl+C while the first part starts ends the whole run, without a verdict",
  onLinux,
  async () => {
    const { code, output } = await interruptedRun(
      "kills soak",
      (run) => hasChild(run, "stand-in.ts"),
    );
    strictEqual(code, 1);
    match(output, /error: Interrupted\.\n$/);
    doesNotMatch(output, /part 2 of 2|DOES NOT HOLD|missed:/);
  },
);

Deno.test("Ctrl+C while mutants are tested leaves no file behind", onLinux, async () => {
  const { code, output, left } = await interruptedRun(
    "mutants",
    (run) => hasChild(run, "tests/run.ts"),
  );
  strictEqual(code, 1);
  match(output, /error: Interrupted\.\n$/);
  deepStrictEqual(left, []);
});

/**
 * Runs parts at their small size, sends what Ctrl+C sends once `isTime`, and returns what the run printed and
 * what it left in the folder for temporary files.
 */
async function interruptedRun(parts: string, isTime: (pid: number) => Promise<boolean>) {
  const temporary = await Deno.makeTempDir();
  // The account of the server has to reach what is in it.
  await Deno.chmod(temporary, 0o755);
  try {
    const command = `run --allow-all --no-check local/prove/run.ts ${parts} --size small`;
    const run = spawn(Deno.execPath(), command.split(" "), {
      cwd: REPOSITORY,
      env: { ...Deno.env.toObject(), TMPDIR: temporary },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = once(run, "close");
    const output = outputOf(run);
    const { pid } = run;
    ok(pid !== undefined);
    await until("the part has begun", () => isTime(pid));
    // A terminal sends it to every process of the group.
    process.kill(-pid, "SIGINT");
    const [code] = await ended;
    const left = await Array.fromAsync(Deno.readDir(temporary), ({ name }) => name);
    return { code, output: output(), left };
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

function outputOf({ stdout, stderr }: ChildProcess): () => string {
  let text = "";
  for (const stream of [stdout, stderr]) stream?.on("data", (data) => text += data);
  return () => text;
}

async function hasChild(pid: number, command: string): Promise<boolean> {
  for await (const { name } of Deno.readDir("/proc")) {
    const found = /^\d+$/.test(name) ? await findProcess(Number(name)) : undefined;
    if (found?.parentPid === pid && found.command.includes(command)) return true;
  }
  return false;
}
