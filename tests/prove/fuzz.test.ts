/**
 * The fuzz part of a proof, in its small size.
 * @module
 */

import { deepStrictEqual, ok } from "node:assert/strict";
import { fuzz } from "../../local/prove/fuzz/part.ts";

const SEED = 12;

Deno.test(
  "20,000 requests find nothing wrong",
  { sanitizeOps: false, sanitizeResources: false },
  async () => {
    const { holds, rows, misses } = await fuzz.run({
      size: "small",
      progress: (step) => console.log(step),
      seed: SEED,
    });
    deepStrictEqual(misses, []);
    deepStrictEqual(rows.filter((row) => !row.holds), []);
    ok(holds);
  },
);
