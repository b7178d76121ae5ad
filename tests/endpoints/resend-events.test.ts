/**
 * POST resend-events: an operator has the bot told again, and sees in the list what it was not told.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { startBackend } from "../support/backend.ts";
import { type Answer, call, dataOf, expectError, operatorHeaders } from "../support/calls.ts";
import {
  acknowledged,
  type EventListener,
  listenForEvents,
} from "../../local/prove/load/event-listener.ts";
import { deliverTo, forgetEvents, makeEventsDue } from "../support/events.ts";
import { closedUrl } from "../support/faulty-servers.ts";
import { at, one } from "../support/lists.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());
const { sql, secrets: { eventsSecret } } = backend;
Deno.test.beforeEach(() => forgetEvents(sql));

const listen = () => listenForEvents(eventsSecret);

function resend(fields: Record<string, unknown>): Promise<Answer> {
  const body = {
    operator: "Asha",
    reason: "The bot was moved",
    reference_id: randomUUID(),
    ...fields,
  };
  return call("POST", "resend-events", { body, headers: operatorHeaders() });
}

/** The period around now. */
const RECENT = {
  from: new Date(Date.now() - 3_600_000).toISOString(),
  to: new Date(Date.now() + 3_600_000).toISOString(),
};

async function tell(count: number): Promise<string[]> {
  const phone = newPhoneNumber();
  await sql`select from public.get_user(${phone})`;
  await sql`
    select private.tell(u.id, 'user.frozen') from public.users u, generate_series(1, ${count})
    where u.phone_number = ${phone}`;
  const events = await sql<{ id: string }[]>`
    select e.id from public.events e join public.users u on u.id = e.user_id
    where u.phone_number = ${phone} order by e.created_at`;
  return events.map(({ id }) => id);
}

/** What the operator's list says of events: subject and detail. */
async function attention(): Promise<Record<string, string>> {
  const rows = await sql<{ subject: string; detail: string }[]>`
    select subject, detail from public.list_attention() where kind = 'undelivered events'`;
  return Object.fromEntries(rows.map(({ subject, detail }) => [subject, detail]));
}

Deno.test("one event is sent again with the id that it had, and the others are not", async () => {
  await using bot = listen();
  const [, second = ""] = await tell(3);
  await deliverTo([bot.url]);
  deepStrictEqual(dataOf(await resend({ event_id: second })), { resent: 1 });
  await deliverTo([bot.url]);
  strictEqual(bot.arrivals.length, 4);
  strictEqual(bot.arrivals.at(-1)?.headers.get("webhook-id"), second);
});

Deno.test("the events of a period are sent again, whatever became of them, to all addresses of now", async () => {
  await using bot = listen();
  await using second = listen();
  const ids = await tell(4);
  await sql`update public.events set created_at = created_at - interval '73 hours' where id = ${
    at(ids, 0)
  }`;
  await deliverTo([bot.url]);
  await sql`
    update public.event_deliveries
    set state = 'dead', finished_at = clock_timestamp() where event_id = ${at(ids, 1)}`;
  await deliverTo([bot.url, second.url]);
  await sql`update public.events set created_at = created_at - interval '2 hours' where id = ${
    at(ids, 3)
  }`;
  deepStrictEqual(dataOf(await resend(RECENT)), { resent: 2 });
  deepStrictEqual(dataOf(await resend({ event_id: at(ids, 0) })), { resent: 1 });
  await deliverTo([bot.url, second.url]);
  deepStrictEqual(
    bot.arrivals.slice(3).map(({ data }) => data.event_id).sort(),
    ids.slice(0, 3).sort(),
  );
  deepStrictEqual(second.arrivals.map(({ data }) => data.event_id).sort(), ids.slice(0, 3).sort());
});

Deno.test("an address that 410 has paused is listed, and sent its queue after a resend", async () => {
  await using bot = listen();
  bot.behave(() => new Response(null, { status: 410 }));
  const url = `${bot.url}?token=hidden`;
  const [first = ""] = await tell(1);
  await deliverTo([url]);
  await tell(2);
  await deliverTo([url]);
  strictEqual(bot.arrivals.length, 1);
  const listed = await attention();
  deepStrictEqual(Object.keys(listed), [bot.url]);
  match(listed[bot.url] ?? "", /410.* 3 wait; resend-events sends them again/);

  bot.behave(acknowledged);
  // As if the pause had lasted for days.
  await sql`
    update public.event_deliveries
    set give_up_at = give_up_at - interval '10 days', created_at = created_at - interval '10 days'`;
  deepStrictEqual(dataOf(await resend({ event_id: first })), { resent: 1 });
  deepStrictEqual(await deliverTo([url]), { handed_out: 0, delivered: 3, failed: 0 });
  deepStrictEqual(await attention(), {});
});

/** Has an address paused for so many days while three events wait for it, and returns the first one. */
async function pauseFor(days: number, bot: EventListener): Promise<string> {
  bot.behave(() => new Response(null, { status: 410 }));
  const [first = ""] = await tell(1);
  await deliverTo([bot.url]);
  await tell(2);
  await deliverTo([bot.url]);
  await sql`
    update public.event_deliveries
    set give_up_at = give_up_at - make_interval(days => ${days}),
      created_at = created_at - make_interval(days => ${days})`;
  return first;
}

Deno.test("the queue of an address that is resumed is not written, but for what had failed", async () => {
  await using bot = listen();
  const first = await pauseFor(10, bot);
  const [, failed] = await sql<{ event_id: string }[]>`
    select event_id from public.event_deliveries order by event_id <> ${first}`;
  await sql`
    update public.event_deliveries set next_attempt_at = clock_timestamp() + interval '8 hours'
    where event_id = ${failed?.event_id ?? null}`;
  const versions = () =>
    sql`select event_id, xmin::text from public.event_deliveries order by event_id`;
  const before = new Set((await versions()).map((row) => JSON.stringify(row)));
  deepStrictEqual(dataOf(await resend({ event_id: first })), { resent: 1 });
  const after = (await versions()).map((row) => JSON.stringify(row));
  strictEqual(after.filter((row) => before.has(row)).length, 1);
  bot.behave(acknowledged);
  deepStrictEqual(await deliverTo([bot.url]), { handed_out: 0, delivered: 3, failed: 0 });
});

Deno.test("what waited for a paused address is given up three days after it was resumed", async () => {
  await using bot = listen();
  const first = await pauseFor(10, bot);
  dataOf(await resend({ event_id: first }));
  bot.behave(() => new Response(null, { status: 500 }));
  deepStrictEqual(await deliverTo([bot.url]), { handed_out: 0, delivered: 0, failed: 3 });
  const dead = async () =>
    (await sql`select from public.event_deliveries where state = 'dead'`).length;
  strictEqual(await dead(), 0);
  await makeEventsDue(sql);
  await sql`
    update public.event_addresses
    set give_up_not_before = give_up_not_before - interval '3 days 2 hours'`;
  await deliverTo([bot.url]);
  // The event that was resent has three days of its own.
  strictEqual(await dead(), 2);
});

Deno.test("an address that fails is listed after a quarter of an hour, and what was given up, until it is sent", async () => {
  await using bot = listen();
  bot.behave(() => new Response(null, { status: 500 }));
  await tell(3);
  await deliverTo([bot.url]);
  deepStrictEqual(await attention(), {});
  await sql`update public.event_addresses set failing_since = failing_since - interval '16 minutes'`;
  match((await attention())[bot.url] ?? "", /last 3 attempts failed \(status 500\): 3 wait/);
  await sql`
    update public.event_deliveries
    set state = 'dead', next_attempt_at = null, finished_at = clock_timestamp()`;
  match((await attention())[bot.url] ?? "", /3 were given up after three days/);
  bot.behave(acknowledged);
  dataOf(await resend(RECENT));
  // It was down, and is sent to at once.
  deepStrictEqual(await deliverTo([bot.url]), { handed_out: 0, delivered: 3, failed: 0 });
  deepStrictEqual(await attention(), {});
});

Deno.test("an address that is no longer in use needs no attention", async () => {
  const url = `${closedUrl()}/events`;
  await tell(1);
  await deliverTo([url]);
  await sql`
    update public.event_deliveries
    set state = 'dead', next_attempt_at = null, finished_at = clock_timestamp()`;
  deepStrictEqual(Object.keys(await attention()), [url]);
  await sql`update public.event_addresses set named_at = named_at - interval '2 hours'`;
  await deliverTo([]);
  deepStrictEqual(await attention(), {});
});

Deno.test("events that nobody hands out are listed, unless there is no address", async () => {
  await tell(2);
  await sql`update public.events set created_at = created_at - interval '16 minutes'`;
  deepStrictEqual(await attention(), {});
  await using bot = listen();
  await sql`insert into public.event_addresses (url) values (${bot.url})`;
  match((await attention())["every address"] ?? "", /^2 wait to be handed out/);
  await deliverTo([bot.url]);
  deepStrictEqual(await attention(), {});
});

Deno.test("without an address there is nobody to send to, and the answer says so", async () => {
  const [id = ""] = await tell(1);
  const answer = await resend({ event_id: id });
  deepStrictEqual(dataOf(answer), { resent: 0 });
  strictEqual(answer.body.message, "No event is sent again");
  await using bot = listen();
  strictEqual((await deliverTo([bot.url])).delivered, 1);
});

Deno.test("what is on its way right now is not sent a second time", async () => {
  await using bot = listen();
  await tell(1);
  const answer = Promise.withResolvers<Response>();
  bot.behave(() => answer.promise);
  const run = deliverTo([bot.url]);
  await bot.waitFor("it is under way", () => true);
  dataOf(await resend(RECENT));
  await deliverTo([bot.url]);
  answer.resolve(acknowledged());
  deepStrictEqual(await run, { handed_out: 1, delivered: 1, failed: 0 });
  strictEqual(bot.arrivals.length, 1);
});

Deno.test("it is recorded, and safe to repeat, also at the same moment", async () => {
  await using bot = listen();
  const [event_id = ""] = await tell(1);
  await deliverTo([bot.url]);
  const request = { event_id, reference_id: randomUUID() };
  const answers = await Promise.all([resend(request), resend(request), resend(request)]);
  for (const answer of answers) deepStrictEqual(dataOf(answer), { resent: 1 });
  const replays = answers.filter(({ headers }) => headers.get("idempotent-replayed") === "true");
  strictEqual(replays.length, 2);
  await deliverTo([bot.url]);
  dataOf(await resend(request));
  strictEqual((await deliverTo([bot.url])).delivered, 0);
  const { operator, reason, action, result, user_id } = one(
    await sql`select * from public.operator_actions where reference_id = ${request.reference_id}`,
  );
  deepStrictEqual([operator, reason, action], ["Asha", "The bot was moved", "resend-events"]);
  deepStrictEqual(result, { resent: 1 });
  ok(user_id);
  expectError(await resend({ ...RECENT, reference_id: request.reference_id }), {
    httpStatus: 409,
    code: "REFERENCE_REUSED",
  });
});

const REFUSED: [string, Record<string, unknown>, string][] = [
  ["an unknown event", { event_id: randomUUID() }, "EVENT_NOT_FOUND"],
  ["an event and a period", { event_id: randomUUID(), ...RECENT }, "INVALID_REQUEST"],
  ["half a period", { from: RECENT.from }, "INVALID_REQUEST"],
  ["neither an event nor a period", {}, "MISSING_FIELD"],
  ["a period that ends before it begins", { from: RECENT.to, to: RECENT.from }, "INVALID_REQUEST"],
  ["a period from a year that no database knows", {
    from: "0000-01-01T00:00:00Z",
    to: "2026-11-01T00:00:00+16:00",
  }, "INVALID_REQUEST"],
  ["a period in words", { from: "yesterday", to: "today" }, "INVALID_REQUEST"],
  ["no reason", { ...RECENT, reason: " " }, "INVALID_REQUEST"],
];

for (const [what, fields, code] of REFUSED) {
  Deno.test(`${what} is refused, and nothing is recorded`, async () => {
    await tell(1);
    const recorded = async () => (await sql`select from public.operator_actions`).length;
    const before = await recorded();
    const { body } = await resend(fields);
    strictEqual(body.code, code);
    strictEqual(await recorded(), before);
  });
}

Deno.test("a period of more than 10,000 events is refused", async () => {
  const [id = ""] = await tell(1);
  await sql`
    insert into public.events (user_id, type, data, credits, remaining_credits, sequence_number)
    select user_id, type, data, credits, remaining_credits, sequence_number
    from public.events, generate_series(1, 10000) where id = ${id}`;
  expectError(await resend(RECENT), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: /more than 10,000 events/,
  });
});

Deno.test("nobody without the key resends anything", async () => {
  const body = { ...RECENT, operator: "Asha", reason: "No key", reference_id: randomUUID() };
  expectError(await call("POST", "resend-events", { body }), {
    httpStatus: 401,
    code: "INVALID_SECRET_KEY",
  });
});
