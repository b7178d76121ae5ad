/**
 * The check after a load notices what it is there for: it finds nothing wrong with a backend that is
 * right, and each thing that is made wrong on purpose.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { MAX_OPEN_HOLDS } from "../../local/prove/load/allowances.ts";
import { checkAfterLoad } from "../../local/prove/load/check.ts";
import { type Entry, isDone, type Kind } from "../../local/prove/load/entry.ts";
import { listenForEvents } from "../../local/prove/load/event-listener.ts";
import { type Evidence, gather } from "../../local/prove/load/evidence.ts";
import { Findings } from "../../local/prove/load/findings.ts";
import { Journal } from "../../local/prove/load/journal.ts";
import { judge } from "../../local/prove/load/judge.ts";
import { startLoad } from "../../local/prove/load/load.ts";
import { startScheduler } from "../../local/stack/scheduler.ts";
import { until } from "../../local/system/until.ts";
import { startBackend } from "../support/backend.ts";
import { at, one } from "../support/lists.ts";
import { breakRule, type Breaks, testOfTests } from "../support/mutants.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());
const { control } = backend.razorpay;
const listener = listenForEvents(backend.secrets.eventsSecret);
Deno.test.afterAll(async () => await listener[Symbol.asyncDispose]());
Deno.env.set("EVENTS_URL", listener.url);
const scheduler = startScheduler(backend.environment, { hasEventAddress: true });
Deno.test.afterAll(() => scheduler.stop());
await control.changeSettings({
  webhook_url: `${backend.environment.SUPABASE_URL}/functions/v1/razorpay-webhook`,
  webhook_time_factor: 0.01,
});
const target = { ...backend, control, listener };
const seed = 12;
const CALLS = 300;

/** A seed of its own for each further load, because references that are drawn again were used before. */
let lastSeed = seed;

const load = await startLoad(target, {
  seed,
  callers: 8,
  restMs: 5,
  cutRate: 0.05,
  forgottenAfterSeconds: 30,
});
const { journal } = load;
const isForgotten = (entry: Entry) => isDone(entry) && entry.call.body?.expires_in_seconds === 30;
await until("there were enough calls, of every kind", () => {
  load.throwIfFailed();
  return Promise.resolve(
    journal.answered >= CALLS && journal.missingKinds().length === 0 &&
      journal.entries.some(isForgotten),
  );
});
await load.stop();

/** What the check says once `spoil` has made something wrong, and `repair` has put it right again. */
async function missesAfter(
  spoil: () => unknown,
  repair: () => unknown,
  { settleMs = 60_000 } = {},
): Promise<string> {
  await spoil();
  try {
    const { holds, misses } = await checkAfterLoad(target, journal, { seed, settleMs });
    strictEqual(holds, misses.length === 0);
    return misses.join("\n");
  } finally {
    await repair();
  }
}

/** What is said of the load if `falsify` makes something else of what there is. It must be settled. */
async function missesIn(
  falsify: (evidence: Evidence) => Partial<Evidence> = () => ({}),
): Promise<string> {
  const evidence = await gather(target, journal);
  const findings = new Findings();
  judge(journal, { ...evidence, ...falsify(evidence) }, findings);
  return findings.result().misses.join("\n");
}

/** As {@linkcode missesIn}, while `spoil` has made something wrong of the journal. */
async function missesWhile(
  { spoil, repair }: { spoil(): unknown; repair(): unknown },
  falsify?: (evidence: Evidence) => Partial<Evidence>,
): Promise<string> {
  spoil();
  try {
    return await missesIn(falsify);
  } finally {
    repair();
  }
}

/** The first call of this kind that was acknowledged. */
function acknowledged(kind: Kind): Entry {
  return at(journal.acknowledged(kind), 0);
}

/** Queries past the triggers that keep the ledger as it is. */
async function asSuperuser(statement: string): Promise<void> {
  const sql = postgres(backend.database.superuserUrl, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(`set session_replication_role = replica; ${statement}`);
  } finally {
    await sql.end();
  }
}

function pretend(kind: Kind, changes: Partial<Entry>): { spoil(): void; repair(): void } {
  const original = acknowledged(kind);
  const invented = { ...original, ...changes };
  return {
    spoil: () => void journal.entries.push(invented),
    repair: () => void journal.entries.splice(journal.entries.indexOf(invented), 1),
  };
}

function hide(entry: Entry): { spoil(): void; repair(): void } {
  const { entries } = journal;
  const place = entries.indexOf(entry);
  return {
    spoil: () => void entries.splice(place, 1),
    repair: () => void entries.splice(place, 0, entry),
  };
}

Deno.test("a backend that lost nothing passes", async () => {
  deepStrictEqual(await missesAfter(() => {}, () => {}), "");
  ok(listener.arrivals.length > 0);
});

Deno.test("an answer that nobody has to expect is noticed", async () => {
  const { surprises } = journal;
  const misses = await missesWhile({
    spoil: () => surprises.push("bot-deduct answered 500"),
    repair: () => surprises.pop(),
  });
  strictEqual(misses, "bot-deduct answered 500");
});

Deno.test("an acknowledged refund that Razorpay did not make is noticed", async () => {
  const { reference, answer } = acknowledged("refund");
  const misses = await missesIn(({ refunds }) => ({
    refunds: refunds.filter(({ id }) => id !== answer?.data.refund_id),
  }));
  match(misses, new RegExp(`^refund ${reference} was made 0 times$`, "m"));
});

Deno.test("a refund that Razorpay made twice is noticed, even if nobody heard of it", async () => {
  const refund = acknowledged("refund");
  const { answer, call: { body } } = refund;
  ok(answer);
  const misses = await missesWhile({
    spoil: () => Object.assign(refund, { answer: undefined, isAbandoned: true }),
    repair: () => Object.assign(refund, { answer, isAbandoned: false }),
  }, ({ refunds }) => {
    const made = refunds.filter(({ id }) => id === answer.data.refund_id);
    return { refunds: [...refunds, ...made.map((one) => ({ ...one, id: "rfnd_00000000000000" }))] };
  });
  match(misses, new RegExp(`^${body?.payment_id} was refunded 2 times instead of 1$`, "m"));
});

Deno.test("a refund that nobody asked for is noticed", async () => {
  const refund = acknowledged("refund");
  const { payment_id } = refund.call.body ?? {};
  const misses = await missesWhile(hide(refund));
  match(misses, new RegExp(`^${payment_id} was refunded 1 times instead of 0$`, "m"));
});

Deno.test("a purchase and a refund that the bot is not told of, or twice, are noticed", async () => {
  const { reference: paymentId } = acknowledged("verification");
  const { answer } = acknowledged("refund");
  const refundId = String(answer?.data.refund_id);
  const notTold = await missesIn(({ events }) => ({
    events: events.filter(({ type, payment_id }) =>
      type !== "credits.granted" || payment_id !== paymentId
    ),
  }));
  match(notTold, new RegExp(`^the event of ${paymentId} is not there, or not alone$`, "m"));
  const toldTwice = await missesIn(({ events }) => ({
    events: [...events, ...events.filter(({ reversal_id }) => reversal_id === refundId)],
  }));
  strictEqual(toldTwice, `the event of ${refundId} is not there, or not alone`);
});

Deno.test("an event of what never happened is noticed", async () => {
  const id = randomUUID();
  strictEqual(await missesIn(({ arrived }) => ({ arrived: new Set([...arrived, id]) })), id);
});

Deno.test("events that nobody sends are noticed", async () => {
  const misses = await missesAfter(
    async () => {
      Deno.env.delete("EVENTS_URL");
      await asSuperuser(`
        insert into public.events
          (user_id, type, data, credits, remaining_credits, sequence_number)
        select user_id, 'user.unfrozen', '{}', credits, remaining_credits, sequence_number
        from public.events where user_id is not null limit 1`);
    },
    () => Deno.env.set("EVENTS_URL", listener.url),
    { settleMs: 2_000 },
  );
  // Those of the credits that the check has spent are among them.
  match(
    misses,
    /^\d+ events that were not (sent|handed out), after 2 seconds without less to do$/m,
  );
  match(misses, /^user\.unfrozen \S+ has not arrived$/m);
});

Deno.test("a webhook that the backend refuses is noticed, while it is repeated and in the end", async () => {
  const [payment] = await backend.sql`select id from public.payments limit 1`;
  ok(payment);
  const webhook = { event: "payment.captured", entity_id: String(payment.id) } as const;
  let id = "";
  const whileRepeated = await missesAfter(
    async () => {
      await control.changeSettings({ webhook_secret: "another-secret" });
      await control.emitWebhook(webhook);
      await control.webhooksDelivered({ until: "attempted" });
      id = at(await control.webhookEvents(), -1).id;
    },
    () => {},
    { settleMs: 1_000 },
  );
  match(
    whileRepeated,
    new RegExp(`^the webhook payment.captured ${id} is still on its way: 401$`, "m"),
  );
  const inTheEnd = await missesAfter(
    // As when the retries of a day are used up.
    () => control.changeSettings({ webhooks_enabled: false }),
    async () => {
      await control.changeSettings({
        webhook_secret: backend.secrets.razorpayWebhookSecret,
        webhooks_enabled: true,
      });
      await control.deliverWebhooks({ event_ids: [id] });
    },
  );
  match(inTheEnd, new RegExp(`^the webhook payment.captured ${id} was given up: 401$`, "m"));
});

Deno.test("a webhook that was acknowledged and not handled is noticed", async () => {
  const { id } = at([...journal.finishedWebhooks.values()], 0);
  const change = (from: string, to: string) =>
    asSuperuser(
      `update public.webhook_deliveries set event_id = '${to}' where event_id = '${from}'`,
    );
  const misses = await missesAfter(() => change(id, "hidden"), () => change("hidden", id));
  match(misses, new RegExp(`^the webhook \\S+ ${id} was acknowledged and not handled$`, "m"));
});

Deno.test("a kind of call that never succeeded is noticed", async () => {
  const all = [...journal.entries];
  const misses = await missesWhile({
    spoil: () =>
      journal.entries.splice(0, Infinity, ...all.filter(({ kind }) => kind !== "refund")),
    repair: () => journal.entries.splice(0, Infinity, ...all),
  });
  match(misses, /^no refund was acknowledged$/m);
  match(misses, /^acknowledged refunds that Razorpay made once: there were none$/m);
});

Deno.test("an acknowledged deduction that is not in the ledger is noticed", async () => {
  const pretense = pretend("deduction", { reference: "never-asked" });
  match(await missesWhile(pretense), /^deduction never-asked has 0 entries$/m);
});

Deno.test("a call that never had an answer is noticed", async () => {
  const pretense = pretend("deduction", { reference: "unheard", answer: undefined });
  match(await missesWhile(pretense), /^deduction unheard never had an answer$/m);
});

Deno.test("a charge that nobody asked for is noticed, as an entry and in the balance", async () => {
  const charge = acknowledged("deduction");
  const { reference, phone } = charge;
  const misses = await missesWhile(hide(charge));
  match(misses, new RegExp(`${reference} has 1 entries that nobody asked for`));
  ok(misses.includes(`${phone} has`), misses);
});

Deno.test("an acknowledged reservation that is gone is noticed", async () => {
  const pretense = pretend("reservation", { reference: "no-such-hold" });
  match(await missesWhile(pretense), /^reservation no-such-hold is not there$/m);
});

Deno.test("an acknowledged order that is gone is noticed", async () => {
  const { answer } = acknowledged("order");
  ok(answer);
  const pretense = pretend("order", {
    reference: "gone",
    answer: { ...answer, data: { ...answer.data, order_id: "order_00000000000000" } },
  });
  match(await missesWhile(pretense), /^order gone is not there$/m);
});

Deno.test("a payment whose credits are gone is noticed", async () => {
  const [paid] = await backend.sql`
    select user_id, sequence_number, reference_id from public.credit_transactions
    where source = 'payment' limit 1`;
  ok(paid);
  const where = `where user_id = '${paid.user_id}' and sequence_number = ${paid.sequence_number}`;
  const change = (id: string) =>
    asSuperuser(`update public.credit_transactions set reference_id = '${id}' ${where}`);
  const misses = await missesAfter(
    () => change("pay_00000000000000"),
    () => change(String(paid.reference_id)),
  );
  match(misses, new RegExp(`^${paid.reference_id} has 0 entries`, "m"));
  match(misses, /^pay_00000000000000 was credited, and Razorpay does not hold it$/m);
  // The books themselves say so as well.
  match(misses, /: .*pay_00000000000000/);
});

Deno.test("an event that never arrived is noticed", async () => {
  const { type, data } = at(listener.arrivals, -1);
  const misses = await missesIn(({ arrived }) => ({
    arrived: new Set([...arrived].filter((id) => id !== data.event_id)),
  }));
  strictEqual(misses, `${type} ${data.event_id} has not arrived`);
});

Deno.test("an adjustment, and the end of a reservation, that the bot is not told of is noticed", async () => {
  const { phone, credits } = acknowledged("adjustment");
  const [adjusted] = await backend.sql`
    select e.id from public.events e
    join public.identities i on i.user_id = e.user_id and i.value = ${phone}
    where e.data ->> 'source' = 'adjustment' and e.data ->> 'credits_added' = ${String(credits)}
    limit 1`;
  const [expired] = await backend.sql`
    select e.id, e.data ->> 'reference_id' as reference_id from public.events e
    join public.holds h on h.reference_id = e.data ->> 'reference_id'
    where e.type = 'hold.expired' and h.state = 'expired' limit 1`;
  ok(adjusted && expired);
  const rename = (id: string, from: string, to: string) =>
    asSuperuser(
      `update public.events set data = replace(data::text, '${from}', '${to}')::jsonb where id = '${id}'`,
    );
  const misses = await missesAfter(
    async () => {
      await rename(adjusted.id, "adjustment", "elsewhere");
      await rename(expired.id, expired.reference_id, "another");
    },
    async () => {
      await rename(adjusted.id, "elsewhere", "adjustment");
      await rename(expired.id, "another", expired.reference_id);
    },
  );
  match(misses, /^adjustment \S+ \d+ was done (\d+) times and told of \d+ times$/m);
  match(
    misses,
    new RegExp(`^the end of ${expired.reference_id} is not told of, or not once$`, "m"),
  );
});

Deno.test("an event with a wrong signature is noticed", async () => {
  const response = await fetch(listener.url, { method: "POST", body: "{}" });
  await response.body?.cancel();
  strictEqual(await missesIn(), "POST {}");
  listener.unsigned.pop();
});

Deno.test("a repeated call that gets another answer is noticed", async () => {
  const entry = acknowledged("adjustment");
  const { answer } = entry;
  ok(answer);
  const misses = await missesAfter(
    () => entry.answer = { ...answer, message: "Something else" },
    () => entry.answer = answer,
  );
  match(misses, new RegExp(`^adjustment ${entry.reference} was repeated: `, "m"));
});

testOfTests("a backend that refuses whatever it is asked for is noticed", async () => {
  const { definition } = one(
    await backend.sql`select pg_get_functiondef('public.deduct_credits'::regproc) as definition`,
  );
  const misses = await missesAfter(
    () =>
      breakRule(backend.sql, "public.deduct_credits", [
        ["u.credits - u.held_credits - u.debt_credits >= p.credits", "false"],
        ["v_price.credits > remaining_credits", "true"],
      ]),
    () => backend.sql.unsafe(String(definition)),
  );
  match(misses, /^\S+ cannot spend a credit: INSUFFICIENT_CREDITS$/m);
  match(misses, /^deduction another-\S+: refused 1 of at least \d+ credits$/m);
});

testOfTests("a reconciler that fails after the load is noticed", async () => {
  const { definition } = one(
    await backend.sql`
    select pg_get_functiondef('public.claim_orders_to_check'::regproc) as definition`,
  );
  const misses = await missesAfter(
    () => breakRule(backend.sql, "public.claim_orders_to_check", [["limit $1", "limit $1 / 0"]]),
    () => backend.sql.unsafe(String(definition)),
    { settleMs: 1_000 },
  );
  match(misses, /^reconcile-payments answered 500 /m);
});

/**
 * The surprises of another load, on a backend whose function `name` breaks a rule, once there are some. The
 * first load's journal knows nothing of what this one does, so no check of it may follow.
 */
async function surprisesOf(
  name: string,
  breaks: Breaks,
  { callers }: { callers: number },
): Promise<readonly string[]> {
  const { definition } = one(
    await backend.sql`select pg_get_functiondef(${name}::regproc) as definition`,
  );
  await breakRule(backend.sql, name, breaks);
  try {
    const { journal: { surprises }, throwIfFailed, stop } = await startLoad(target, {
      seed: ++lastSeed,
      callers,
      restMs: 5,
      cutRate: 0,
      forgottenAfterSeconds: 3_600,
    });
    await until("somebody was surprised", () => {
      throwIfFailed();
      return Promise.resolve(surprises.length > 0);
    });
    await stop();
    return surprises;
  } finally {
    await backend.sql.unsafe(String(definition));
  }
}

testOfTests("somebody with a first contact and no profile is noticed", async () => {
  const [surprise = ""] = await surprisesOf("public.get_user", [
    ["u.id = get_user.link_user_id and u.erased_at is not null", "get_user.caller_address <> ''"],
    // The first people are enough, and nobody can do anything else.
  ], { callers: 0 });
  match(surprise, /^the profile of \+\d+: 401 INVALID_PROOF /);
});

testOfTests("a link that was handed out and that Razorpay does not hold is noticed", async () => {
  const [surprise = ""] = await surprisesOf("public.attach_payment_link", [
    ["return query select o.short_url", "return query select o.short_url || '-another'"],
  ], { callers: 8 });
  match(surprise, /^payment link \S+: Razorpay does not hold \S+-another$/);
});

/** A journal of one person, and what becomes of calls. */
function startJournal() {
  const journal = new Journal();
  const call = { as: "bot", path: "" } as const;
  const begin = (kind: Kind, reference: string, credits: number) =>
    journal.begin({ kind, phone: "+919800000000", reference, credits, call });
  const answer = (entry: Entry, status: string, code?: string) =>
    journal.answer(entry, {
      httpStatus: 200,
      status,
      message: "",
      code,
      data: {},
      isReplay: false,
    });
  const done = (...call: Parameters<typeof begin>) => answer(begin(...call), "SUCCESS");
  const refused = (...call: Parameters<typeof begin>) =>
    answer(begin(...call), "INSUFFICIENT_CREDITS");
  return { journal, begin, answer, done, refused };
}

Deno.test("a refusal is unfounded if what was acknowledged before would have done", () => {
  const { journal, done, refused } = startJournal();
  refused("deduction", "nothing-yet", 1);
  done("first contact", "", 3);
  refused("deduction", "too-much", 4);
  deepStrictEqual(journal.unfounded, []);
  refused("deduction", "enough", 3);
  deepStrictEqual(journal.unfounded, [
    "deduction enough: refused 3 of at least 3 credits",
  ]);
});

Deno.test("a refusal is not unfounded if a call under way, unanswered or open may have come before", () => {
  const { journal, begin, answer, done, refused } = startJournal();
  done("first contact", "", 3);
  const early = begin("deduction", "early", 3);
  const late = begin("reservation", "late", 3);
  answer(late, "SUCCESS");
  answer(early, "INSUFFICIENT_CREDITS");
  refused("deduction", "while-reserved", 1);
  // Its end may have come after the refusal.
  const during = begin("deduction", "during", 3);
  done("release", "late", 3);
  answer(during, "INSUFFICIENT_CREDITS");
  begin("deduction", "unheard", 1);
  refused("deduction", "after-unheard", 3);
  deepStrictEqual(journal.unfounded, []);
  refused("deduction", "less", 2);
  strictEqual(journal.unfounded.length, 1);
  strictEqual(journal.refused().length, 5);
  done("reservation", "partly", 2);
  done("capture", "partly", 1);
  refused("deduction", "after-capture", 1);
  strictEqual(journal.unfounded.length, 2);
});

Deno.test("too many reservations are as many as may be open", () => {
  const { journal, begin, answer, done } = startJournal();
  const refuse = (reference: string) =>
    answer(begin("reservation", reference, 1), "ERROR", "TOO_MANY_HOLDS");
  for (let hold = 0; hold < MAX_OPEN_HOLDS; hold++) done("reservation", String(hold), 1);
  refuse("one-too-many");
  deepStrictEqual(journal.unfounded, []);
  done("release", "0", 1);
  refuse("room-for-one");
  deepStrictEqual(journal.unfounded, [
    `reservation room-for-one: refused, and at most ${MAX_OPEN_HOLDS - 1} were open`,
  ]);
});
