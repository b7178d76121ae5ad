/**
 * A part of `deno task prove` that cannot be run is a miss of that part alone; an interruption is no miss,
 * and nothing is begun or written after it.
 * @module
 */

import { deepStrictEqual, doesNotMatch, match, rejects, strictEqual } from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
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

Deno.test("Ctrl+C while the first part starts ends the whole run, without a verdict", {
  // The parts that start processes of their own run there only.
  ignore: Deno.build.os !== "linux",
}, async () => {
  const run = spawn(Deno.execPath(), [
    ..."run --allow-all --no-check local/prove/run.ts kills soak --size small".split(" "),
  ], { cwd: REPOSITORY, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(run, "close");
  const output = outputOf(run);
  await until("the first part has begun", () => Promise.resolve(output().includes("part 1 of 2")));
  const { pid } = run;
  if (pid === undefined) throw new Error("The run has no process.");
  await until("the stand-in has begun", () => hasChild(pid, "stand-in.ts"));
  // A terminal sends it to every process of the group.
  process.kill(-pid, "SIGINT");
  const [code] = await ended;
  strictEqual(code, 1);
  match(output(), /error: Interrupted\.\n$/);
  doesNotMatch(output(), /part 2 of 2|DOES NOT HOLD|missed:/);
});

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
