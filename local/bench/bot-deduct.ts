/**
 * `bot-deduct` over HTTP, against a handler that only passes the same call on to the database.
 * @module
 */

import assert from "node:assert/strict";
import { functionEnvironment, type StackEnvironment } from "../stack/environment.ts";
import { type Caller, throughput } from "./load.ts";
import { printComparisons, printHeading } from "./report.ts";
import { serveModule } from "./served-module.ts";
import { sideBySide } from "./statistics.ts";
import { anyPhoneNumber } from "./users.ts";

const CONCURRENT_CALLERS = 8;
const ROUNDS = 60;
const LIMIT = { atLeast: 0.9 };

/** Measures and prints. */
export async function benchBotDeduct(stack: StackEnvironment): Promise<void> {
  printHeading(
    "bot-deduct over HTTP against a handler that only passes the RPC on (calls per second)",
    [
      "Both in one process, with the same supabase-js, in front of the embedded Data API.",
    ],
  );
  const module = new URL("./deduct-server.ts", import.meta.url);
  await using server = await serveModule(module, functionEnvironment(stack));

  const passOn = caller(`${server.url}/pass-on`, {});
  const botDeduct = caller(`${server.url}/bot-deduct`, {
    "x-bot-secret": stack.BOT_SECRET,
  });
  const comparisons = [];
  for (const callers of [CONCURRENT_CALLERS, 1]) {
    const [baseline, samples] = await sideBySide(
      [passOn, botDeduct].map((call) => () => throughput(new Array<Caller>(callers).fill(call))),
      ROUNDS,
    );
    const name = callers === 1 ? "one call after the other" : `${callers} callers at once`;
    comparisons.push({ name, baseline, samples, limit: LIMIT });
  }
  printComparisons({ baseline: "pass on", samples: "bot-deduct", digits: 0 }, comparisons);
}

function caller(url: string, headers: Record<string, string>): Caller {
  return async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ phone_number: anyPhoneNumber(), credits: 1 }),
    });
    const answer = await response.text();
    assert.equal(response.status, 200, answer);
  };
}
