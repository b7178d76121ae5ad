/**
 * `deno task bench books`: what operators and the scheduler call, on books of different sizes.
 *
 * The check of the books reads everything, so four times as much should take about four times as long.
 * The check of a part of them, a look-up, a claim and the list of what needs attention should take as long
 * on a million orders as on a few thousand.
 * @module
 */

import postgres from "postgres";
import { type TemporaryServer, withTemporaryServer } from "../postgres/temporary.ts";
import { migrate } from "../postgres/migrations.ts";
import type { Settings } from "../system/settings.ts";
import { GOALS } from "./goals.ts";
import { analyzeBooks, fillBooks, phoneNumberOf, purchaseOf, type Size } from "./large-books.ts";
import { printComparisons, printHeading } from "./report.ts";
import { type Comparison, type Limit, type Measure, sideBySide } from "./statistics.ts";

const SMALL: Size = {
  users: 5_000,
  entriesPerUser: 10,
  unpaidOrders: 5_000,
  expiredCounters: 0,
};
const LARGE: Size = { ...SMALL, users: 20_000, unpaidOrders: 20_000 };
const MILLION: Size = { ...LARGE, unpaidOrders: 980_000, expiredCounters: 1_000_000 };

/** How many users are charged after the books were filled. */
const NEW_ENTRIES = 1_000;

const CHECK_ROUNDS = 5;
const LOOK_UP_ROUNDS = 50;

/** A user of every one of the books, with the purchase alone. */
const SOMEBODY = 2_000;

const CHECK = "select * from public.check_invariants()";

/** The statements whose time should not depend on the size. */
const LOOK_UPS: Record<string, string> = {
  "find_payments, by order": findPayments(purchaseOf(SOMEBODY).razorpayOrderId),
  "find_payments, by payment": findPayments(purchaseOf(SOMEBODY).razorpayPaymentId),
  "find_payments, by phone number": findPayments(phoneNumberOf(SOMEBODY)),
  "check_invariants, of a user": `select * from public.check_invariants(user_id => (
    select user_id from public.identities where value = '${phoneNumberOf(SOMEBODY)}'
  ))`,
  [`check_invariants, of ${NEW_ENTRIES} new entries`]:
    "select * from public.check_invariants(since => current_setting('bench.since')::timestamptz)",
  list_attention: "select * from public.list_attention()",
  claim_orders_to_check: "select * from public.claim_orders_to_check(10, 'test')",
};

/** Measures and prints the results. */
export async function benchBooks(settings: Settings): Promise<void> {
  await withTemporaryServer(settings, async (server) => {
    const small = await openBooks(server, "small", SMALL);
    const large = await openBooks(server, "large", LARGE);
    printHeading("check_invariants on four times as many users and entries (ms)", [
      `${SMALL.users} users with ${
        SMALL.users * SMALL.entriesPerUser
      } entries, and ${LARGE.users} ` +
      `with ${LARGE.users * LARGE.entriesPerUser}.`,
    ]);
    printResults([
      ...await compare(
        "check_invariants",
        CHECK,
        small,
        large,
        CHECK_ROUNDS,
        GOALS.checkOfFourTimesAsMuch,
      ),
    ]);
    await large.end();

    const million = await openBooks(server, "million", MILLION);
    printHeading("What operators and the scheduler call, on a million orders (ms)", [
      `${SMALL.users} payments and ${1.25 * SMALL.users + SMALL.unpaidOrders} orders; and ` +
      `${MILLION.users} payments, a million orders and a million expired rate counters.`,
    ]);
    const results: Comparison[] = [];
    for (const [name, statement] of Object.entries(LOOK_UPS)) {
      results.push(
        ...await compare(
          name,
          statement,
          small,
          million,
          LOOK_UP_ROUNDS,
          GOALS.lookUpInAMillionOrders,
        ),
      );
    }
    printResults(results);
    await small.end();
    await million.end();
  });
}

async function openBooks(
  server: TemporaryServer,
  name: string,
  size: Size,
): Promise<postgres.Sql> {
  const url = await server.createDatabase(name);
  await migrate(url);
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await sql.begin((transaction) => fillBooks(transaction, size));
  await sql`select set_config('bench.since', clock_timestamp()::text, false)`;
  const phoneNumbers = Array.from({ length: NEW_ENTRIES }, (_, index) => phoneNumberOf(index));
  await sql`
    select d.outcome from unnest(${phoneNumbers}::text[]) p (phone), public.deduct_credits(p.phone) d`;
  await analyzeBooks(sql);
  return sql;
}

function compare(
  name: string,
  statement: string,
  baseline: postgres.Sql,
  contestant: postgres.Sql,
  rounds: number,
  limit: Limit,
): Promise<Comparison[]> {
  return sideBySide(
    timeOf(baseline, statement),
    [{ name, measure: timeOf(contestant, statement), limit }],
    rounds,
  );
}

/** Measures how many milliseconds a statement takes. */
function timeOf(sql: postgres.Sql, statement: string): Measure {
  return async () => {
    const started = performance.now();
    await sql.unsafe(statement);
    return performance.now() - started;
  };
}

function findPayments(search: string): string {
  return `select * from public.find_payments('${search}')`;
}

function printResults(comparisons: readonly Comparison[]): void {
  printComparisons({ baseline: "small", samples: "large", digits: 1 }, comparisons);
}
