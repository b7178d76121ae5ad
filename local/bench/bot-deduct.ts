/**
 * `bot-deduct` over HTTP, against a handler that only forwards the same call to the database.
 * @module
 */

import assert from "node:assert/strict";
import { functionEnvironment, type StackEnvironment } from "../stack/environment.ts";
import { GOALS } from "./goals.ts";
import { type Call, throughput } from "./load.ts";
import { printComparisons, printHeading } from "./report.ts";
import { serveModule } from "./served-module.ts";
import { type Comparison, sideBySide } from "./statistics.ts";
import { anyPhoneNumber } from "./users.ts";

const CONCURRENT_CLIENTS = 8;
const ROUNDS = 60;

/** Measures and prints the result. */
export async function benchBotDeduct(stack: StackEnvironment): Promise<void> {
  printHeading(
    "bot-deduct over HTTP against a handler that only forwards the RPC (calls per second)",
    ["Both in one process, with the same supabase-js, in front of the embedded Data API."],
  );
  const module = new URL("./deduct-server.ts", import.meta.url);
  await using server = await serveModule(module, functionEnvironment(stack));

  const forward = deduction(`${server.url}/forward`, {});
  const botDeduct = deduction(`${server.url}/bot-deduct`, { "x-bot-secret": stack.BOT_SECRET });
  const comparisons: Comparison[] = [];
  for (const clients of [CONCURRENT_CLIENTS, 1]) {
    const measure = (call: Call) => () => throughput(new Array<Call>(clients).fill(call));
    const name = clients === 1 ? "one call after another" : `${clients} clients at once`;
    const contestant = { name, measure: measure(botDeduct), limit: GOALS.botDeduct };
    comparisons.push(...await sideBySide(measure(forward), [contestant], ROUNDS));
  }
  printComparisons({ baseline: "forward", samples: "bot-deduct", digits: 0 }, comparisons);
}

function deduction(url: string, headers: Record<string, string>): Call {
  return async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ phone_number: anyPhoneNumber(), credits: 1 }),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
  };
}
