/**
 * What `deno task prove soak` calls flat and what it calls a fault, and the soak itself at its small size.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import postgres from "postgres";
import { misbehave } from "../../local/prove/soak/faults.ts";
import { flatness } from "../../local/prove/soak/flat.ts";
import { soak } from "../../local/prove/soak/part.ts";
import { Sampler } from "../../local/prove/soak/samples.ts";
import { startRazorpay } from "../../local/razorpay/server.ts";
import { generateSecrets } from "../../local/stack/secrets.ts";
import { claimPort } from "../../local/system/ports.ts";
import { until } from "../../local/system/until.ts";
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

Deno.test("a figure that is too high for a while, and not at the end, is not flat", () => {
  const judge = (high: number) => {
    const samples = Array.from({ length: 60 }, (_, at) => at >= 20 && at < 20 + high ? 240 : 1);
    return flatness({ what: "a wait", unit: "s", tolerance: { limit: 65 }, samples });
  };
  const stuck = judge(6);
  strictEqual(stuck.holds, false);
  match(
    stuck.figure,
    /^up to 240 s in 90% of the samples, and 240 at most \(up to 65 in 90% would do\)$/,
  );
  // As in the seconds of a fault.
  const peaks = judge(4);
  ok(peaks.holds);
  match(peaks.figure, /^up to 1 s in 90% of the samples, and 240 at most/);
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
    strictEqual(sampler.taken, 40);
    const connections = sampler.series({ isLong: false }).find(({ what }) =>
      what === "connections to the database"
    );
    ok(connections);
    strictEqual(flatness(connections).holds, false);
  } finally {
    await Promise.all(leaked.map((sql) => sql.end()));
    await database.drop();
  }
});

Deno.test("a fault of Razorpay that nobody has met is not counted", async () => {
  const { razorpayKeyId, razorpayKeySecret, razorpayWebhookSecret } = await generateSecrets();
  const razorpay = await startRazorpay({
    port: claimPort(0, "RAZORPAY_PORT"),
    keyId: razorpayKeyId,
    keySecret: razorpayKeySecret,
    webhookSecret: razorpayWebhookSecret,
  });
  try {
    const fail = misbehave({ kind: "500", times: 2 });
    strictEqual(await fail(razorpay), false);
    const happened = fail(razorpay);
    await until("the fault is there", async () => (await razorpay.control.faults()).length > 0);
    const response = await fetch(`${razorpay.url}/v1/payments`);
    await response.body?.cancel();
    strictEqual(response.status, 500);
    strictEqual(await happened, true);
  } finally {
    await razorpay.stop();
  }
});

Deno.test(
  "after a minute of faults under load, what was acknowledged is there, and nothing has grown",
  {
    ignore: Deno.build.os !== "linux",
  },
  async () => {
    // A minute shows what is lost. What grows in hours, such as a queue of old orders, is for the full size.
    const { holds, rows, misses } = await soak.run({ size: "small", seed: 12, progress: () => {} });
    deepStrictEqual(misses, []);
    deepStrictEqual(rows.filter(({ holds }) => !holds), []);
    ok(holds);
  },
);
