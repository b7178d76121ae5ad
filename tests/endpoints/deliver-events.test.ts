/**
 * POST deliver-events: signed events, each to every address, until it has arrived or three days are
 * over.
 * @module
 */

import { deepStrictEqual, doesNotMatch, match, ok, strictEqual } from "node:assert/strict";
import postgres from "postgres";
import { startBackend } from "../support/backend.ts";
import { call, expectError, operatorHeaders } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import {
  acknowledged,
  type EventListener,
  isSigned,
  listenForEvents,
} from "../../local/prove/load/event-listener.ts";
import { deliverTo, forgetEvents, makeEventsDue, runDelivery } from "../support/events.ts";
import { closedUrl, lossyProxy, refusingProxy, whileDataApiIs } from "../support/faulty-servers.ts";
import { first, one } from "../support/lists.ts";
import { logOf } from "../support/log.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { keepPrivate } from "../support/private-values.ts";
import { withQuickTimers } from "../support/quick-timers.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());
const { sql, secrets: { eventsSecret } } = backend;
Deno.test.beforeEach(() => forgetEvents(sql));

const listen = (options = {}) => listenForEvents(eventsSecret, options);
const newSecret = () => {
  const secret = `whsec_${
    Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")
  }`;
  keepPrivate(secret);
  return secret;
};

/** Tells of so many events about somebody, each in a transaction of its own. */
async function tell(count: number, phone = newPhoneNumber()): Promise<string> {
  await sql`select from public.get_user(${phone})`;
  await sql`
    select private.tell(u.id, 'user.frozen') from public.users u, generate_series(1, ${count})
    where u.phone_number = ${phone}`;
  return phone;
}

/** The deliveries by state. */
async function states(): Promise<Record<string, number>> {
  const rows = await sql<{ state: string; count: number }[]>`
    select state, count(*)::integer as count from public.event_deliveries group by state`;
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

async function eventStates(): Promise<string[]> {
  const rows = await sql<{ state: string }[]>`select state from public.events order by created_at`;
  return rows.map(({ state }) => state);
}

const addressOf = async ({ url }: { url: string }) =>
  one(await sql`select * from public.event_addresses where url = ${url}`);

/** The seconds until the next attempt of the only delivery. */
async function nextAttemptIn(): Promise<number> {
  const { seconds } = one(
    await sql<{ seconds: number }[]>`
    select extract(epoch from next_attempt_at - clock_timestamp())::float8 as seconds
    from public.event_deliveries`,
  );
  return seconds;
}

const idsOf = ({ arrivals }: EventListener) => arrivals.map(({ data }) => data.event_id);

Deno.test("only the project's secret key may call it", async () => {
  expectError(await call("POST", "deliver-events"), {
    httpStatus: 401,
    code: "INVALID_SECRET_KEY",
  });
});

Deno.test("an event is signed as Standard Webhooks says, and has the id of every attempt", async () => {
  await using bot = listen();
  const phone = await tell(1);
  bot.behave((_, count) => new Response(null, { status: count === 1 ? 500 : 200 }));
  deepStrictEqual(await deliverTo([bot.url]), { handed_out: 1, delivered: 0, failed: 1 });
  await makeEventsDue(sql);
  deepStrictEqual(await deliverTo([bot.url]), { handed_out: 0, delivered: 1, failed: 0 });
  const [one, other] = bot.arrivals;
  ok(one && other);
  for (const { headers, data, text } of [one, other]) {
    strictEqual(headers.get("webhook-id"), data.event_id);
    strictEqual(headers.get("content-type"), "application/json");
    match(headers.get("webhook-signature") ?? "", /^v1,[A-Za-z0-9+/]{43}=$/);
    strictEqual(isSigned(headers, text, newSecret()), false);
    strictEqual(isSigned(headers, text.replace(phone, newPhoneNumber()), eventsSecret), false);
  }
  strictEqual(one.text, other.text);
  deepStrictEqual(bot.unsigned, []);
});

Deno.test("during a rotation both secrets sign, so that a bot with either of them is told", async () => {
  const newest = newSecret();
  await using old = listen();
  await using updated = listenForEvents(newest);
  await tell(1);
  await deliverTo([old.url, updated.url], {
    EVENTS_SECRET: newest,
    EVENTS_SECRET_PREVIOUS: eventsSecret,
  });
  for (const { arrivals, unsigned } of [old, updated]) {
    strictEqual(arrivals.length, 1);
    deepStrictEqual(unsigned, []);
  }
});

const UNUSABLE: [what: string, variables: Record<string, string | undefined>, why: RegExp][] = [
  ["no secret", { EVENTS_SECRET: undefined }, /EVENTS_SECRET is not set/],
  ["a secret that is too short", { EVENTS_SECRET: "whsec_c2VjcmV0" }, /EVENTS_SECRET.* 24 to 64/],
  ["a secret of another kind", { EVENTS_SECRET: "x".repeat(40) }, /EVENTS_SECRET.* whsec_/],
  ["a previous secret of another kind", { EVENTS_SECRET_PREVIOUS: "nonsense" }, /the previous one/],
  [
    "an address that anybody on the way can read",
    { EVENTS_URL: "http://bot.example/events" },
    /EVENTS_URL.* does not begin with https/,
  ],
  [
    "an address with a password",
    { EVENTS_URL: "https://bot:hidden@bot.example/events" },
    /EVENTS_URL.* a password/,
  ],
  [
    "an address with a user name",
    { EVENTS_URL: "https://hidden@bot.example/events" },
    /EVENTS_URL.* a user name/,
  ],
  [
    "an address with a fragment",
    { EVENTS_URL: "https://bot.example/events#hidden" },
    /EVENTS_URL.* a fragment/,
  ],
  ["an address that is none", { EVENTS_URL: "bot.example/events" }, /EVENTS_URL.* does not begin/],
  [
    "four addresses",
    { EVENTS_URL: "https://a.example https://b.example,https://c.example https://d.example" },
    /EVENTS_URL has more than 3 addresses/,
  ],
];

for (const [what, variables, why] of UNUSABLE) {
  Deno.test(`with ${what}, nothing is sent, nothing is lost, and the log says why`, async () => {
    await using bot = listen();
    await tell(1);
    const lines = await logOf(() =>
      withEnvironment({ EVENTS_URL: bot.url, ...variables }, async () => {
        expectError(await runDelivery(), { httpStatus: 500, code: "INTERNAL" });
      })
    );
    const line = one(lines);
    match(line, /"cause":"ConfigurationError: EVENTS_(URL|SECRET)/);
    match(line, why);
    doesNotMatch(line, /hidden/);
    deepStrictEqual(bot.arrivals, []);
    deepStrictEqual(bot.unsigned, []);
    await deliverTo([bot.url]);
    strictEqual(bot.arrivals.length, 1);
  });
}

Deno.test("without an address events wait for one, and those that waited for three days are not sent", async () => {
  await tell(2);
  deepStrictEqual(await deliverTo([]), { handed_out: 0, delivered: 0, failed: 0 });
  await sql`
    update public.events set created_at = created_at - interval '73 hours'
    where id = (select id from public.events limit 1)`;
  await using bot = listen();
  deepStrictEqual(await deliverTo([bot.url]), { handed_out: 2, delivered: 1, failed: 0 });
  deepStrictEqual(await eventStates(), ["not_sent", "handed_out"]);
  strictEqual(bot.arrivals.length, 1);
});

Deno.test("every address is told of every event", async () => {
  await using one = listen();
  await using other = listen();
  await using third = listen();
  await tell(3);
  const urls = [one.url, other.url, third.url];
  deepStrictEqual(await deliverTo(urls), { handed_out: 3, delivered: 9, failed: 0 });
  for (const bot of [other, third]) deepStrictEqual(idsOf(bot).sort(), idsOf(one).sort());
  deepStrictEqual(await deliverTo(urls), { handed_out: 0, delivered: 0, failed: 0 });
});

Deno.test("a bot that was down is told when it is back", async () => {
  const url = `${closedUrl()}/events`;
  await tell(1);
  deepStrictEqual(await deliverTo([url]), { handed_out: 1, delivered: 0, failed: 1 });
  const { last_error } = one(await sql`select last_error from public.event_deliveries`);
  match(last_error, /refused/);
  ok(!last_error.includes(url));
  deepStrictEqual(await deliverTo([url]), { handed_out: 0, delivered: 0, failed: 0 });
  await using bot = listen({ port: Number(new URL(url).port) });
  await makeEventsDue(sql);
  deepStrictEqual(await deliverTo([url]), { handed_out: 0, delivered: 1, failed: 0 });
  strictEqual(bot.arrivals.length, 1);
});

Deno.test("1,000 events all arrive at an address that fails one time in three, and none unsigned", async () => {
  await using bot = listen();
  await tell(1000);
  bot.behave((_, count) => count % 3 === 0 ? new Response(null, { status: 500 }) : acknowledged());
  let delivered = 0;
  for (let run = 0; delivered < 1000; run++) {
    ok(run < 50, `${delivered} were delivered`);
    const totals = await Promise.all([deliverTo([bot.url]), deliverTo([bot.url])]);
    for (const total of totals) delivered += total.delivered;
    await makeEventsDue(sql);
  }
  strictEqual(delivered, 1000);
  const attempts = Map.groupBy(idsOf(bot), (id) => id);
  strictEqual(attempts.size, 1000);
  // Whatever was acknowledged is not sent again.
  strictEqual(bot.arrivals.length, 1000 + Math.floor(bot.arrivals.length / 3));
  deepStrictEqual(bot.unsigned, []);
  deepStrictEqual(await states(), { delivered: 1000 });
});

Deno.test("a run ends after 500 deliveries, shared by its addresses, and the next one sends the rest", async () => {
  await using bot = listen();
  await using other = listen();
  await tell(510);
  strictEqual((await deliverTo([bot.url])).delivered, 500);
  strictEqual((await deliverTo([bot.url])).delivered, 10);
  await forgetEvents(sql);
  await tell(260);
  strictEqual((await deliverTo([bot.url, other.url])).delivered, 500);
  strictEqual((await deliverTo([bot.url, other.url])).delivered, 20);
});

Deno.test("several dispatchers at once send nothing twice", async () => {
  await using bot = listen();
  await tell(100);
  const totals = await Promise.all(Array.from({ length: 5 }, () => deliverTo([bot.url])));
  strictEqual(totals.reduce((sum, { delivered }) => sum + delivered, 0), 100);
  strictEqual(new Set(idsOf(bot)).size, 100);
  strictEqual(bot.arrivals.length, 100);
});

Deno.test("an answer that could not be stored at once is stored later, and nothing is sent twice", async () => {
  await using bot = listen();
  await tell(3);
  const { SUPABASE_URL } = backend.environment;
  const proxy = refusingProxy(SUPABASE_URL, { path: "/finish_event_delivery", times: 4 });
  await whileDataApiIs(proxy, async () => {
    const totals = await withQuickTimers("setTimeout", () => deliverTo([bot.url]), {
      onlyMs: 2_000,
    });
    deepStrictEqual(totals, { handed_out: 3, delivered: 3, failed: 0 });
  });
  await makeEventsDue(sql);
  await deliverTo([bot.url]);
  strictEqual(bot.arrivals.length, 3);
});

Deno.test("an answer that was stored without anybody hearing of it is not called a failure", async () => {
  await using bot = listen();
  await tell(1);
  const proxy = lossyProxy(backend.environment.SUPABASE_URL);
  // After handing out and claiming.
  proxy.loseAnswer = 3;
  await whileDataApiIs(proxy, async () => {
    deepStrictEqual(await deliverTo([bot.url]), { handed_out: 1, delivered: 0, failed: 0 });
  });
  match(String(proxy.paths[2]), /finish_event_delivery$/);
  deepStrictEqual(await states(), { delivered: 1 });
});

Deno.test("an address that hangs keeps no other one waiting, and gets no more than ten at once", {
  timeout: 30_000,
}, async () => {
  await using hanging = listen();
  await using bot = listen();
  await tell(50);
  const answer = Promise.withResolvers<Response>();
  hanging.behave(async () => (await answer.promise).clone());
  const urls = [hanging.url, bot.url];
  const run = deliverTo(urls);
  await bot.waitFor("all have arrived", () => bot.arrivals.length === 50);
  await hanging.waitFor("ten are under way", () => hanging.arrivals.length === 10);
  await deliverTo(urls);
  strictEqual(hanging.arrivals.length, 10);
  answer.resolve(acknowledged());
  deepStrictEqual(await run, { handed_out: 50, delivered: 100, failed: 0 });
});

Deno.test("an answer is waited for at most 15 seconds, and then the event is sent again", async () => {
  await using bot = listen();
  await tell(1);
  const answer = Promise.withResolvers<Response>();
  bot.behave((_, count) => count === 1 ? answer.promise : acknowledged());
  const totals = await withQuickTimers("AbortSignal.timeout", () => deliverTo([bot.url]), {
    onlyMs: 15_000,
  });
  answer.resolve(acknowledged());
  deepStrictEqual(totals, { handed_out: 1, delivered: 0, failed: 1 });
  const { last_error } = one(await sql`select last_error from public.event_deliveries`);
  strictEqual(last_error, "no answer within 15 seconds");
  await makeEventsDue(sql);
  strictEqual((await deliverTo([bot.url])).delivered, 1);
});

Deno.test("the body of an answer is not read, however long it is", async () => {
  await using bot = listen();
  await tell(1);
  let chunks = 0;
  bot.behave(() =>
    new Response(
      new ReadableStream({
        pull: (controller) => {
          chunks++;
          controller.enqueue(new Uint8Array(64 * 1024));
        },
      }),
    )
  );
  deepStrictEqual(await deliverTo([bot.url]), { handed_out: 1, delivered: 1, failed: 0 });
  ok(chunks < 1000, `${chunks} were read`);
});

Deno.test("a redirect is a failure and is not followed", async () => {
  await using bot = listen();
  await using elsewhere = listen();
  for (const status of [301, 302, 303, 307, 308]) {
    await forgetEvents(sql);
    await tell(1);
    bot.behave(() => new Response(null, { status, headers: { location: elsewhere.url } }));
    deepStrictEqual(await deliverTo([bot.url]), { handed_out: 1, delivered: 0, failed: 1 });
    const { last_status } = one(await sql`select last_status from public.event_deliveries`);
    strictEqual(last_status, status);
  }
  deepStrictEqual([...elsewhere.arrivals, ...elsewhere.unsigned], []);
});

Deno.test("410 pauses an address, which keeps its queue, and no other one", async () => {
  await using gone = listen();
  await using bot = listen();
  gone.behave(() => new Response(null, { status: 410 }));
  const urls = [gone.url, bot.url];
  await tell(1);
  deepStrictEqual(await deliverTo(urls), { handed_out: 1, delivered: 1, failed: 1 });
  await tell(2);
  await makeEventsDue(sql);
  deepStrictEqual(await deliverTo(urls), { handed_out: 2, delivered: 2, failed: 0 });
  strictEqual(gone.arrivals.length, 1);
  ok((await addressOf(gone)).paused_at);
  // It is kept for as long as the address is paused.
  await sql`update public.event_deliveries set give_up_at = clock_timestamp() - interval '1 day'`;
  await deliverTo(urls);
  deepStrictEqual(await states(), { delivered: 3, pending: 3 });
});

Deno.test("Retry-After keeps everything from an address for as long as it says, up to an hour", async () => {
  await using bot = listen();
  const inTwoMinutes = () => new Date(Date.now() + 120_000).toUTCString();
  const expected: [string, number, number][] = [
    ["120", 110, 121],
    [inTwoMinutes(), 100, 121],
    ["86400", 3500, 3601],
    ["9".repeat(400), 3500, 3601],
    [new Date("9999-12-31T23:59:59Z").toUTCString(), 3500, 3601],
    ["0", 3, 7],
    ["soon", 3, 7],
    [new Date(0).toUTCString(), 3, 7],
  ];
  for (const [retryAfter, min, max] of expected) {
    await forgetEvents(sql);
    await tell(1);
    bot.behave(() => new Response(null, { status: 429, headers: { "retry-after": retryAfter } }));
    await deliverTo([bot.url]);
    const wait = await nextAttemptIn();
    ok(wait > min && wait < max, `${retryAfter}: ${wait}`);
    // What is new has to wait as well.
    bot.behave(acknowledged);
    await tell(1);
    const { delivered } = await deliverTo([bot.url]);
    strictEqual(delivered, min > 10 ? 0 : 1, retryAfter);
  }
});

Deno.test("an address that is down is probed by one delivery, and gets the rest when it is back", async () => {
  await using bot = listen();
  bot.behave(() => new Response(null, { status: 503 }));
  await tell(20);
  // Those that were under way fail; the address is down from the third on.
  await deliverTo([bot.url]);
  strictEqual(bot.arrivals.length, 10);
  await deliverTo([bot.url]);
  strictEqual(bot.arrivals.length, 10);
  const probe = () => sql`update public.event_addresses set next_probe_at = clock_timestamp()`;
  for (let probed = 1; probed <= 3; probed++) {
    await probe();
    await Promise.all([deliverTo([bot.url]), deliverTo([bot.url])]);
    strictEqual(bot.arrivals.length, 10 + probed);
  }
  bot.behave(acknowledged);
  await probe();
  await deliverTo([bot.url]);
  deepStrictEqual(await states(), { delivered: 20 });
});

Deno.test("the probes of an address that stays down become rarer, up to every quarter of an hour", async () => {
  await using bot = listen();
  bot.behave(() => new Response(null, { status: 503 }));
  await tell(30);
  const waits: number[] = [];
  for (const failingFor of ["0 seconds", "1 minute", "5 minutes", "1 hour", "2 days"]) {
    await sql`
      update public.event_addresses
      set next_probe_at = clock_timestamp(),
        failing_since = clock_timestamp() - ${failingFor}::interval`;
    await deliverTo([bot.url]);
    waits.push(await nextProbeIn());
  }
  for (const [index, seconds] of [5, 60, 300, 900, 900].entries()) {
    const wait = waits[index] ?? 0;
    ok(wait > 0.7 * seconds && wait < 1.3 * seconds, String(waits));
  }
});

Deno.test("ten deliveries that fail together are one outage, and the next probe is seconds away", async () => {
  await using bot = listen();
  bot.behave(() => new Response(null, { status: 503 }));
  await tell(10);
  await deliverTo([bot.url]);
  strictEqual(bot.arrivals.length, 10);
  const wait = await nextProbeIn();
  ok(wait > 3 && wait < 10, String(wait));
});

/** Seconds until the only address is probed. */
async function nextProbeIn(): Promise<number> {
  const { seconds } = one(
    await sql<{ seconds: number }[]>`
      select extract(epoch from next_probe_at - clock_timestamp())::float8 as seconds
      from public.event_addresses`,
  );
  return seconds;
}

Deno.test("an event that the bot cannot handle is sent ever more rarely, for three days, and kept", async () => {
  await using bot = listen();
  bot.behave(() => new Response(null, { status: 500 }));
  await tell(1);
  const waits: number[] = [];
  for (let attempt = 1; attempt <= 9; attempt++) {
    await makeEventsDue(sql);
    strictEqual((await deliverTo([bot.url])).failed, 1);
    waits.push(await nextAttemptIn());
  }
  for (const [index, seconds] of [5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800].entries()) {
    const wait = waits[index] ?? 0;
    ok(wait > 0.7 * seconds && wait < 1.21 * seconds, `${index}: ${wait}`);
  }
  await sql`update public.event_deliveries set give_up_at = clock_timestamp() + interval '1 hour'`;
  await makeEventsDue(sql);
  await deliverTo([bot.url]);
  // The last attempt is when three days are over.
  const last = await nextAttemptIn();
  ok(last > 3590 && last <= 3600, String(last));
  await sql`update public.event_deliveries set give_up_at = clock_timestamp()`;
  await makeEventsDue(sql);
  await deliverTo([bot.url]);
  deepStrictEqual(await states(), { dead: 1 });
  await makeEventsDue(sql);
  await deliverTo([bot.url]);
  strictEqual(bot.arrivals.length, 11);
});

Deno.test("what waited for three days behind an address that was down is given up, and kept", async () => {
  await tell(1);
  const url = `${closedUrl()}/events`;
  await deliverTo([url]);
  await sql`
    update public.event_deliveries
    set give_up_at = clock_timestamp() - interval '2 hours',
      next_attempt_at = clock_timestamp() - interval '2 hours'`;
  deepStrictEqual(await deliverTo([url]), { handed_out: 0, delivered: 0, failed: 0 });
  deepStrictEqual(await states(), { dead: 1 });
});

Deno.test("the queue of an address ends when it has not been named for an hour, and not before", async () => {
  await using bot = listen();
  const removed = `${closedUrl()}/events`;
  await tell(1);
  await deliverTo([bot.url, removed]);
  // A run with the former setting, or a mistake that is soon corrected, ends nothing.
  await tell(1);
  await deliverTo([bot.url]);
  deepStrictEqual(await states(), { delivered: 2, pending: 2 });
  await sql`
    update public.event_addresses set named_at = named_at - interval '61 minutes' where url = ${removed}`;
  await deliverTo([bot.url]);
  deepStrictEqual(await states(), { delivered: 2, ended: 2 });
  await tell(1);
  await deliverTo([bot.url]);
  deepStrictEqual(await states(), { delivered: 3, ended: 2 });
  // Named again, it gets what is new.
  await tell(1);
  await deliverTo([bot.url, removed]);
  deepStrictEqual(await states(), { delivered: 4, ended: 2, pending: 1 });
});

Deno.test("no event is skipped by transactions that commit in another order than they began", async () => {
  await using bot = listen();
  const phone = newPhoneNumber();
  const { user_id } = one(await sql`select user_id from public.get_user(${phone})`);
  const slow = postgres(backend.database.url, { max: 1, onnotice: () => {} });
  try {
    await slow`begin`;
    await slow`select private.tell(${user_id}, 'user.frozen')`;
    await sql`select private.tell(${user_id}, 'user.unfrozen')`;
    deepStrictEqual(await deliverTo([bot.url]), { handed_out: 1, delivered: 1, failed: 0 });
    await slow`commit`;
    deepStrictEqual(await deliverTo([bot.url]), { handed_out: 1, delivered: 1, failed: 0 });
  } finally {
    await slow.end();
  }
  deepStrictEqual(bot.arrivals.map(({ type }) => type), ["user.unfrozen", "user.frozen"]);
});

Deno.test("what has been due for longest is sent first", async () => {
  await using bot = listen();
  await tell(3);
  await sql`select public.hand_out_events(${[bot.url]}, 10)`;
  // The newest event has been due for longest, so that its age does not bring it first.
  const { ids } = one(
    await sql<{ ids: string[] }[]>`
    with ranked as (
      select e.id, row_number() over (order by e.created_at desc) as place from public.events e
    ), moved as (
      update public.event_deliveries d
      set next_attempt_at = clock_timestamp() - interval '1 hour' / r.place
      from ranked r where r.id = d.event_id
    )
    select array_agg(r.id order by r.place) as ids from ranked r`,
  );
  strictEqual(ids.length, 3);
  for (const id of ids) {
    const { event_id } = one(
      await sql`select event_id from public.claim_event_deliveries(${bot.url}, 1)`,
    );
    strictEqual(event_id, id);
  }
});

Deno.test("a claim that is never finished expires, and whoever held it has no say any more", async () => {
  await using bot = listen();
  await tell(1);
  await sql`select public.hand_out_events(${[bot.url]}, 10)`;
  const claim = () => sql`select * from public.claim_event_deliveries(${bot.url}, 10)`;
  const { event_id, address_id, lease_token } = one(await claim());
  strictEqual((await claim()).length, 0);
  const letPass = (time: string) =>
    sql`update public.event_deliveries set next_attempt_at = next_attempt_at - ${time}::interval`;
  await letPass("15 seconds");
  strictEqual((await claim()).length, 0);
  await letPass("15 seconds");
  const other = one(await claim());
  const finish = async (token: string, status: number) =>
    one(
      await sql`
      select public.finish_event_delivery(
        ${event_id}, ${address_id}, ${token}, http_status => ${status}
      ) as outcome`,
    ).outcome;
  strictEqual(await finish(lease_token, 500), "lease_lost");
  strictEqual((await addressOf(bot)).failures, 0);
  strictEqual(await finish(other.lease_token, 200), "delivered");
  strictEqual(await finish(other.lease_token, 500), "lease_lost");
  deepStrictEqual(await states(), { delivered: 1 });
});

Deno.test("what is told of a merged account reaches the number that it has now", async () => {
  await using bot = listen();
  const phone = await tell(1);
  const into = newPhoneNumber();
  const userId = async (number: string) =>
    one(await sql`select user_id from public.get_user(${number})`).user_id;
  const [from, to] = [await userId(phone), await userId(into)];
  await sql`select public.merge_users(${from}, ${to})`;
  await deliverTo([bot.url]);
  const { data } = one(bot.arrivals);
  deepStrictEqual([data.user_id, data.phone_number], [from, into]);
});

Deno.test("a user without a number is told by the WhatsApp user id alone", async () => {
  await using bot = listen();
  const whatsapp_user_id = newWhatsappId();
  await sql`
    select private.tell(user_id, 'user.frozen')
    from public.get_user(whatsapp_user_id => ${whatsapp_user_id})`;
  await deliverTo([bot.url]);
  const { data } = first(bot.arrivals);
  strictEqual(data.whatsapp_user_id, whatsapp_user_id);
  ok(!("phone_number" in data));
});

Deno.test("a run without anything to send says so, and needs no body", async () => {
  await using bot = listen();
  await withEnvironment({ EVENTS_URL: bot.url }, async () => {
    const answer = await call("POST", "deliver-events", { headers: operatorHeaders() });
    strictEqual(answer.body.message, "Events delivered");
    deepStrictEqual(answer.body.data, { handed_out: 0, delivered: 0, failed: 0 });
  });
});
