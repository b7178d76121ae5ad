/**
 * A dispatcher that is killed, at any point, has lost nothing.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { startBackend } from "../support/backend.ts";
import { acknowledged, listenForEvents } from "../../local/prove/load/event-listener.ts";
import { deliverTo, forgetEvents, makeEventsDue } from "../support/events.ts";
import { KillableWorker } from "../support/killable-worker.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());
const { sql, environment, secrets: { eventsSecret } } = backend;
Deno.test.beforeEach(() => forgetEvents(sql));

/** Starts a dispatcher in a process of its own. */
function startDispatcher(url: string): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--no-check",
      fileURLToPath(import.meta.resolve("../support/run-function.ts")),
      "deliver-events",
    ],
    env: { EVENTS_URL: url },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

async function tell(count: number): Promise<void> {
  const phone = newPhoneNumber();
  await sql`select from public.get_user(${phone})`;
  await sql`
    select private.tell(u.id, 'user.frozen') from public.users u, generate_series(1, ${count})
    where u.phone_number = ${phone}`;
}

/** Lets the claims of dispatchers that are gone expire. */
async function expireClaims(): Promise<void> {
  await sql`
    update public.event_deliveries set next_attempt_at = clock_timestamp()
    where lease_token is not null`;
  await makeEventsDue(sql);
}

async function undelivered(): Promise<number> {
  return (await sql`
    select from public.events e
    where not exists (
      select from public.event_deliveries d where d.event_id = e.id and d.state = 'delivered'
    )`).length;
}

Deno.test("what a dispatcher had under way when it was killed with SIGKILL is sent again", async () => {
  await tell(60);
  await using bot = listenForEvents(eventsSecret);
  const killed = Promise.withResolvers<Response>();
  const KILLED_AT = 25;
  bot.behave((_, count) => count >= KILLED_AT ? killed.promise : acknowledged());
  const dispatcher = startDispatcher(bot.url);
  await bot.waitFor("the middle is reached", () => bot.arrivals.length >= KILLED_AT);
  Deno.kill(dispatcher.pid, "SIGKILL");
  strictEqual((await dispatcher.status).signal, "SIGKILL");
  killed.resolve(acknowledged());
  bot.behave(acknowledged);
  const { length: claimed } = await sql`
    select from public.event_deliveries where lease_token is not null`;
  ok(claimed > 0 && claimed <= 10, `${claimed} were under way`);
  await expireClaims();
  await deliverTo([bot.url]);
  strictEqual(await undelivered(), 0);
  const ids = bot.arrivals.map(({ data }) => data.event_id);
  strictEqual(new Set(ids).size, 60);
  // Only what was under way can have arrived twice.
  ok(ids.length <= 60 + claimed, `${ids.length - 60} arrived twice`);
  deepStrictEqual(bot.unsigned, []);
});

Deno.test("a dispatcher that is cut off after any of its steps has lost nothing", async () => {
  const worker = new KillableWorker({
    dataApiUrl: environment.SUPABASE_URL,
    razorpayUrl: environment.RAZORPAY_API_URL,
  });
  await worker.start();
  await using bot = listenForEvents(eventsSecret);
  try {
    for (const carriedOut of [false, true]) {
      let died = true;
      for (let step = 1; died; step++) {
        await tell(1);
        ({ died } = await worker.runUntil({ step, carriedOut }, async () => {
          await deliverTo([bot.url]).catch(() => {});
        }));
        await expireClaims();
        await deliverTo([bot.url]);
        strictEqual(await undelivered(), 0, `step ${step}`);
      }
    }
  } finally {
    await worker.stop();
  }
  const { length } = await sql`select from public.events`;
  strictEqual(new Set(bot.arrivals.map(({ data }) => data.event_id)).size, length);
});
