/**
 * What operators and the scheduler call does not slow down as the tables grow: it reads by indexes. The
 * check of the books reads everything, a fixed number of times.
 *
 * The plans are those that PostgreSQL reports of the statements inside the functions as it executes them
 * (auto_explain), on tables that are large enough for it to prefer an index.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { salesReport } from "shared/contract/sales-report.ts";
import {
  analyzeBooks,
  fillBooks,
  phoneNumberOf,
  purchaseOf,
} from "../../local/bench/large-books.ts";
import { openPlanReader, type PlanNode } from "../../local/postgres/executed-plans.ts";
import { createTestDatabase } from "../support/database.ts";
import { one } from "../support/lists.ts";

const SIZE = {
  users: 20_000,
  entriesPerUser: 4,
  unpaidOrders: 30_000,
  expiredCounters: 50_000,
};

/** Rows that need attention, of each kind: few compared with all others. */
const TROUBLES = 50;

/** A number that strangers have placed very many orders for, and on a few of them a payment is under way. */
const FLOODED = 9;
const ORDERS_OF_FLOODED = 5_000;
const PENDING_ORDERS = 3;

const GROWING_TABLES = [
  "users",
  "identities",
  "credit_transactions",
  "holds",
  "payment_orders",
  "order_references",
  "payments",
  "payment_reversals",
  "webhook_deliveries",
  "operator_actions",
  "rate_counters",
  "book_checks",
  "book_violations",
  "events",
  "event_deliveries",
];

/** Where the bot is told of events, and an address with a long queue that has been paused for days. */
const BOT = "https://bot.example/events";
const PAUSED = "https://paused.example/events";
const QUEUE_OF_PAUSED = 5_000;

const database = await createTestDatabase();
const plans = await openPlanReader(database.superuserUrl);
Deno.test.afterAll(async () => {
  await plans.end();
  await database.drop();
});

await plans.sql.begin(async (sql) => {
  await sql`set local session_replication_role = replica`;
  await fillBooks(sql, SIZE);
  await addTroubles(sql);
});
await analyzeBooks(plans.sql);

/** Has some rows of each kind that list_attention looks for, and more that look like them. */
async function addTroubles(sql: postgres.ISql): Promise<void> {
  await sql`
    insert into public.webhook_deliveries
      (event_id, event, payload, razorpay_payment_id, outcome, received_at, finished_at)
    select 'trouble ' || n || outcome, 'payment.captured', '{}', 'pay_trouble' || n, outcome,
      clock_timestamp() - interval '1 hour', clock_timestamp()
    from generate_series(1, ${TROUBLES}::integer) n, unnest(array['failed', 'not_ours']) outcome`;
  await sql`
    insert into public.webhook_deliveries (event_id, event, payload, received_at)
    select 'cut off ' || n, 'payment.captured', '{}', clock_timestamp() - interval '1 hour'
    from generate_series(1, ${TROUBLES}::integer) n`;
  await sql`
    update public.payments set flag = 'second_payment'
    where id in (select id from public.payments order by id limit ${TROUBLES})`;
  await sql`
    update public.payment_reversals set credits_taken = 1, credits_owed = 1
    where id in (select id from public.payment_reversals order by id limit ${TROUBLES})`;
  await sql`
    update public.users u set debt_credits = d.credits
    from (
      select d.user_id, sum(d.credits_owed) as credits from private.debts d group by d.user_id
    ) d
    where u.id = d.user_id`;
  await sql`
    update public.payment_orders
    set tried_at = created_at, created_at = created_at - interval '1 hour'
    where id in (
      select id from public.payment_orders
      where state = 'open' and next_check_at is not null
      limit ${TROUBLES}
    )`;
  await sql`
    insert into public.rate_counters (action, scope, subject, window_ends_at, count)
    select 'create_order', 'address', 'live address ' || n, clock_timestamp() + interval '1 hour', 1
    from generate_series(1, ${SIZE.expiredCounters}::integer) n`;
  await sql`
    insert into public.book_checks (is_whole, since, before, complete_until, violation_count)
    select false, moment, moment, moment, 0
    from generate_series(1, 10000) n,
      lateral (select clock_timestamp() - (10000 - n) * interval '1 minute') m (moment)`;
  await sql`
    insert into public.book_violations (invariant, subject, detail, user_id, gone_at)
    select 'was broken', 'user ' || n, 'and is no longer', gen_random_uuid(), clock_timestamp()
    from generate_series(1, 10000) n`;
  await sql`
    insert into public.book_violations (invariant, subject, detail, user_id)
    select 'is broken', 'user ' || n, 'still', gen_random_uuid()
    from generate_series(1, ${TROUBLES}::integer) n`;
  await sql`
    insert into public.rate_counters (action, scope, subject, window_ends_at, count)
    select l.action, l.scope, 'all', clock_timestamp() + interval '1 hour', l.max_count
    from public.rate_limits l where l.scope = 'project'`;
  await addHolds(sql);
  await addEvents(sql);
  await addPendingOrders(sql);
}

async function addPendingOrders(sql: postgres.ISql): Promise<void> {
  await sql`
    insert into public.payment_orders
      (phone_number, package_id, package_name, credits, amount_paise, key_mode, channel, state,
        razorpay_order_id, opened_at, next_check_at, tried_at)
    select ${phoneNumberOf(FLOODED)}, 'starter', 'Starter', 20, 9900, 'test', 'checkout', 'open',
      'order_flood' || lpad(n::text, 9, '0'), clock_timestamp(),
      clock_timestamp() + interval '1 hour',
      case when n <= ${PENDING_ORDERS} then clock_timestamp() end
    from generate_series(1, ${ORDERS_OF_FLOODED}::integer) n`;
  await sql`
    insert into public.payments (id, order_id, status, amount_paise, currency)
    select 'pay_flood' || o.razorpay_order_id, o.id, 'authorized', 9900, 'INR'
    from public.payment_orders o
    where o.phone_number = ${phoneNumberOf(FLOODED)} and o.tried_at is not null
      and o.state = 'open'`;
}

/** Many holds that have ended, and a few of users of their own that have expired and were not ended. */
async function addHolds(sql: postgres.ISql): Promise<void> {
  await sql`
    insert into public.holds
      (user_id, reference_id, action_id, price_id, credits, state, created_at, expires_at,
        remaining_after, ended_at, remaining_after_end, balance_after_end)
    select u.id, 'ended ' || n, 'image_generation', 1, 1, 'released', u.created_at, u.created_at, 1,
      u.created_at, 1, 1
    from public.users u, generate_series(1, 2) n`;
  await sql`
    with holder as (
      update public.users u
      set held_credits = 1, open_holds = 1,
        next_hold_expiry_at = clock_timestamp() - interval '1 hour'
      where u.id in (
        select id from public.users where credits > 0 and debt_credits = 0 order by id limit ${TROUBLES}
      )
      returning u.id
    )
    insert into public.holds
      (user_id, reference_id, action_id, price_id, credits, expires_at, remaining_after)
    select h.id, 'expired', 'image_generation', 1, 1, clock_timestamp() - interval '1 hour', 1
    from holder h`;
}

/** Many events that have arrived, and a few that are to be sent, were given up, or were not seen yet. */
async function addEvents(sql: postgres.ISql): Promise<void> {
  await sql`insert into public.event_addresses (url) values (${BOT})`;
  await sql`
    insert into public.events
      (user_id, type, data, credits, remaining_credits, sequence_number, state, handed_out_at, created_at)
    select u.id, 'credits.low', '{}', 1, 1, 1, 'handed_out', clock_timestamp(),
      clock_timestamp() - interval '1 day'
    from public.users u, generate_series(1, 2)`;
  await sql`
    insert into public.event_deliveries (event_id, address_id, state, next_attempt_at, finished_at)
    select e.id, a.id,
      case when n <= ${TROUBLES} then 'pending' when n <= ${
    2 * TROUBLES
  } then 'dead' else 'delivered' end,
      case when n <= ${TROUBLES} then clock_timestamp() end,
      case when n > ${TROUBLES} then clock_timestamp() end
    from (select id, row_number() over () as n from public.events) e, public.event_addresses a`;
  await sql`
    with paused as (
      insert into public.event_addresses (url, paused_at)
      values (${PAUSED}, clock_timestamp() - interval '10 days')
      returning id
    )
    insert into public.event_deliveries (event_id, address_id, give_up_at, next_attempt_at)
    select e.id, p.id, clock_timestamp() - interval '7 days', clock_timestamp() - interval '10 days'
    from (select id from public.events limit ${QUEUE_OF_PAUSED}) e, paused p`;
  await sql`
    insert into public.events
      (user_id, type, data, credits, remaining_credits, sequence_number, created_at)
    select u.id, 'credits.low', '{}', 1, 1, 1, clock_timestamp() - interval '1 hour'
    from public.users u limit ${TROUBLES}`;
}

/** The growing tables that a plan reads from the beginning to the end. */
function tablesReadWhole(nodes: PlanNode[]): string[] {
  return nodes
    .filter((plan) => plan["Node Type"] === "Seq Scan")
    .map((plan) => plan["Relation Name"] ?? "")
    .filter((name) => GROWING_TABLES.includes(name));
}

/** How many rows a node has looked at. */
function rowsRead(plan: PlanNode): number {
  const perLoop = plan["Actual Rows"] + (plan["Rows Removed by Filter"] ?? 0) +
    (plan["Rows Removed by Join Filter"] ?? 0) + (plan["Rows Removed by Index Recheck"] ?? 0);
  return perLoop * plan["Actual Loops"];
}

const SOMEBODY = 7_000;
const { razorpayOrderId, razorpayPaymentId } = purchaseOf(SOMEBODY);
const purchase = one(
  await database.sql<{ id: string }[]>`
  select id from public.payment_orders where razorpay_order_id = ${razorpayOrderId}`,
);
const person = (index: number) =>
  `(select user_id from public.identities
    where kind = 'phone' and value = '${phoneNumberOf(index)}')`;

/** A person with the purchase, the link and some of the unpaid orders. */
const HESITANT = 17_000;
const ORDERS_OF_HESITANT = 2 + SIZE.unpaidOrders / (SIZE.users / 2);

/** What is looked up, and how many orders are found. */
const LOOK_UPS: [what: string, search: string, found: number][] = [
  ["a Razorpay order", razorpayOrderId, 1],
  ["a payment", razorpayPaymentId, 1],
  ["a refund", razorpayPaymentId.replace("pay", "rfnd"), 1],
  ["an order's id", purchase.id, 1],
  ["a receipt", purchase.id.replaceAll("-", ""), 1],
  ["a bot's reference", `reference ${SOMEBODY}`, 1],
  ["a phone number", phoneNumberOf(HESITANT), ORDERS_OF_HESITANT],
  ["a payment link", "plink_00000000000000", 0],
  ["nothing", "nothing", 0],
];

Deno.test.each(LOOK_UPS)(
  "find_payments reads no table whole to find %s",
  async (_, search, found) => {
    const { nodes, count } = await plans.execute(`select * from public.find_payments('${search}')`);
    strictEqual(count, found);
    deepStrictEqual(tablesReadWhole(nodes), []);
    for (const plan of nodes) ok(rowsRead(plan) <= 1_000, JSON.stringify(plan));
  },
);

Deno.test.each(LOOK_UPS)(
  "find_customers reads no table whole to find %s",
  async (_, search) => {
    const { nodes } = await plans.execute(
      `select * from public.find_customers('${search}', '{${search}}')`,
    );
    deepStrictEqual(tablesReadWhole(nodes), []);
    for (const plan of nodes) ok(rowsRead(plan) <= 1_000, JSON.stringify(plan));
  },
);

const CONSOLE: Record<string, string> = {
  "a customer": `select * from public.get_customer(${person(HESITANT)}, gen_random_uuid())`,
  "a page of entries": `select * from public.list_entries(${person(SOMEBODY)}, 500)`,
  "a page of actions": "select * from public.list_actions_taken(200)",
  "a page of actions on a customer": `select * from public.list_actions_taken(200, ${
    person(HESITANT)
  })`,
  "a page of an operator's actions": "select * from public.list_actions_taken(200, null, 'Bela')",
  "what an operator did to a customer": `select * from public.list_actions_taken(200, ${
    person(HESITANT)
  }, 'Asha')`,
  "a later page of actions":
    "select * from public.list_actions_taken(200, before_action_id => 10000)",
  "the books": "select * from public.list_violations()",
};

for (const [what, statement] of Object.entries(CONSOLE)) {
  // The last of them is what a worker gets that has called it before.
  for (const times of [1, 8]) {
    Deno.test(`the console reads no table whole to show ${what}, at call ${times}`, async () => {
      const { nodes, count } = await plans.execute(statement, times);
      strictEqual(count, 1);
      deepStrictEqual(tablesReadWhole(nodes), []);
      for (const plan of nodes) ok(rowsRead(plan) <= 1_000, JSON.stringify(plan).slice(0, 1_000));
    });
  }
}

/** A day's part of the largest table, and the pages at both of its ends. */
const ENTRIES_OF_A_DAY = SIZE.users * SIZE.entriesPerUser / 30 + 8_000;

Deno.test("a report of a day reads that day, at every call", async () => {
  const report = `select * from public.sales_report(current_date - 10, current_date - 9)`;
  for (const times of [1, 8]) {
    const { nodes } = await plans.execute(report, times);
    deepStrictEqual(tablesReadWhole(nodes), []);
    for (const plan of nodes) {
      ok(rowsRead(plan) <= ENTRIES_OF_A_DAY, JSON.stringify(plan).slice(0, 1_000));
    }
  }
  const { days } = one(
    await database.sql`select * from public.sales_report(current_date - 10, current_date - 9)`,
  );
  const { test, charges } = one(salesReport.data.shape.days.parse(days));
  ok(test.paid_orders > 600 && charges > 1_200, JSON.stringify(days));
});

Deno.test("a report of a long period reads every table once", async () => {
  const { nodes } = await plans.execute(
    "select * from public.sales_report(current_date - 398, current_date + 2)",
  );
  const whole = nodes.filter((plan) => rowsRead(plan) > LINEAR);
  deepStrictEqual(whole, []);
});

Deno.test("list_attention reads what it lists, and no table whole", async () => {
  const { nodes, count } = await plans.execute("select * from public.list_attention()");
  // Every limit of the project, and TROUBLES each of: flagged payments, debts, open orders, deliveries
  // that failed or were cut off, payments of no order, violations. And a row for the expired holds.
  const kinds = await database.sql`select kind from public.list_attention() group by kind`;
  strictEqual(kinds.length, 9);
  ok(count > 7 * TROUBLES);
  deepStrictEqual(tablesReadWhole(nodes), []);
});

/** What an account page calls. */
const BY_PAGES: Record<string, string> = {
  "a profile": `
    select jsonb_array_length(pending_orders) as count
    from public.get_user('${phoneNumberOf(FLOODED)}', with_pending_orders => true)`,
  "a history": `
    select jsonb_array_length(pending_orders) as count
    from public.list_credit_transactions(${person(FLOODED)}, 50)`,
};

for (const [what, statement] of Object.entries(BY_PAGES)) {
  Deno.test(`${what} reads the orders that are pending, however many there are of the number`, async () => {
    strictEqual(one(await database.sql.unsafe(statement)).count, PENDING_ORDERS);
    const { nodes } = await plans.execute(statement);
    deepStrictEqual(tablesReadWhole(nodes), []);
    for (const plan of nodes) ok(rowsRead(plan) <= 100, JSON.stringify(plan));
  });
}

const SCHEDULED: Record<string, string> = {
  "claiming orders": "select * from public.claim_orders_to_check(10, 'test')",
  "finishing a check": `select public.finish_order_check('${purchase.id}')`,
  "settling a payment again":
    `select * from public.settle_payment('${razorpayOrderId}', '${razorpayPaymentId}', 'captured',
      9900, 'INR')`,
  "settling a first payment":
    `select * from public.settle_payment('order_unpaid00000001', 'pay_unpaid', 'captured', 9900,
      'INR')`,
  "ending expired holds": "select * from public.expire_holds(10)",
  "handing out events": `select public.hand_out_events(array['${BOT}'], 10)`,
  "claiming deliveries": `select * from public.claim_event_deliveries('${BOT}', 10)`,
  "finishing a delivery":
    `select public.finish_event_delivery(event_id, address_id, lease_token, 200)
    from public.claim_event_deliveries('${BOT}', 1)`,
  "resending the events of a minute":
    `select * from public.resend_events('Asha', 'A test', 'resend',
    created_from => clock_timestamp() - interval '1 minute', created_before => clock_timestamp())`,
  "deleting expired counters": "select public.delete_expired_rate_counters()",
  "deleting abandoned orders": "select public.delete_abandoned_orders()",
  "deleting unpaid orders": "select public.delete_unpaid_orders()",
  "adjusting a balance": `select * from public.adjust_credits(${
    person(3)
  }, 5, 'Asha', 'Because', 'plan 1')`,
  "taking what becomes a debt": `select * from public.adjust_credits(${
    person(4)
  }, -5000, 'Asha', 'Because', 'plan 2', true)`,
  "forgiving a debt": `select * from public.forgive_debt(${
    person(4)
  }, 'Asha', 'Because', 'plan 3')`,
  "freezing an account": `select * from public.freeze_user(${
    person(5)
  }, 'Asha', 'Because', 'plan 4')`,
  "asking for a refund":
    `select * from public.ask_refund('${razorpayPaymentId}', 'Asha', 'Because', 'plan 5')`,
  "exporting a statement": `select * from public.export_statement(${person(6)}, 100)`,
  "merging two accounts": `select public.merge_users(${person(1)}, ${person(2)})`,
};

for (const [what, statement] of Object.entries(SCHEDULED)) {
  Deno.test(`${what} reads no table whole`, async () => {
    deepStrictEqual(tablesReadWhole((await plans.execute(statement)).nodes), []);
  });
}

Deno.test("an erasure reads what is about the person, and no table whole", async () => {
  const hashes = JSON.stringify({ [`phone ${phoneNumberOf(SOMEBODY)}`]: "0".repeat(64) });
  // The latter is what a worker may get that has erased others before.
  for (const mode of ["auto", "force_generic_plan"]) {
    const { nodes } = await plans.execute(`
      set local plan_cache_mode = ${mode};
      select * from public.erase_user(${person(SOMEBODY)}, 'Asha', 'Because', '${hashes}')`);
    ok(nodes.some((plan) => plan["Relation Name"] === "webhook_deliveries"), "it was erased");
    deepStrictEqual(tablesReadWhole(nodes), [], mode);
  }
});

Deno.test("a claim reads the orders that it claims, however many are due", async () => {
  const { nodes, count } = await plans.execute(
    "select * from public.claim_orders_to_check(10, 'test')",
  );
  strictEqual(count, 10);
  for (const plan of nodes) ok(rowsRead(plan) <= 100, JSON.stringify(plan));
});

Deno.test("a claim passes over orders of the other kind of key, however many are due", async () => {
  const { nodes, count } = await plans.execute(
    "select * from public.claim_orders_to_check(10, 'live')",
  );
  strictEqual(count, 0);
  for (const plan of nodes) ok(rowsRead(plan) <= 100, JSON.stringify(plan));
});

Deno.test("the queue of a paused address is not read at every run, and not written when it is resumed", async () => {
  const resume = `
    select from public.resend_events('Asha', 'A test', 'resume',
      event_id => (select event_id from public.event_deliveries where state = 'dead' limit 1))`;
  const handOut = `select public.hand_out_events(array['${BOT}', '${PAUSED}'], 10)`;
  for (const statement of [handOut, resume, `${resume}; ${handOut}`]) {
    const { nodes } = await plans.execute(statement);
    for (const plan of nodes.filter((plan) => plan["Relation Name"] === "event_deliveries")) {
      ok(rowsRead(plan) < QUEUE_OF_PAUSED, JSON.stringify(plan));
    }
  }
});

for (const name of ["delete_abandoned_orders", "delete_unpaid_orders"]) {
  Deno.test(`${name} passes over orders that a reference keeps, however many are old`, async () => {
    const { nodes } = await plans.execute(`select public.${name}()`);
    for (const plan of nodes) ok(rowsRead(plan) <= 100, JSON.stringify(plan));
  });
}

Deno.test("one call deletes at most 10,000 expired counters, and no others", async () => {
  const count = async () => {
    const [row] = await database.sql<{ expired: number; live: number }[]>`
      select count(*) filter (where window_ends_at < clock_timestamp())::int as expired,
        count(*) filter (where window_ends_at > clock_timestamp())::int as live
      from public.rate_counters`;
    return row;
  };
  const before = await count();
  await database.sql`select public.delete_expired_rate_counters()`;
  deepStrictEqual(await count(), {
    expired: SIZE.expiredCounters - 10_000,
    live: before?.live,
  });
});

/** More than any node reads that looks at each row of the largest tables a few times. */
const LINEAR = 4 * SIZE.users * SIZE.entriesPerUser;

Deno.test("check_invariants looks at every row a fixed number of times", async () => {
  const { nodes } = await plans.execute("select * from public.check_invariants()");
  ok(nodes.length > 50);
  for (const plan of nodes) ok(rowsRead(plan) <= LINEAR, JSON.stringify(plan).slice(0, 1_000));
});

/** More than a node reads to find what is new: the stretch of pages that an index of times tells apart. */
const NEW = 10_000;

Deno.test("the check of what is new, and the run of the scheduler, read no table whole", async () => {
  const { now } = one(await database.sql<{ now: string }[]>`select clock_timestamp()::text as now`);
  for (let index = 0; index < TROUBLES; index++) {
    await database.sql`select public.deduct_credits(${phoneNumberOf(100 * index)})`;
  }
  await database.sql`
    select public.finish_order_check(id) from public.payment_orders
    where razorpay_order_id in ${database.sql([razorpayOrderId, "order_unpaid00000001"])}`;
  for (
    const statement of [
      `select * from public.check_invariants(since => '${now}')`,
      "select * from public.run_book_check()",
    ]
  ) {
    const { nodes } = await plans.execute(statement);
    ok(nodes.length > 50);
    deepStrictEqual(tablesReadWhole(nodes), []);
    for (const plan of nodes) ok(rowsRead(plan) <= NEW, JSON.stringify(plan).slice(0, 1_000));
  }
});

Deno.test("the check of a user reads what the user has, however much others have", async () => {
  const { nodes } = await plans.execute(
    `select * from public.check_invariants(user_id => ${person(SOMEBODY)})`,
  );
  ok(nodes.length > 50);
  deepStrictEqual(tablesReadWhole(nodes), []);
  for (const plan of nodes) ok(rowsRead(plan) <= 1_000, JSON.stringify(plan).slice(0, 1_000));
});

Deno.test("a plan that looks at all accounts for each order is noticed", async () => {
  const { nodes } = await plans.execute(`
    with accounts as materialized (
      select id, coalesce(merged_into, id) as home from public.users
    )
    select (select count(*) from accounts a where a.home = o.user_id)
    from (select * from public.payment_orders limit 100) o`);
  ok(nodes.some((plan) => rowsRead(plan) > LINEAR));
});

Deno.test("a comparison that no index serves is noticed", async () => {
  const { nodes } = await plans.execute(`
    select from public.rate_counters where window_ends_at < clock_timestamp() - interval '1 day'`);
  deepStrictEqual(tablesReadWhole(nodes), ["rate_counters"]);
});
