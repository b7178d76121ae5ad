/**
 * What `deno task prove soak` calls flat. The soak itself takes minutes, and is no test.
 * @module
 */

import { match, ok, strictEqual } from "node:assert/strict";
import postgres from "postgres";
import { flatness } from "../../local/prove/soak/flat.ts";
import { Sampler } from "../../local/prove/soak/samples.ts";
import { createTestDatabase } from "../support/database.ts";

const TOLERANCE = { share: 0.1, slack: 5 };
const seriesOf = (samples: number[]) =>
  flatness({ what: "a figure", unit: "MB", tolerance: TOLERANCE, samples });

Deno.test("a figure that grows from the beginning to the end is not flat", () => {
  const { holds, figure } = seriesOf(Array.from({ length: 40 }, (_, index) => 100 + 2 * index));
  strictEqual(holds, false);
  match(figure, /^129 MB after the warm-up, 169 at the end \(10% and 5 more would do\)$/);
});

Deno.test("a figure that grows only while it warms up, or has peaks, is flat", () => {
  const warmed = Array.from({ length: 40 }, (_, index) => 10 * Math.min(index, 10));
  ok(seriesOf(warmed).holds);
  ok(seriesOf(warmed.map((figure, index) => index % 4 === 0 ? 1_000 : figure)).holds);
});

Deno.test("a figure that was hardly sampled is not called flat", () => {
  strictEqual(seriesOf([100, 100, 100]).holds, false);
});

Deno.test("a sample of a server without connections is none", async () => {
  const database = await createTestDatabase();
  try {
    const backendPids = () => Promise.resolve([]);
    const sampler = new Sampler({ sql: database.sql, functionsPid: Deno.pid, backendPids });
    await sampler.take();
    strictEqual(sampler.failed, 1);
    strictEqual(sampler.taken, 0);
  } finally {
    await database.drop();
  }
});

Deno.test("connections that are never closed are noticed", async () => {
  const database = await createTestDatabase();
  const leaked: postgres.Sql[] = [];
  try {
    const sampler = new Sampler({
      sql: database.sql,
      functionsPid: Deno.pid,
      backendPids: () => Promise.resolve([Deno.pid]),
    });
    for (let sample = 0; sample < 40; sample++) {
      const sql = postgres(database.url, { max: 1, onnotice: () => {} });
      leaked.push(sql);
      await sql`select`;
      await sampler.take();
    }
    strictEqual(sampler.failed, 0);
    const connections = sampler.series().find(({ what }) => what === "connections to the database");
    ok(connections);
    strictEqual(flatness(connections).holds, false);
  } finally {
    await Promise.all(leaked.map((sql) => sql.end()));
    await database.drop();
  }
});
