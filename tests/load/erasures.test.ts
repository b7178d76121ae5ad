/**
 * People who are erased while everything happens to them: first contacts, deductions, holds, links,
 * orders, payments, refunds, merges and a second erasure. Whatever comes too late finds a stranger, and
 * nothing is left on the account that is gone. Copies of the functions that do not look again after they
 * have waited have to fail the same race.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { AssertionError } from "node:assert";
import { randomUUID } from "node:crypto";
import type postgres from "postgres";
import { assertBooksAreRight } from "../support/backend.ts";
import { openConnections, waitingForLocks } from "../support/connections.ts";
import { type TestDatabase, withTestDatabase } from "../support/database.ts";
import { testOfTests } from "../support/mutants.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { newId, newOrderId, newPaymentId } from "../support/razorpay-ids.ts";
import { at, one } from "../support/lists.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";
import { until } from "../../local/system/until.ts";

const PAISE = 9_900;

/** A person, and the hash of each identity. What matters is that it is always the same. */
interface Person {
  readonly id: string;
  readonly phone: string;
  readonly whatsappId: string;
  readonly hashes: Readonly<Record<string, string>>;
}

type Event = (sql: postgres.ISql) => Promise<unknown>;

const newHash = () => (randomUUID() + randomUUID()).replaceAll("-", "");

async function newPerson(sql: postgres.ISql): Promise<Person> {
  const phone = newPhoneNumber();
  const whatsappId = newWhatsappId();
  const hashes = { [`phone ${phone}`]: newHash(), [`whatsapp_user_id ${whatsappId}`]: newHash() };
  const { user_id } = one(
    await sql`
    select user_id from public.get_user(${phone}, identity_hashes => ${Object.values(hashes)})`,
  );
  return { id: user_id, phone, whatsappId, hashes };
}

/** Erases somebody. Identities that have joined by a merge get their hashes in a second call. */
async function erase(
  sql: postgres.ISql,
  { id, hashes }: Pick<Person, "id" | "hashes">,
): Promise<string> {
  const { outcome, identities } = one(
    await sql<{ outcome: string; identities: string[] | null }[]>`
    select outcome, identities from public.erase_user(${id}, 'Asha', 'They asked',
      ${JSON.stringify(hashes)}::text::jsonb)`,
  );
  if (outcome !== "hashes_needed") return outcome;
  const all = Object.fromEntries(
    (identities ?? []).map((name) => [name, hashes[name] ?? newHash()]),
  );
  return await erase(sql, { id, hashes: all });
}

/** Calls again what the database has rolled back, as the functions and their callers do. */
async function repeated<Result>(act: () => Promise<Result>): Promise<Result> {
  for (let retry = 0;; retry++) {
    try {
      return await act();
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (retry === 5 || !["40P01", "40001", "55P03"].includes(String(code))) throw error;
    }
  }
}

/** Places an order and has Razorpay know it; returns Razorpay's id. */
async function order(
  sql: postgres.ISql,
  { phone, hashes }: Person,
  channel: string,
  reference: string | null = null,
): Promise<string> {
  const { order_id } = one(
    await sql`
    select order_id from public.place_order('starter', 'test', ${channel}, ${reference},
      phone_number => ${phone}, identity_hashes => ${Object.values(hashes)})`,
  );
  return one(
    await sql`select public.attach_razorpay_order(${order_id}, ${newOrderId()}) as id`,
  ).id;
}

async function settle(
  sql: postgres.ISql,
  orderId: string,
  { paymentId = newPaymentId(), reversals = [], hashes }: {
    paymentId?: string;
    reversals?: unknown[];
    hashes: Person["hashes"];
  },
): Promise<string> {
  return one(
    await sql`
    select outcome from public.settle_payment(${orderId}, ${paymentId}, 'captured', ${PAISE}, 'INR',
      ${JSON.stringify(reversals)}::text::jsonb, identity_hashes => ${Object.values(hashes)})`,
  ).outcome;
}

/** Everything that may happen to the person at once, to orders from before and to new ones. */
async function eventsOf(sql: postgres.Sql, person: Person): Promise<Event[]> {
  const { id, phone, whatsappId } = person;
  const hashes = Object.values(person.hashes);
  const [bought, paymentId] = [await order(sql, person, "checkout"), newPaymentId()];
  await settle(sql, bought, { paymentId, hashes: person.hashes });
  const open = [
    await order(sql, person, "checkout"),
    await order(sql, person, "link", "before"),
  ];
  const refund = {
    id: newId("rfnd"),
    kind: "refund",
    status: "processed",
    amount_paise: PAISE,
    is_money_gone: true,
    reported_at: new Date().toISOString(),
  };
  const other = await newPerson(sql);
  const deduct = (reference: string): Event => (sql) =>
    sql`
      select from public.deduct_credits(${phone}, 1, ${reference}, identity_hashes => ${hashes})`;
  // Released at once, because nobody is erased who has something reserved.
  const reserve = (reference: string, whatsappId: string | null): Event => async (sql) => {
    await sql`
      select from public.reserve_credits(${phone}, ${whatsappId}, ${reference}, credits => 1,
        identity_hashes => ${hashes})`;
    await sql`select from public.release_hold(${phone}, ${whatsappId}, ${reference})`;
  };
  return [
    ...open.map((orderId): Event => (sql) => settle(sql, orderId, person)),
    (sql) => settle(sql, bought, { paymentId, reversals: [refund], hashes: person.hashes }),
    async (sql) => await settle(sql, await order(sql, person, "checkout"), person),
    (sql) => order(sql, person, "link", "meanwhile"),
    deduct("job-1"),
    deduct("job-2"),
    (sql) =>
      sql`
        select from public.deduct_credits(${phone}, 1, 'job-3', ${whatsappId},
          identity_hashes => ${hashes})`,
    reserve("job-4", null),
    reserve("job-5", whatsappId),
    (sql) =>
      sql`
        select from public.get_user(${phone}, ${whatsappId}, identity_hashes => ${hashes})`,
    (sql) => erase(sql, person),
    (sql) => sql`select public.merge_users(${other.id}, ${id})`,
    (sql) => sql`select public.adjust_credits(${id}, 1, 'Asha', 'A gift', ${randomUUID()})`,
  ];
}

/** What accounts of erased people still have, which must be nothing. */
async function leftBehind(sql: postgres.Sql): Promise<string[]> {
  const rows = await sql`
    select 'identity ' || i.value as what from public.identities i
    join public.users u on u.id = i.user_id where u.erased_at is not null
    union all
    select 'order ' || o.id from public.payment_orders o
    join public.users u on u.id = o.user_id
    where u.erased_at is not null and o.erased_at is null
    union all
    select 'reference ' || r.reference_id from public.order_references r
    join public.users u on u.id = r.user_id
    where u.erased_at is not null and r.reference_id not like 'erased %'
    union all
    select 'event ' || e.id from public.events e
    join public.users u on u.id = e.user_id where u.erased_at is not null
    union all
    select 'account ' || u.id from public.users u
    join public.users n on n.id = u.merged_into
    where (u.erased_at is null) <> (n.erased_at is null)`;
  return rows.map(({ what }) => what);
}

/**
 * Erases people while everything happens to them. With `held`, the erasure is committed only when others
 * wait for it.
 */
async function race(database: TestDatabase, rounds: number): Promise<void> {
  const { sql } = database;
  const size = (await eventsOf(sql, await newPerson(sql))).length;
  await using connections = await openConnections(database.url, size);
  for (let round = 0; round < rounds; round++) {
    const person = await newPerson(sql);
    const events = await eventsOf(sql, person);
    let answered = 0;
    const happen = () =>
      connections.all(async (session, index) => {
        await repeated(() => at(events, index)(session));
        answered++;
      });
    if (round % 2 === 0) {
      const happening = Promise.withResolvers<void[]>();
      await sql.begin(async (holder) => {
        strictEqual(await erase(holder, person), "erased");
        happen().then(happening.resolve, happening.reject);
        happening.promise.catch(() => answered = size);
        await until(
          "everybody has answered or waits for the erasure",
          async () => answered + await waitingForLocks(sql) >= size,
        );
      });
      await happening.promise;
    } else {
      await Promise.all([repeated(() => erase(sql, person)), happen()]);
    }
    ok(["erased", "replayed"].includes(await erase(sql, person)));
    deepStrictEqual(await leftBehind(sql), []);
    // Whoever came back is somebody else, and was not welcomed twice.
    const returned = await sql`
      select u.is_without_welcome from public.identities i join public.users u on u.id = i.user_id
      where i.value = ${person.phone} and u.id <> ${person.id}`;
    for (const { is_without_welcome } of returned) strictEqual(is_without_welcome, true);
    strictEqual(
      one(await sql`select merged_into from public.users where id = ${person.id}`).merged_into,
      null,
    );
  }
  await assertBooksAreRight(sql);
}

Deno.test("whatever happens during an erasure happens to the person before it, or to a stranger", async () => {
  await withTestDatabase((database) => race(database, 16));
});

const MUTANTS = [
  {
    rule: "a reservation looks again after it has waited for the user",
    in: "public.reserve_credits",
    before: "and u.phone_number = reserve_credits.phone_number",
    after: "",
    race: reserveDuringErasure,
  },
  {
    rule: "a call by the bot looks again after it has waited for the user",
    in: "private.lock_user",
    before: "if num_nonnulls(v_user.merged_into, v_user.erased_at) = 0 then",
    after: "if v_user.merged_into is null then",
  },
  {
    rule: "an order of somebody erased is closed",
    in: "private.pay_order",
    before: "if v_order.erased_at is not null",
    after: "if false",
  },
  {
    rule: "an operator's action looks whether the person was erased",
    in: "private.lock_account",
    before: "if v_user.erased_at is not null then",
    after: "if false then",
  },
  {
    rule: "a merge looks whether a person was erased",
    in: "public.merge_users",
    before: "or num_nonnulls(v_from.erased_at, v_into.erased_at) > 0",
    after: "or false",
  },
  {
    rule: "an erasure looks again after it has waited",
    in: "public.erase_user",
    before: "or identities <> array(",
    after: "or false and identities <> array(",
    race: eraseDuringFirstContact,
  },
  {
    rule: "a refund is asked for before an erasure looks for it, or after the erasure",
    in: "public.ask_refund",
    before: "ask_refund.payment_id)\n  for no key update;",
    after: "ask_refund.payment_id);",
    race: askForRefundDuringErasure,
  },
];

testOfTests.each(MUTANTS)("the race notices when this rule is broken: $rule", async (mutant) => {
  await withTestDatabase(async (database) => {
    const { definition } = one(
      await database.sql<{ definition: string }[]>`
      select pg_get_functiondef(${mutant.in}::regproc) as definition`,
    );
    strictEqual(definition.split(mutant.before).length, 2, `${mutant.in}: ${mutant.before}`);
    await database.sql.unsafe(definition.replace(mutant.before, mutant.after));
    await rejects(
      mutant.race === undefined ? race(database, 8) : mutant.race(database),
      // What is left on the account, or what a constraint of the tables refuses.
      (error) =>
        error instanceof AssertionError ||
        ["22023", "23514", "40001"].includes(String((error as { code?: string }).code)),
    );
  });
});

/** Somebody's WhatsApp user id joins the account while an operator waits to erase it. */
async function eraseDuringFirstContact({ sql, url }: TestDatabase): Promise<void> {
  const person = await newPerson(sql);
  await using connections = await openConnections(url, 1);
  const erasing = Promise.withResolvers<string[]>();
  await sql.begin(async (holder) => {
    await holder`
      select from public.get_user(${person.phone}, ${person.whatsappId})`;
    connections.all((session) => repeated(() => erase(session, person)))
      .then(erasing.resolve, erasing.reject);
    erasing.promise.catch(() => {});
    await until("the erasure waits", async () => await waitingForLocks(sql) > 0);
  });
  deepStrictEqual(await erasing.promise, ["erased"]);
  deepStrictEqual(await leftBehind(sql), []);
  const { count } = one(
    await sql`select count(*)::integer as count from public.erased_identities`,
  );
  strictEqual(count, 2, "the identity that joined is recognized too");
}

Deno.test("an identity that joins the account meanwhile is erased with it", async () => {
  await withTestDatabase(eraseDuringFirstContact);
});

/** A reservation finds the account while it is being erased, and waits for it. */
async function reserveDuringErasure({ sql, url }: TestDatabase): Promise<void> {
  const person = await newPerson(sql);
  await using connections = await openConnections(url, 1);
  const reserving = Promise.withResolvers<string[]>();
  await sql.begin(async (holder) => {
    strictEqual(await erase(holder, person), "erased");
    connections.all(async (session) =>
      one(
        await session<{ outcome: string }[]>`
        select outcome from public.reserve_credits(${person.phone}, null, 'job', credits => 1,
          identity_hashes => ${Object.values(person.hashes)})`,
      ).outcome
    ).then(reserving.resolve, reserving.reject);
    reserving.promise.catch(() => {});
    await until("the reservation waits", async () => await waitingForLocks(sql) > 0);
  });
  // Of somebody else, who has been here before and is not welcomed twice.
  deepStrictEqual(await reserving.promise, ["insufficient_credits"]);
}

Deno.test("a reservation that waits for an erasure is somebody else's", async () => {
  await withTestDatabase(reserveDuringErasure);
});

/** An operator asks for a refund when an erasure has seen that nobody has, and has yet to erase. */
async function askForRefundDuringErasure({ sql, url }: TestDatabase): Promise<void> {
  const person = await newPerson(sql);
  const [bought, paymentId, reference] = [
    await order(sql, person, "checkout"),
    newId("pay"),
    randomUUID(),
  ];
  await settle(sql, bought, { paymentId, hashes: person.hashes });
  await using connections = await openConnections(url, 2);
  const answers = Promise.withResolvers<string[]>();
  let answered = 0;
  await sql.begin(async (holder) => {
    // The first rows that the erasure deletes.
    await holder`select from public.identities where user_id = ${person.id} for key share`;
    connections.all(async (session, index) => {
      if (index === 0) return await erase(session, person);
      await until("the erasure waits", async () => await waitingForLocks(sql) > 0);
      const { outcome } = one(
        await session<{ outcome: string }[]>`
        select outcome from public.ask_refund(${paymentId}, 'Asha', 'They asked', ${reference})`,
      );
      answered++;
      return outcome;
    }).then(answers.resolve, answers.reject);
    answers.promise.catch(() => answered++);
    await until(
      "the refund was asked for, or waits as well",
      async () => answered + await waitingForLocks(sql) > 1,
    );
  });
  deepStrictEqual(await answers.promise, ["erased", "asking"]);
  const { outcome } = one(
    await sql`
    select outcome from public.finish_refund(${reference}, refusal => 'Razorpay made none')`,
  );
  strictEqual(outcome, "refused");
}

Deno.test("a refund that is asked for during an erasure is finished by its reference", async () => {
  await withTestDatabase(askForRefundDuringErasure);
});
