/**
 * Accounts that are merged while others use them: by orders, first contacts, settlements, refunds and
 * deductions that wait for the very rows the merge holds. Nothing is left on the merged account, no
 * credit is lost, and nobody waits in a circle. Copies of the functions that do not look again after
 * they have waited have to fail the same race.
 * @module
 */

import { deepStrictEqual, fail, rejects, strictEqual } from "node:assert/strict";
import { AssertionError } from "node:assert";
import type postgres from "postgres";
import { assertBooksAreRight } from "../support/backend.ts";
import { openConnections, waitingForLocks } from "../support/connections.ts";
import { type TestDatabase, withTestDatabase } from "../support/database.ts";
import { capture, release, reserve } from "../support/sql-bot.ts";
import { testOfTests } from "../support/mutants.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { newOrderId, newPaymentId } from "../support/razorpay-ids.ts";
import { at, one } from "../support/lists.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";
import { until } from "../../local/system/until.ts";

const PAISE = 9_900;
const CREDITS = 20;
const FREE_CREDITS = 3;

/** Two accounts of one person. */
interface Pair {
  readonly phones: readonly [from: string, into: string];
  readonly ids: readonly [from: string, into: string];
}

/** Something that happens while the two are merged. Returns the credits that it adds to what they have. */
type Event = (sql: postgres.ISql, pair: Pair) => Promise<number>;

async function newAccount(sql: postgres.ISql, phone: string): Promise<string> {
  return one(await sql`select user_id from public.get_user(${phone})`).user_id;
}

async function newPair(sql: postgres.ISql): Promise<Pair> {
  const phones = [newPhoneNumber(), newPhoneNumber()] as const;
  return { phones, ids: [await newAccount(sql, phones[0]), await newAccount(sql, phones[1])] };
}

/** Places an order and has Razorpay know it; returns Razorpay's id. */
async function openOrder(
  sql: postgres.ISql,
  phone: string,
  { channel = "checkout", reference = null }: { channel?: string; reference?: string | null } = {},
): Promise<string> {
  const { order_id } = one(
    await sql`
    select order_id from public.place_order(
      'starter', 'test', ${channel}, ${reference}, phone_number => ${phone})`,
  );
  const { id } = one(
    await sql`select public.attach_razorpay_order(${order_id}, ${newOrderId()}) as id`,
  );
  return id;
}

async function settle(
  sql: postgres.ISql,
  orderId: string,
  paymentId: string,
  isRefunded = false,
): Promise<postgres.Row> {
  const reversals = isRefunded
    ? [{
      id: paymentId.replace("pay", "rfnd"),
      kind: "refund",
      status: "processed",
      amount_paise: PAISE,
      is_money_gone: true,
      reported_at: new Date().toISOString(),
    }]
    : [];
  return one(
    await sql`
    select outcome, credits_added, remaining_credits
    from public.settle_payment(${orderId}, ${paymentId}, 'captured', ${PAISE}, 'INR',
      ${JSON.stringify(reversals)}::text::jsonb)`,
  );
}

async function deduct(
  sql: postgres.ISql,
  phone: string | null,
  { reference = null, whatsappId = null }: {
    reference?: string | null;
    whatsappId?: string | null;
  },
): Promise<number> {
  const { outcome } = one(
    await sql`select outcome from public.deduct_credits(${phone}, 1, ${reference}, ${whatsappId})`,
  );
  return outcome === "deducted" ? -1 : 0;
}

async function merge(sql: postgres.ISql, from: string, into: string): Promise<string> {
  return one(await sql`select public.merge_users(${from}, ${into}) as outcome`).outcome;
}

/** Calls again what the database has rolled back, as the functions do. */
async function repeated<Result>(act: () => Promise<Result>): Promise<Result> {
  for (let retry = 0;; retry++) {
    try {
      return await act();
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (retry === 2 || code !== "40P01" && code !== "40001") throw error;
    }
  }
}

/** Everything that may happen to the pair at once, to orders from before and to new ones. */
async function eventsOf(sql: postgres.Sql, { phones: [from, into] }: Pair): Promise<Event[]> {
  const [bought, payment] = [await openOrder(sql, from), newPaymentId()];
  await settle(sql, bought, payment);
  await reserve(sql, { phone: from }, "job-3");
  const open = [
    await openOrder(sql, from),
    await openOrder(sql, into),
    await openOrder(sql, from, { channel: "link", reference: "before" }),
  ];
  const pay = async (sql: postgres.ISql, orderId: string) => {
    const { outcome } = await settle(sql, orderId, newPaymentId());
    return outcome === "settled" ? CREDITS : 0;
  };
  const link = (phone: string): Event => async (sql) => {
    await openOrder(sql, phone, { channel: "link", reference: "meanwhile" });
    return 0;
  };
  return [
    ...open.map((orderId): Event => (sql) => pay(sql, orderId)),
    // Two different payments may pay this one at once.
    async (sql) => await pay(sql, await openOrder(sql, from)),
    async (sql) => {
      strictEqual((await settle(sql, bought, payment, true)).outcome, "payment_refunded");
      return -CREDITS;
    },
    link(from),
    link(into),
    (sql) => deduct(sql, from, { reference: "job-1" }),
    (sql) => deduct(sql, from, { reference: "job-2", whatsappId: newWhatsappId() }),
    (sql) => deduct(sql, into, {}),
    async (sql) => {
      await reserve(sql, { phone: into }, "job-4");
      return 0;
    },
    async (sql) => {
      await reserve(sql, { phone: from }, "job-4", { credits: 2 });
      return 0;
    },
    async (sql) => {
      const { outcome } = await capture(sql, { phone: from }, "job-3");
      return outcome === "captured" ? -1 : 0;
    },
    async (sql) => {
      await release(sql, { phone: from }, "job-4");
      return 0;
    },
    async (sql) => {
      await sql`select from public.get_user(${from}, ${newWhatsappId()})`;
      return 0;
    },
    async (sql) => {
      await sql`select from public.get_user(${into}, ${newWhatsappId()})`;
      return 0;
    },
  ];
}

/** What merged accounts still have, which must be nothing. */
async function leftBehind(sql: postgres.Sql): Promise<string[]> {
  const rows = await sql`
    select 'order ' || o.id as what from public.payment_orders o
    join public.users u on u.id = o.user_id where u.merged_into is not null
    union all
    select 'reference ' || r.reference_id from public.order_references r
    join public.users u on u.id = r.user_id where u.merged_into is not null
    union all
    select 'identity ' || i.value from public.identities i
    join public.users u on u.id = i.user_id where u.merged_into is not null
    union all
    select 'hold ' || h.reference_id from public.holds h
    join public.users u on u.id = h.user_id where u.merged_into is not null and h.state = 'open'
    union all
    select 'credits ' || u.credits from public.users u
    where u.merged_into is not null and u.credits + u.debt_credits > 0`;
  return rows.map(({ what }) => what);
}

/**
 * Merges two accounts while everything happens to them, and fails unless all of it ends up on the
 * account that stays. With `held`, the merge is committed only when others wait for it.
 */
async function race(database: TestDatabase, rounds: number): Promise<void> {
  const { sql } = database;
  const size = (await eventsOf(sql, await newPair(sql))).length;
  await using connections = await openConnections(database.url, size);
  for (let round = 0; round < rounds; round++) {
    const pair = await newPair(sql);
    const events = await eventsOf(sql, pair);
    const isHeld = round % 2 === 0;
    const [from, into] = round % 4 < 2 ? pair.ids : pair.ids.toReversed() as [string, string];
    let answered = 0;
    const happen = () =>
      connections.all(async (session, index) => {
        const change = await repeated(() => at(events, index)(session, pair));
        answered++;
        return change;
      });
    let changes: number[];
    if (isHeld) {
      const happening = Promise.withResolvers<number[]>();
      await sql.begin(async (holder) => {
        strictEqual(await merge(holder, from, into), "merged");
        happen().then(happening.resolve, happening.reject);
        happening.promise.catch(() => answered = size);
        await until(
          "everybody has answered or waits for the merge",
          async () => answered + await waitingForLocks(sql) >= size,
        );
      });
      changes = await happening.promise;
    } else {
      const [outcome, all] = await Promise.all([repeated(() => merge(sql, from, into)), happen()]);
      strictEqual(outcome, "merged");
      changes = all;
    }
    deepStrictEqual(await leftBehind(sql), []);
    const account = one(
      await sql`select credits - debt_credits as credits
      from public.users where id = ${into}`,
    );
    strictEqual(
      account.credits,
      2 * FREE_CREDITS + CREDITS + changes.reduce((sum, change) => sum + change, 0),
    );
    const { orders } = one(
      await sql`
      select count(distinct order_id)::int as orders from public.order_references
      where user_id = ${into} and reference_id = 'meanwhile'`,
    );
    strictEqual(orders, 1, "two links with one reference");
  }
  await assertBooksAreRight(sql);
}

Deno.test("whatever happens during a merge ends up on the account that stays", async () => {
  await withTestDatabase((database) => race(database, 24));
});

/** A function without one of its rules. */
interface Mutant {
  readonly rule: string;
  readonly in: string;
  /** What stands for the rule in the function, and what replaces it. */
  readonly breaks: readonly (readonly [before: string, after: string])[];
}

const MUTANTS: Mutant[] = [
  {
    rule: "an order by the bot looks again after it has waited for the user",
    in: "private.lock_user(text, text, text[])",
    breaks: [["if num_nonnulls(v_user.merged_into, v_user.erased_at) = 0 then", "if true then"]],
  },
  {
    rule: "a first contact looks again after it has waited for the user",
    in: "private.ensure_user(text, text, text[])",
    breaks: [["if num_nonnulls(v_user.merged_into, v_user.erased_at) > 0 then", "if false then"]],
  },
  {
    rule: "a settlement looks again after it has waited for the user",
    in: "public.settle_payment(text, text, text, integer, text, jsonb, text, text[])",
    breaks: [
      ["if v_user.merged_into is not null\n", "if false and v_user.merged_into is not null\n"],
      [
        "or v_user_id is distinct from coalesce(",
        "or false and v_user_id is distinct from coalesce(",
      ],
    ],
  },
];

testOfTests.each(MUTANTS)("the race notices when this rule is broken: $rule", async (mutant) => {
  await withTestDatabase(async (database) => {
    const { definition } = one(
      await database.sql<{ definition: string }[]>`
      select pg_get_functiondef(${mutant.in}::regprocedure) as definition`,
    );
    let broken = definition;
    for (const [before, after] of mutant.breaks) {
      strictEqual(broken.split(before).length, 2, `${mutant.in} does not have once: ${before}`);
      broken = broken.replace(before, after);
    }
    await database.sql.unsafe(broken);
    await rejects(race(database, 8), (error) => {
      // What is left on the merged account, or an order whose state says that it must have a user.
      return error instanceof AssertionError || (error as { code?: string }).code === "23514";
    });
  });
});

/** Runs `act` while a merge of the pair is not committed yet; `met` is called once somebody waits for it. */
async function duringMerge<Result>(
  { sql }: TestDatabase,
  { ids: [from, into] }: Pair,
  act: () => Promise<Result>,
): Promise<Result> {
  const acting = Promise.withResolvers<Result>();
  await sql.begin(async (holder) => {
    strictEqual(await merge(holder, from, into), "merged");
    let isOver = false;
    acting.promise.then(() => isOver = true, () => isOver = true);
    act().then(acting.resolve, acting.reject);
    await until(
      "the other call waits for the merge, or is through without waiting",
      async () => isOver || await waitingForLocks(sql) > 0,
    );
  });
  return await acting.promise;
}

Deno.test("a link that is ordered during a merge belongs to the account that stays", async () => {
  await withTestDatabase(async (database) => {
    const { sql } = database;
    const pair = await newPair(sql);
    const order = one(
      await duringMerge(database, pair, () =>
        sql`
        select outcome, user_id, order_id from public.place_order(
          'starter', 'test', 'link', 'wamid.1', ${pair.phones[0]})`),
    );
    deepStrictEqual([order.outcome, order.user_id], ["placed", pair.ids[1]]);
    deepStrictEqual(await leftBehind(sql), []);
    const again = one(
      await sql`
      select outcome, order_id from public.place_order(
        'starter', 'test', 'link', 'wamid.1', ${pair.phones[1]})`,
    );
    deepStrictEqual([again.outcome, again.order_id], ["replayed", order.order_id]);
  });
});

Deno.test("an order at the checkout does not wait for a merge, and pays the account that stays", async () => {
  await withTestDatabase(async (database) => {
    const { sql } = database;
    const pair = await newPair(sql);
    const [from, into] = pair.ids;
    const orderId = await sql.begin(async (holder) => {
      strictEqual(await merge(holder, from, into), "merged");
      return await openOrder(sql, pair.phones[0]);
    });
    const { outcome, remaining_credits } = await settle(sql, orderId, newPaymentId());
    deepStrictEqual([outcome, remaining_credits], ["settled", 2 * FREE_CREDITS + CREDITS]);
    strictEqual(await deduct(sql, pair.phones[0], { reference: "f-1" }), -1);
    deepStrictEqual(await leftBehind(sql), []);
    await assertBooksAreRight(sql);
  });
});

Deno.test("an identity that is first named during a merge belongs to the account that stays", async () => {
  await withTestDatabase(async (database) => {
    const { sql } = database;
    const pair = await newPair(sql);
    const whatsappId = newWhatsappId();
    const [phone] = pair.phones;
    await duringMerge(
      database,
      pair,
      () => repeated(() => deduct(sql, phone, { reference: "e-1", whatsappId })),
    );
    deepStrictEqual(await leftBehind(sql), []);
    const { outcome, remaining_credits } = one(
      await sql`select * from public.deduct_credits(null, 1, 'e-2', ${whatsappId})`,
    );
    deepStrictEqual([outcome, remaining_credits], ["deducted", 2 * FREE_CREDITS - 2]);
    await assertBooksAreRight(sql);
  });
});

/**
 * Repeats a deduction under the number of an account that is being merged. It was charged to the account
 * that stays, which has nothing left, and both were empty before: the retry must find it all the same.
 */
async function retryDuringMerge(database: TestDatabase): Promise<void> {
  const { sql } = database;
  const pair = await newPair(sql);
  const [from, into] = pair.phones;
  await sql`select public.deduct_credits(${from}, ${FREE_CREDITS})`;
  await sql`select public.deduct_credits(${into}, ${FREE_CREDITS}, 'job-1')`;
  const retry = one(
    await duringMerge(database, pair, () =>
      sql`
      select outcome, user_id, remaining_credits
      from public.deduct_credits(${from}, ${FREE_CREDITS}, 'job-1')`),
  );
  deepStrictEqual({ ...retry }, {
    outcome: "replayed",
    user_id: pair.ids[1],
    remaining_credits: 0,
  });
}

Deno.test("a deduction that is repeated during a merge finds what the other account was charged", async () => {
  await withTestDatabase(retryDuringMerge);
});

Deno.test("two settlements around a merge and a locked order wait in turn, not in a circle", async () => {
  await withTestDatabase(async (database) => {
    const { sql } = database;
    const pair = await newPair(sql);
    const [from, into] = pair.ids;
    const [orderId, paymentId] = [await openOrder(sql, pair.phones[0]), newPaymentId()];
    const settlements: Promise<postgres.Row>[] = [];
    let isAnswered = false;
    const startSettlement = async () => {
      const settlement = settle(sql, orderId, paymentId);
      settlements.push(settlement);
      settlement.finally(() => isAnswered = true).catch(() => {});
      await until("each of the settlements waits for one of the two", async () => {
        if (isAnswered) fail("A settlement did not wait");
        return await waitingForLocks(sql) >= settlements.length;
      });
    };
    await sql.begin(async (reader) => {
      await sql.begin(async (merging) => {
        strictEqual(await merge(merging, from, into), "merged");
        await startSettlement();
        await reader`
          select from public.payment_orders where razorpay_order_id = ${orderId} for update`;
      });
      await startSettlement();
    });
    const outcomes = (await Promise.all(settlements)).map(({ outcome }) => outcome);
    deepStrictEqual(outcomes.sort(), ["replayed", "settled"]);
    deepStrictEqual(await leftBehind(sql), []);
    await assertBooksAreRight(sql);
  });
});

Deno.test("two first payments for one unknown number are one user with both purchases", async () => {
  await withTestDatabase(async (database) => {
    const { sql } = database;
    await using connections = await openConnections(database.url, 10);
    for (let round = 0; round < 5; round++) {
      const phone = newPhoneNumber();
      const orders = await Promise.all(["starter", "popular", "pro"].map(async (packageId) => {
        const { order_id, amount_paise } = one(
          await sql`
          select order_id, amount_paise from public.place_order(
            ${packageId}, 'test', phone_number => ${phone})`,
        );
        const id = newOrderId();
        await sql`select public.attach_razorpay_order(${order_id}, ${id})`;
        return { id, amount_paise };
      }));
      deepStrictEqual([...await sql`select from public.identities where value = ${phone}`], []);
      await connections.all((session, index) => {
        const { id, amount_paise } = at(orders, index % orders.length);
        return session`select public.settle_payment(
          ${id}, ${id.replace("order", "pay")}, 'captured', ${amount_paise}, 'INR')`;
      });
      const { credits } = one(
        await sql`select credits from public.users where phone_number = ${phone}`,
      );
      strictEqual(credits, FREE_CREDITS + 20 + 75 + 250);
      await assertBooksAreRight(sql);
    }
  });
});

Deno.test("a second merge moves what an older version left on the merged account", async () => {
  await withTestDatabase(async (database) => {
    const { sql } = database;
    const { phones: [from, into], ids: [fromId, intoId] } = await newPair(sql);
    strictEqual(await merge(sql, fromId, intoId), "merged");
    // What the first version could do: an order, its credits and an identity on a merged account.
    await sql.begin(async (old) => {
      await old`update public.users set merged_into = null where id = ${fromId}`;
      await old`update public.identities set user_id = ${fromId} where value = ${from}`;
      const reference = { channel: "link", reference: "wamid.1" };
      await settle(old, await openOrder(old, from, reference), newPaymentId());
      await old`update public.users set merged_into = ${intoId} where id = ${fromId}`;
    });
    await openOrder(sql, into, { channel: "link", reference: "wamid.1" });
    strictEqual((await leftBehind(sql)).length, 4);

    strictEqual(await merge(sql, fromId, intoId), "replayed");
    deepStrictEqual(await leftBehind(sql), []);
    const { credits } = one(await sql`select credits from public.users where id = ${intoId}`);
    strictEqual(credits, 2 * FREE_CREDITS + CREDITS);
    strictEqual(await merge(sql, fromId, intoId), "replayed");
    await assertBooksAreRight(sql);
    // Both accounts had used the reference; the first order to have it counts.
    const { outcome, state } = one(
      await sql`
      select p.outcome, o.state from public.place_order(
        'starter', 'test', 'link', 'wamid.1', ${into}) p
      join public.payment_orders o on o.id = p.order_id`,
    );
    deepStrictEqual([outcome, state], ["replayed", "paid"]);
  });
});
