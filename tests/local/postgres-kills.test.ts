/**
 * The embedded stack while its PostgreSQL server is killed again and again under load: it lives on,
 * says 503 meanwhile and serves again, and what it acknowledged is in the ledger, once.
 * @module
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";
import { assertBooksAreRight } from "../support/backend.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { end, newStackFolder, ready, runLocal } from "../../local/stack/stack-process.ts";
import { until } from "../../local/system/until.ts";

const KILLS = 20;
const CALLERS = 8;
/** As many deductions succeed between two kills. */
const SERVED_BETWEEN_KILLS = 20;

/** The settings of this process are those of the tests' backends; the stack must not find them. */
for (const name of Object.keys(Deno.env.toObject())) {
  if (/^(SUPABASE_|RAZORPAY_|BOT_SECRET|DATABASE_URL)/.test(name)) Deno.env.delete(name);
}

Deno.test("a stack outlives twenty kills of its server under load, and keeps each deduction once", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using folder = await newStackFolder();
  const stack = runLocal("start", folder);
  const { SUPABASE_URL, BOT_SECRET, DATABASE_URL } = await ready(stack, folder);
  const acknowledged: string[] = [];
  const otherResponses = new Map<string, number>();
  let stopped = false;

  async function deductOnce(): Promise<void> {
    const reference_id = crypto.randomUUID();
    const response = await fetch(`${SUPABASE_URL}/functions/v1/bot-deduct`, {
      method: "POST",
      headers: { "x-bot-secret": BOT_SECRET },
      body: JSON.stringify({ phone_number: newPhoneNumber(), reference_id }),
    });
    const { status, code } = await response.json();
    if (status === "SUCCESS") return void acknowledged.push(reference_id);
    const answer = `${response.status} ${code}`;
    otherResponses.set(answer, (otherResponses.get(answer) ?? 0) + 1);
    await delay(20);
  }

  const callers = Array.from({ length: CALLERS }, async () => {
    while (!stopped) await deductOnce();
  });
  const load = Promise.all(callers);
  load.catch(() => stopped = true);
  const pidFile = join(folder.home, "postgres", "data", "postmaster.pid");
  for (let kill = 0; kill <= KILLS; kill++) {
    const served = acknowledged.length + SERVED_BETWEEN_KILLS;
    await until(`the backend serves after ${kill} kills`, () => {
      strictEqual(stopped, false, "a caller got no answer");
      return Promise.resolve(acknowledged.length >= served);
    });
    if (kill === KILLS) break;
    Deno.kill(Number((await Deno.readTextFile(pidFile)).split("\n")[0]), "SIGKILL");
  }
  stopped = true;
  await load;

  deepStrictEqual([...otherResponses.keys()], ["503 UNAVAILABLE"]);
  const sql = postgres(DATABASE_URL, { max: 1, onnotice: () => {} });
  const entries = await sql`
    select reference_id, count(*)::int as times from public.credit_transactions
    where source = 'image_generation' group by reference_id`;
  const times = new Map(entries.map((entry) => [entry.reference_id, entry.times]));
  deepStrictEqual(acknowledged.filter((reference) => times.get(reference) !== 1), []);
  ok([...times.values()].every((count) => count === 1));
  await assertBooksAreRight(sql);
  await sql.end();
  await end(stack, "SIGTERM", folder);
  strictEqual((await stack.status).code, 0);
});
