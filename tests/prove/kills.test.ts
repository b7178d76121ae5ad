/**
 * `deno task prove kills` at its small size: each kind of process is killed once.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { kills } from "../../local/prove/kills/part.ts";

Deno.test("after a kill of each process under load, what was acknowledged is there, once", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const { holds, rows, misses } = await kills.run({ size: "small", progress: () => {} });
  deepStrictEqual(misses, []);
  deepStrictEqual(rows.filter(({ holds }) => !holds), []);
  ok(holds);
  strictEqual(rows.filter(({ what }) => what.startsWith("SIGKILL for ")).length, 5);
});
