/**
 * `deno task prove kills` at its small size: each kind of process is killed once. And a kill is one only
 * if it hit.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { kill } from "../../local/prove/kill.ts";
import { kills } from "../../local/prove/kills/part.ts";

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

Deno.test("a kill resolves once the process is gone, and throws if there is none", async () => {
  const sleeping = new Deno.Command("sleep", { args: ["600"] }).spawn();
  await kill(sleeping.pid);
  strictEqual((await sleeping.status).signal, "SIGKILL");
  await rejects(kill(sleeping.pid), Deno.errors.NotFound);
});
