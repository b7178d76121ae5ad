/**
 * A database of the first version is brought up to date while a bot keeps deducting: nothing that was
 * acknowledged is lost, no call waits for long, the books are right, and the schema is that of a new
 * database.
 *
 * The database is filled by the SQL functions of the first version, which never change, however the code
 * above them does. Then every later migration is applied, and one of this test's own, so that there is
 * always at least one.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import type postgres from "postgres";
import { z } from "zod";
import { filledTables, listDifferences } from "../../local/postgres/schema-difference.ts";
import { runSupabase } from "../../local/postgres/supabase-cli.ts";
import { startDataApi } from "../../local/stack/data-api.ts";
import { functionEnvironment } from "../../local/stack/environment.ts";
import { deferFunctions } from "../../local/stack/functions.ts";
import { startGateway } from "../../local/stack/gateway.ts";
import { generateSecrets, sessionKeys } from "../../local/stack/secrets.ts";
import { setEnvironment } from "../../local/stack/stack.ts";
import { REPOSITORY } from "../../local/system/settings.ts";
import { assertBooksAreRight } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from "../support/database.ts";
import { balancesOf, capture, deduct, release, reserve } from "../support/sql-bot.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { newId, newOrderId, newPaymentId } from "../support/razorpay-ids.ts";
import { first, one } from "../support/lists.ts";

/** The version of the first migration. Databases at this version exist, so it never changes. */
const FIRST_VERSION = "20261125222815";

/** The lock_timeout of the functions. */
const LOCK_TIMEOUT_MS = 3_000;

const BOTS = 6;

/** The name of the tests' own migration, which comes after all others. */
const CHANGE = "29991231000000_change_of_the_upgrade_test.sql";

const supabase = join(REPOSITORY, "supabase");

/** A deduction whose success the bot was told. */
interface Acknowledged {
  phone: string;
  reference: string;
  remaining: number;
}

/** What a bot has seen. */
interface BotReport {
  acknowledged: Acknowledged[];
  /** How many calls waited for a lock until lock_timeout ended them. */
  lockTimeouts: number;
}

/** Makes a folder that the CLI takes for the project, with the given migrations in it. */
async function makeProject(migrations: Record<string, string>): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "whatsapp-credits-upgrade-" });
  await Deno.mkdir(join(folder, "supabase/migrations"), { recursive: true });
  for (const file of ["config.toml", "seed.sql"]) {
    await Deno.copyFile(join(supabase, file), join(folder, "supabase", file));
  }
  for (const [name, text] of Object.entries(migrations)) {
    await Deno.writeTextFile(join(folder, "supabase/migrations", name), text);
  }
  return folder;
}

async function push({ url }: TestDatabase, migrations: Record<string, string>): Promise<void> {
  const folder = await makeProject(migrations);
  try {
    const args = ["db", "push", "--include-seed", "--yes", "--workdir", folder];
    const { success, output } = await runSupabase(args, url);
    ok(success, output);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function readMigrations(): Promise<Record<string, string>> {
  const migrations: Record<string, string> = {};
  for await (const { name } of Deno.readDir(join(supabase, "migrations"))) {
    migrations[name] = await Deno.readTextFile(join(supabase, "migrations", name));
  }
  return migrations;
}

/** Changes what every deduction uses: its function, and the table of balances with its indexes. */
async function migrationOfThisTest({ sql }: TestDatabase): Promise<string> {
  const { definition } = one(
    await sql<{ definition: string }[]>`
    select pg_get_functiondef('public.deduct_credits'::regproc) as definition`,
  );
  return `
    set local lock_timeout = '2s';
    alter table public.users add column language text not null default 'en';
    create index users_by_language on public.users (language);
    ${definition.replace("\ndeclare", "\n-- Changed by a migration.\ndeclare")};
    insert into public.rate_limits (action, scope, max_count, window_seconds)
    values ('create_user', 'phone', 10, 3600);`;
}

/** Buys credits and returns the payment's id. */
async function buy(sql: postgres.Sql, phone: string, packageId: string): Promise<string> {
  const { order_id } = one(
    await sql`
    select order_id from public.place_order(
      package_id => ${packageId}, key_mode => 'test', phone_number => ${phone}
    )`,
  );
  const razorpayOrderId = newOrderId();
  await sql`select public.attach_razorpay_order(${order_id}, ${razorpayOrderId})`;
  const paymentId = newPaymentId();
  await settle(sql, razorpayOrderId, paymentId);
  return paymentId;
}

/** Reports a captured payment with the amount of its order, or another status, amount or reversal. */
async function settle(
  sql: postgres.Sql,
  razorpayOrderId: string,
  paymentId: string,
  { status = "captured", paise, reversals = [] }: {
    status?: string;
    paise?: number;
    reversals?: Record<string, string | number | boolean>[];
  } = {},
): Promise<string> {
  const { outcome } = one(
    await sql`
    select s.outcome from public.payment_orders o, public.settle_payment(
      o.razorpay_order_id, ${paymentId}, ${status},
      coalesce(${paise ?? null}::integer, o.amount_paise), 'INR', ${sql.json(reversals)}
    ) s
    where o.razorpay_order_id = ${razorpayOrderId}`,
  );
  return outcome;
}

/** Reports a reversal of a payment that has paid its order. */
async function reverse(
  sql: postgres.Sql,
  paymentId: string,
  kind: "refund" | "dispute",
  status: string,
  share = 1,
): Promise<void> {
  const { razorpay_order_id, amount_paise } = one(
    await sql`
    select razorpay_order_id, amount_paise from public.payment_orders
    where razorpay_payment_id = ${paymentId}`,
  );
  await settle(sql, razorpay_order_id, paymentId, {
    reversals: [{
      id: newId(kind === "refund" ? "rfnd" : "disp"),
      kind,
      status,
      amount_paise: Math.floor(amount_paise * share),
      is_money_gone: status === "processed" || status === "lost",
      reported_at: new Date().toISOString(),
    }],
  });
}

/** What is expected of a database after the update. */
interface Filling {
  /** The number of an account into which one was merged that still has something. */
  readonly gaining: string;
  /** Whose each order is: its order's id, and the number of its user. */
  readonly owners: Map<string, string>;
  /** Razorpay's ids of orders that are still to be paid, with the number that gets the credits. */
  readonly unpaid: Map<string, string>;
  /** What was charged for a reference, by the number or WhatsApp user id that repeats the call. */
  readonly charged: Acknowledged[];
  /** The number of a user with a debt. */
  readonly indebted: string;
}

/** Fills a database of the first version with everything that can occur in it. */
async function fill(sql: postgres.Sql): Promise<Filling> {
  const pending = newPhoneNumber();
  const open = newPhoneNumber();
  const paid = newPhoneNumber();
  const refunded = newPhoneNumber();
  const indebted = newPhoneNumber();
  const disputed = newPhoneNumber();
  const twice = newPhoneNumber();
  const wrong = newPhoneNumber();
  const charged: Acknowledged[] = [];
  for (const phone of [pending, open, paid, refunded, indebted, disputed, twice, wrong]) {
    await sql`select public.get_user(${phone})`;
    const reference = `job-${phone}`;
    await sql`select public.deduct_credits(${phone}, 1, ${reference})`;
    await sql`select public.deduct_credits(${phone}, 1)`;
    charged.push({ phone, reference, remaining: 2 });
  }
  await sql`select public.deduct_credits(null, 1, 'first', 'IN.1234567890')`;

  await sql`
    select public.place_order('starter', 'test', 'checkout', 'reference', ${pending})`;
  const { order_id: link } = one(
    await sql`
    select order_id from public.place_order('pro', 'test', 'link', null, ${pending})`,
  );
  await sql`
    select public.attach_payment_link(${link}, ${newId("plink")}, 'https://rzp.io/i/x',
      clock_timestamp() + interval '1 hour')`;
  const openOrder = async (phone: string) => {
    const { order_id } = one(
      await sql`
      select order_id from public.place_order('starter', 'test', phone_number => ${phone})`,
    );
    const attached = await sql`
      select public.attach_razorpay_order(${order_id}, ${newOrderId()}) as id`;
    return one(attached).id;
  };
  strictEqual(
    await settle(sql, await openOrder(open), newPaymentId(), { status: "failed" }),
    "not_captured",
  );
  strictEqual(
    await settle(sql, await openOrder(wrong), newPaymentId(), { paise: 100 }),
    "amount_mismatch",
  );
  const paidTwice = await openOrder(twice);
  strictEqual(await settle(sql, paidTwice, newPaymentId()), "settled");
  strictEqual(await settle(sql, paidTwice, newPaymentId()), "paid_by_another_payment");
  await buy(sql, paid, "popular");
  await reverse(sql, await buy(sql, refunded, "starter"), "refund", "processed", 0.5);
  await reverse(sql, await buy(sql, refunded, "popular"), "refund", "pending");
  const spent = await buy(sql, indebted, "starter");
  await sql`select public.deduct_credits(${indebted}, 15)`;
  await reverse(sql, spent, "refund", "processed");
  await reverse(sql, await buy(sql, disputed, "starter"), "dispute", "lost");
  await reverse(sql, await buy(sql, disputed, "popular"), "dispute", "open");

  await sql`
    select public.merge_users(a.user_id, b.user_id)
    from public.get_user(${open}) a, public.get_user(${paid}) b`;
  // Each of these has charged one reference, and one a reference that looks like an entry of ours.
  const [gone, staying] = [newPhoneNumber(), newPhoneNumber()];
  for (const [phone, credits] of [[gone, 2], [staying, 1]] as const) {
    await sql`select public.deduct_credits(${phone}, ${credits}, 'both')`;
  }
  await sql`select public.deduct_credits(${staying}, 1, 'welcome')`;
  await sql`
    select public.merge_users(a.user_id, b.user_id)
    from public.get_user(${gone}) a, public.get_user(${staying}) b`;
  for (const phone of [gone, staying]) {
    charged.push({ phone, reference: "both", remaining: 2 });
    charged.push({ phone, reference: "welcome", remaining: 1 });
  }

  await sql`
    select public.finish_webhook(public.receive_webhook('event', 'payment.captured', '{}'), 'settled')`;
  const unpaid = new Map<string, string>();
  for (const phone of [open, paid, newPhoneNumber()]) unpaid.set(await openOrder(phone), phone);
  await assertBooksAreRight(sql);
  unpaid.set(await leaveBehind(sql, paid), paid);
  const byId = one(
    await sql`
    select order_id from public.place_order('starter', 'test', 'link', 'by id', null, 'IN.1234567890')`,
  );
  await sql`select public.attach_razorpay_order(${byId.order_id}, 'order_of_an_id0')`;
  const orders = await sql`
    select o.id, coalesce(home.phone_number, 'IN.1234567890') as owner
    from public.payment_orders o
    join public.users u on u.id = o.user_id
    join public.users home on home.id = coalesce(u.merged_into, u.id)`;
  await sql`select public.receive_webhook('cut off', 'payment.failed', '{}')`;
  await sql`
    select public.record_operator_action(id, 'Asha', 'The customer called', 'settled')
    from public.payment_orders where razorpay_order_id = ${paidTwice}`;
  await sql`select public.count_wrong_secret('203.0.113.7')`;
  return {
    gaining: paid,
    owners: new Map(orders.map(({ id, owner }) => [id, owner])),
    unpaid: unpaid.set("order_of_an_id0", "IN.1234567890"),
    charged,
    indebted,
  };
}

/**
 * Does what the first version could do when calls waited for a merge: a merged account has an identity,
 * credits, a paid order and one to be paid, whose id is returned.
 */
async function leaveBehind(sql: postgres.Sql, into: string): Promise<string> {
  const phone = newPhoneNumber();
  const { from_id, into_id } = one(
    await sql`
    select a.user_id as from_id, b.user_id as into_id
    from public.get_user(${phone}) a, public.get_user(${into}) b`,
  );
  await buy(sql, phone, "starter");
  const { order_id } = one(
    await sql`select order_id from public.place_order('pro', 'test', phone_number => ${phone})`,
  );
  const id = newOrderId();
  await sql`select public.attach_razorpay_order(${order_id}, ${id})`;
  await sql`
    update public.users set merged_into = ${into_id}, phone_number = null where id = ${from_id}`;
  return id;
}

/** Fails unless every order is where it belongs, and a payment for an older order reaches its user. */
async function assertOrdersAreWhose(
  sql: postgres.Sql,
  { owners, unpaid }: Filling,
): Promise<void> {
  const rows = await sql`
    select o.id, o.state, coalesce(u.phone_number, i.value) as owner, o.user_id as paid_to, u.merged_into
    from public.payment_orders o
    join public.users u on u.id = coalesce(
      o.user_id, private.find_user_id(o.phone_number, o.whatsapp_user_id))
    left join public.identities i on i.user_id = u.id and u.phone_number is null`;
  const found = new Map(rows.map(({ id, owner }) => [id, owner]));
  for (const [id, owner] of owners) strictEqual(found.get(id), owner);
  for (const { state, paid_to, merged_into } of rows) {
    strictEqual(paid_to !== null, state === "paid");
    strictEqual(merged_into, null);
  }
  for (const [razorpayOrderId, owner] of unpaid) {
    const balance = async () =>
      one(
        await sql`
        select u.credits from public.identities i join public.users u on u.id = i.user_id
        where i.value = ${owner}`,
      ).credits;
    const { credits } = one(
      await sql`
      select credits from public.payment_orders where razorpay_order_id = ${razorpayOrderId}`,
    );
    const before = await balance();
    strictEqual(await settle(sql, razorpayOrderId, newPaymentId()), "settled");
    strictEqual(await balance(), before + credits);
  }
}

/**
 * Fails unless references from before are still charged, whoever of two that were merged repeats the
 * call, and whichever function it calls.
 */
async function assertChargesAreKnown(sql: postgres.Sql, { charged }: Filling): Promise<void> {
  const before = await ledger(sql);
  for (const { phone, reference, remaining } of charged) {
    const who = { phone };
    const again = await deduct(sql, who, reference, { credits: 1 });
    deepStrictEqual([again.outcome, again.remaining_credits], ["replayed", remaining]);
    strictEqual((await deduct(sql, who, reference)).outcome, "replayed");
    strictEqual((await deduct(sql, who, reference, { credits: 2 })).outcome, "reference_reused");
    strictEqual((await reserve(sql, who, reference)).outcome, "reference_reused");
    strictEqual((await capture(sql, who, reference, { credits: 1 })).outcome, "replayed");
    strictEqual((await release(sql, who, reference)).outcome, "hold_captured");
  }
  deepStrictEqual(await ledger(sql), before);
}

/** Fails unless a user with a debt pays it, and can then reserve what is left. */
async function assertDebtIsPaid(sql: postgres.Sql, { indebted }: Filling): Promise<void> {
  const who = { phone: indebted };
  const { debt } = await balancesOf(sql, who);
  ok(debt > 0);
  strictEqual((await reserve(sql, who, "after the update")).outcome, "insufficient_credits");
  await buy(sql, indebted, "popular");
  const left = 75 - debt;
  deepStrictEqual(await balancesOf(sql, who), { credits: left, held: 0, debt: 0, remaining: left });
  strictEqual((await reserve(sql, who, "after the update")).remaining_credits, left - 1);
}

/** Which users know that an account was merged into them. */
async function haveMerged(sql: postgres.Sql): Promise<string[]> {
  const rows = await sql`select id from public.users where has_merged order by id`;
  return rows.map(({ id }) => id);
}

/** The indexes of the ledger that PostgreSQL uses, each as its definition. */
async function keysOfTheLedger(sql: postgres.Sql): Promise<string[]> {
  const rows = await sql`
    select pg_get_indexdef(i.indexrelid) as definition from pg_catalog.pg_index i
    where i.indrelid = 'public.credit_transactions'::regclass and i.indisvalid
    order by definition`;
  return rows.map(({ definition }) => definition);
}

/** Sums up what the database holds, to prove that the filling did its work. */
async function contents(sql: postgres.Sql): Promise<Record<string, unknown>> {
  const row = one(
    await sql`
    select
      (select array_agg(distinct state order by state) from public.payment_orders) as states,
      (select array_agg(distinct flag order by flag) from public.payments where flag <> '') as flags,
      (select array_agg(distinct source order by source) from public.credit_transactions) as sources,
      (select array_agg(distinct kind order by kind) from public.payment_reversals) as reversals,
      (select count(*)::int from public.users where merged_into is not null) as merged,
      (select count(*)::int from public.users where debt_credits > 0) as indebted`,
  );
  return { ...row };
}

/** The entries of the ledger, each as one text. */
async function ledger(sql: postgres.Sql): Promise<string[]> {
  const rows = await sql`
    select concat_ws(' ', id, user_id, sequence_number, action, credits, source, reference_id,
      balance_after, extract(epoch from created_at)) as entry
    from public.credit_transactions order by user_id, sequence_number`;
  return rows.map(({ entry }) => entry);
}

/**
 * Deducts one credit after another until told to stop, and repeats what failed. A migration is applied
 * before the functions that need it are deployed, so the calls are those of the first version's
 * functions, whatever the functions of today send.
 */
async function runBot(
  client: SupabaseClient,
  phone: string,
  stop: AbortSignal,
): Promise<BotReport> {
  const report: BotReport = { acknowledged: [], lockTimeouts: 0 };
  while (!stop.aborted) {
    const reference = randomUUID();
    const started = performance.now();
    for (;;) {
      const { data, error } = await client.rpc("deduct_credits", {
        phone_number: phone,
        credits: 1,
        reference_id: reference,
      });
      if (error === null) {
        const { outcome, remaining_credits: remaining } = one(deductions.parse(data));
        match(outcome, /^(deducted|replayed)$/);
        report.acknowledged.push({ phone, reference, remaining });
        break;
      }
      // The only failures that an update may cause, and neither may last.
      ok([LOCK_NOT_AVAILABLE, STALE_PLAN].includes(error.code), `${error.code}: ${error.message}`);
      ok(performance.now() - started < 2 * LOCK_TIMEOUT_MS, error.message);
      if (error.code === LOCK_NOT_AVAILABLE) report.lockTimeouts++;
    }
    await delay(10);
  }
  return report;
}

/** A lock was not available in time. */
const LOCK_NOT_AVAILABLE = "55P03";

/** The connection had prepared its statement before the migration gave the function another result. */
const STALE_PLAN = "0A000";

const deductions = z.array(z.object({ outcome: z.string(), remaining_credits: z.int() }));

/**
 * Runs `act` while bots use the database, those of `phones` among them. Afterwards the functions of today serve each bot's user once.
 */
async function whileBotsRun(
  database: TestDatabase,
  act: () => Promise<void>,
  phones: string[] = [],
): Promise<BotReport[]> {
  await using parts = new AsyncDisposableStack();
  const secrets = await generateSecrets();
  const dataApi = await startDataApi({ databaseUrl: database.url, ...secrets });
  parts.defer(() => dataApi.close());
  const gateway = startGateway({ port: 0, dataApi, functions: await deferFunctions() });
  parts.defer(() => gateway.stop());
  setEnvironment(functionEnvironment({
    SUPABASE_URL: gateway.url,
    SUPABASE_PUBLISHABLE_KEY: secrets.publishableKey,
    SUPABASE_SECRET_KEY: secrets.secretKey,
    DATABASE_URL: database.url,
    BOT_SECRET: secrets.botSecret,
    RAZORPAY_KEY_ID: secrets.razorpayKeyId,
    RAZORPAY_KEY_SECRET: secrets.razorpayKeySecret,
    RAZORPAY_WEBHOOK_SECRET: secrets.razorpayWebhookSecret,
    ERASURE_SECRET: secrets.erasureSecret,
    RAZORPAY_API_URL: gateway.url,
    EVENTS_SECRET: secrets.eventsSecret,
    FRONTEND_URL: "http://127.0.0.1:54324/",
    CONSOLE_ORIGIN: "http://127.0.0.1:54325",
  }, { sessionKeys: sessionKeys(secrets) }));

  const served = [...phones, ...Array.from({ length: BOTS }, newPhoneNumber)];
  for (const phone of served) {
    for (let pack = 0; pack < 4; pack++) await buy(database.sql, phone, "pro");
  }
  const client = createClient(gateway.url, secrets.secretKey, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  const stop = new AbortController();
  const bots = Promise.all(served.map((phone) => runBot(client, phone, stop.signal)));
  const work = async () => {
    await delay(300);
    await act();
    await delay(300);
  };
  try {
    // A bot that fails ends the wait for the work.
    await Promise.race([bots, work()]);
  } finally {
    stop.abort();
  }
  const reports = await bots;
  for (const { acknowledged } of reports) {
    const { phone } = first(acknowledged);
    const reference = randomUUID();
    const body = { phone_number: phone, reference_id: reference };
    const { remaining_credits } = dataOf(await call("POST", "bot-deduct", { body }));
    acknowledged.push({ phone, reference, remaining: Number(remaining_credits) });
  }
  return reports;
}

/** Makes a database of the first version. */
async function createFirstVersion(migrations: Record<string, string>): Promise<TestDatabase> {
  const first = Object.entries(migrations).filter(([name]) => name.startsWith(FIRST_VERSION));
  strictEqual(first.length, 1);
  const database = await createEmptyDatabase(false);
  await push(database, Object.fromEntries(first));
  return database;
}

Deno.test("a database of the first version is brought up to date while deductions go on", async () => {
  const migrations = await readMigrations();
  const [old, fresh] = [await createFirstVersion(migrations), await createTestDatabase()];
  try {
    const filling = await fill(old.sql);
    deepStrictEqual(await contents(old.sql), {
      states: ["open", "paid", "pending"],
      flags: ["amount_mismatch", "second_payment"],
      sources: ["dispute", "image_generation", "merge", "payment", "refund", "system"],
      reversals: ["dispute", "refund"],
      merged: 3,
      indebted: 1,
    });
    const before = await ledger(old.sql);
    const change = await migrationOfThisTest(fresh);
    await fresh.sql.begin((sql) => sql.unsafe(change));

    // One bot spends from the account to which the update brings what a merged one still has. The two
    // must not wait for each other.
    const { gaining } = filling;
    const earlier = await entriesOf(old.sql, gaining);
    let meanwhile = 0;
    const reports = await whileBotsRun(old, async () => {
      meanwhile -= await countDeductions(old.sql);
      await push(old, { ...migrations, [CHANGE]: change });
      meanwhile += await countDeductions(old.sql);
    }, [gaining]);

    ok(meanwhile > BOTS, `only ${meanwhile} deductions during the update`);
    deepStrictEqual(
      await listDifferences(old.url, fresh.url, await filledTables(fresh.url)),
      [],
    );
    deepStrictEqual(await keysOfTheLedger(old.sql), await keysOfTheLedger(fresh.sql));
    const intoWhom = await old.sql`
      select distinct merged_into as id from public.users where merged_into is not null order by id`;
    deepStrictEqual(await haveMerged(old.sql), intoWhom.map(({ id }) => id));
    await assertBooksAreRight(old.sql);
    await assertChargesAreKnown(old.sql, filling);
    await assertDebtIsPaid(old.sql, filling);
    await assertOrdersAreWhose(old.sql, filling);
    await assertBooksAreRight(old.sql);
    const after = new Set(await ledger(old.sql));
    deepStrictEqual(before.filter((entry) => !after.has(entry)), []);
    for (const { acknowledged, lockTimeouts } of reports) {
      strictEqual(lockTimeouts, 0, "a deduction waited too long for a lock");
      const { phone } = first(acknowledged);
      deepStrictEqual(
        await entriesOf(old.sql, phone),
        phone === gaining ? [...earlier, ...acknowledged] : acknowledged,
      );
    }
  } finally {
    await Promise.all([old.drop(), fresh.drop()]);
  }
});

/** From this version on, an order knows whether a reference led to it. */
const ORDERS_KNOW_REFERENCES = "20261126113350";

Deno.test("an order whose call has begun before the update and ends after it keeps its reference", async () => {
  const migrations = await readMigrations();
  const database = await createEmptyDatabase(false);
  const { sql } = database;
  const caller = await sql.reserve();
  try {
    const before = Object.entries(migrations).filter(([name]) => name < ORDERS_KNOW_REFERENCES);
    await push(database, Object.fromEntries(before));
    const phone = newPhoneNumber();
    await sql`select public.get_user(${phone})`;
    // So that the call waits for as long as the update takes, however slow this machine is.
    await sql`alter function public.place_order reset lock_timeout`;
    const { pid } = one(await caller<{ pid: number }[]>`select pg_backend_pid() as pid`);
    const parts: Promise<unknown>[] = [];
    await sql.begin(async (holder) => {
      // Without a parameter, so that nothing is left of the statement but its lock: an index would wait for
      // a snapshot of this transaction, too, which lasts for as long as the call.
      await holder.unsafe(`
        select from public.users u join public.identities i on i.user_id = u.id
        where i.value = '${phone}' for update of u`);
      parts.push(
        caller`select public.place_order('starter', 'test', 'link', 'wamid.1', ${phone})`.execute(),
      );
      await until(sql, "select pg_blocking_pids($1) <> '{}' as holds", pid);
      parts.push(push(database, migrations));
      // An index that is built afterwards, while the database is in use, waits for the call.
      await Promise.race([
        ...parts,
        until(
          sql,
          `select exists (
            select from supabase_migrations.schema_migrations
            where version = '${ORDERS_KNOW_REFERENCES}'
          ) and exists (
            select from pg_catalog.pg_stat_activity a where $1 = any (pg_blocking_pids(a.pid))
          ) as holds`,
          pid,
        ),
      ]);
      const { references } = one(
        await sql`select count(*)::int as references from public.order_references`,
      );
      strictEqual(references, 0, "the call is over too early");
    });
    await Promise.all(parts);
    await assertBooksAreRight(sql);
    // Nobody tries to pay it.
    await sql`update public.payment_orders set created_at = created_at - interval '31 days'`;
    const { deleted } = one(await sql`select public.delete_abandoned_orders() as deleted`);
    strictEqual(deleted, 0);
  } finally {
    caller.release();
    await database.drop();
  }
});

Deno.test("a migration that keeps others waiting is noticed", async () => {
  const migrations = await readMigrations();
  const old = await createFirstVersion(migrations);
  try {
    const change = `
      alter table public.users add column language text;
      select pg_sleep(${LOCK_TIMEOUT_MS / 1_000 + 1.5});`;
    const reports = await whileBotsRun(old, () => push(old, { ...migrations, [CHANGE]: change }));
    for (const { acknowledged, lockTimeouts } of reports) {
      ok(lockTimeouts > 0, "no deduction waited too long for a lock");
      // Slow, and safe all the same.
      deepStrictEqual(await entriesOf(old.sql, first(acknowledged).phone), acknowledged);
    }
  } finally {
    await old.drop();
  }
});

/** Waits until `condition`, asked again and again, returns that it holds. */
async function until(sql: postgres.Sql, condition: string, ...parameters: (string | number)[]) {
  while (!one(await sql.unsafe<{ holds: boolean }[]>(condition, parameters)).holds) {
    await delay(10);
  }
}

/** The deductions of a user in the ledger, as the bot should have seen them. */
async function entriesOf(sql: postgres.Sql, phone: string): Promise<Acknowledged[]> {
  const rows = await sql<{ reference: string; remaining: number }[]>`
    select t.reference_id as reference, t.balance_after as remaining
    from public.credit_transactions t
    join public.identities i on i.user_id = t.user_id
    where i.value = ${phone} and t.source = 'image_generation'
    order by t.sequence_number`;
  return rows.map((row) => ({ phone, ...row }));
}

async function countDeductions(sql: postgres.Sql): Promise<number> {
  const { count } = one(
    await sql`
    select count(*)::int from public.credit_transactions where source = 'image_generation'`,
  );
  return count;
}
