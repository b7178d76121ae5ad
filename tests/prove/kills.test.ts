/**
 * `deno task prove kills` at its small size: each kind of process is killed once. And a kill is one only
 * if it hit.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { kill } from "../../local/prove/kill.ts";
import { killRow, kills } from "../../local/prove/kills/part.ts";

Deno.test("after a kill of each process under load, what was acknowledged is there, once", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const { holds, rows, misses } = await kills.run({
    size: "small",
    seed: 12,
    progress: () => {},
  });
  deepStrictEqual(misses, []);
  deepStrictEqual(rows.filter(({ holds }) => !holds), []);
  ok(holds);
  strictEqual(rows.filter(({ what }) => what.startsWith("SIGKILL for ")).length, 5);
});

Deno.test("answers that go on only after a long silence do not hold", () => {
  const row = (answeredAfterMs: number[]) =>
    killRow({ name: "a process", comesBack: "by itself" }, answeredAfterMs);
  deepStrictEqual(row([900, 30_000]), {
    what: "SIGKILL for a process, back by itself",
    figure: "2 times, answers went on after 30.0 s at most (up to 30 would do)",
    holds: true,
  });
  strictEqual(row([30_001, 900]).holds, false);
});

Deno.test("a kill resolves once the process is gone, and throws if there is none", async () => {
  const sleeping = new Deno.Command("sleep", { args: ["600"] }).spawn();
  await kill(sleeping.pid);
  strictEqual((await sleeping.status).signal, "SIGKILL");
  await rejects(kill(sleeping.pid), Deno.errors.NotFound);
});
