/**
 * Holds that expire: from their last second on they block nothing, whether or not anything has ended
 * them, and each is ended once.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { assertBooksAreRight } from "../support/backend.ts";
import { createTestDatabase } from "../support/database.ts";
import {
  balancesOf,
  buyStarter,
  capture,
  chargesOf,
  deduct,
  expireHolds,
  holdsOf,
  idOf,
  letExpire,
  merge,
  refund,
  release,
  reserve,
  userWithCredits,
  type Who,
} from "../support/sql-bot.ts";
import { one } from "../support/lists.ts";

const database = await createTestDatabase();
const { sql } = database;
Deno.test.afterAll(() => database.drop());
Deno.test.afterEach(async () => {
  await assertBooksAreRight(sql);
  await expireHolds(sql);
});

const JOB = "wamid.job";

/** A user whose only credits were reserved by a hold that has expired, and that nothing has ended. */
async function userWithExpiredHold(credits = 5): Promise<Who> {
  const who = await userWithCredits(sql, credits);
  strictEqual((await reserve(sql, who, JOB, { credits })).remaining_credits, 0);
  strictEqual(await letExpire(sql, who, JOB), true);
  return who;
}

Deno.test("an expired hold that nothing has ended blocks no call", async () => {
  const calls: Record<string, (who: Who) => Promise<unknown[]>> = {
    deduct: async (who) => {
      const { outcome, remaining_credits } = await deduct(sql, who, null, { credits: 5 });
      return [outcome, remaining_credits];
    },
    "deduct by quantity": async (who) => {
      const demand = { action: "video_generation" };
      const { outcome, remaining_credits } = await deduct(sql, who, "video", demand);
      return [outcome, remaining_credits];
    },
    "deduct its reference": async (who) => {
      const { outcome, remaining_credits } = await deduct(sql, who, JOB, { credits: 5 });
      return [outcome, remaining_credits];
    },
    reserve: async (who) => {
      const answer = await reserve(sql, who, "another job", { credits: 5 });
      return [answer.outcome, answer.remaining_credits];
    },
    "reserve its reference": async (who) => {
      const answer = await reserve(sql, who, JOB, { credits: 5 });
      return [answer.outcome, answer.remaining_credits];
    },
  };
  for (const [name, call] of Object.entries(calls)) {
    const [outcome, remaining] = await call(await userWithExpiredHold());
    strictEqual(outcome, name.startsWith("deduct") ? "deducted" : "reserved", name);
    strictEqual(remaining, 0, name);
  }
});

Deno.test("an expired hold that nothing has ended is left out of what a profile says", async () => {
  const { phone = null } = await userWithExpiredHold();
  const profile = one(
    await sql`
    select credits, remaining_credits, reserved_credits from public.get_user(${phone})`,
  );
  deepStrictEqual({ ...profile }, { credits: 5, remaining_credits: 5, reserved_credits: 0 });
});

Deno.test("an expired hold counts for no figure of a call that has enough without it", async () => {
  const who = await userWithCredits(sql, 10);
  await reserve(sql, who, JOB, { credits: 4 });
  await letExpire(sql, who, JOB);
  strictEqual((await deduct(sql, who, null)).remaining_credits, 9);
  await reserve(sql, who, "second", { credits: 4 });
  await letExpire(sql, who, "second");
  strictEqual((await reserve(sql, who, "third")).remaining_credits, 8);
  await reserve(sql, who, "fourth", { credits: 4 });
  await letExpire(sql, who, "fourth");
  strictEqual((await capture(sql, who, "third")).remaining_credits, 8);
});

Deno.test("an expired hold does not count against the number of open ones", async () => {
  const who = await userWithCredits(sql, 10);
  await sql`update public.settings set value = 1 where name = 'max_open_holds'`;
  try {
    await reserve(sql, who, JOB);
    strictEqual((await reserve(sql, who, "second")).outcome, "too_many_holds");
    await letExpire(sql, who, JOB);
    strictEqual((await reserve(sql, who, "second")).outcome, "reserved");
  } finally {
    await sql`update public.settings set value = 20 where name = 'max_open_holds'`;
  }
});

Deno.test("holds of every action expire, and only those whose time has come", async () => {
  const who = await userWithCredits(sql, 100);
  const actions = ["image_generation", "video_generation", "voice_message", "chat"];
  for (const action of actions) {
    await reserve(sql, who, action, { action, quantity: 1 });
    await reserve(sql, who, `${action} still`, { action, quantity: 1 });
  }
  for (const action of actions) await letExpire(sql, who, action);
  strictEqual(await expireHolds(sql), 4);
  strictEqual(Object.values(await holdsOf(sql, who)).filter((s) => s === "expired").length, 4);
  strictEqual((await balancesOf(sql, who)).held, 8);
});

Deno.test("a hold that was swept is swept once, and its release repeats what the sweep did", async () => {
  const who = await userWithExpiredHold();
  strictEqual(await expireHolds(sql), 1);
  strictEqual(await expireHolds(sql), 0);
  const { outcome, released_credits, remaining_credits } = await release(sql, who, JOB);
  deepStrictEqual([outcome, released_credits, remaining_credits], ["replayed", 5, 5]);
  deepStrictEqual(await balancesOf(sql, who), { credits: 5, held: 0, debt: 0, remaining: 5 });
});

Deno.test("a sweep ends nothing that was captured or released in time", async () => {
  const who = await userWithCredits(sql, 10);
  await reserve(sql, who, "captured", { credits: 3 });
  await reserve(sql, who, "released", { credits: 3 });
  await capture(sql, who, "captured");
  await release(sql, who, "released");
  await sql`update public.holds set expires_at = created_at where state <> 'open'`;
  strictEqual(await expireHolds(sql), 0);
  deepStrictEqual(await holdsOf(sql, who), { captured: "captured", released: "released" });
});

Deno.test.each([false, true])(
  "a late capture charges once where the credits suffice, and says so (swept before: %s)",
  async (isSwept) => {
    const who = await userWithExpiredHold();
    if (isSwept) strictEqual(await expireHolds(sql), 1);
    const first = await capture(sql, who, JOB);
    deepStrictEqual([first.outcome, first.is_late, first.remaining_credits], ["captured", true, 0]);
    deepStrictEqual(await capture(sql, who, JOB), { ...first, outcome: "replayed" });
    strictEqual(await expireHolds(sql), 0);
    strictEqual((await release(sql, who, JOB)).outcome, "hold_captured");
    deepStrictEqual(await chargesOf(sql, who), [`${JOB}: 5 for image_generation, 0 left`]);
  },
);

Deno.test("a late capture of what is spent or reserved elsewhere changes nothing", async () => {
  for (const take of [deduct, reserve]) {
    const who = await userWithExpiredHold();
    await take(sql, who, "another job", { credits: 1 });
    strictEqual((await capture(sql, who, JOB)).outcome, "hold_expired");
    deepStrictEqual((await balancesOf(sql, who)).remaining, 4);
    const { outcome, is_late, captured_credits } = await capture(sql, who, JOB, { credits: 4 });
    deepStrictEqual([outcome, is_late, captured_credits], ["captured", true, 4]);
  }
});

Deno.test("a late capture of a reference that was reserved anew captures the new hold, in time", async () => {
  const who = await userWithExpiredHold();
  await reserve(sql, who, JOB, { credits: 2 });
  const { outcome, is_late, captured_credits } = await capture(sql, who, JOB);
  deepStrictEqual([outcome, is_late, captured_credits], ["captured", false, 2]);
});

Deno.test("a late capture takes nothing for which the user has a debt", async () => {
  const who = await userWithCredits(sql, 3);
  const payment = await buyStarter(sql, who);
  await reserve(sql, who, JOB, { credits: 10 });
  await refund(sql, payment);
  await letExpire(sql, who, JOB);
  strictEqual((await capture(sql, who, JOB)).outcome, "hold_expired");
  deepStrictEqual(await balancesOf(sql, who), { credits: 3, held: 0, debt: 0, remaining: 3 });
});

Deno.test("the next expiry that a user's row names is never that of a hold that is gone for long", async () => {
  const who = await userWithCredits(sql, 10);
  await reserve(sql, who, "short", {}, 30);
  const { expires_at } = await reserve(sql, who, "long", {}, 3_600);
  await capture(sql, who, "short");
  // The quick capture leaves the expiry behind, which is reached here.
  await sql`
    update public.users set next_hold_expiry_at = clock_timestamp()
    where id = ${await idOf(sql, who)}`;
  strictEqual((await deduct(sql, who, null)).remaining_credits, 7);
  const { next } = one(
    await sql`
    select next_hold_expiry_at as next from public.users where id = ${await idOf(sql, who)}`,
  );
  deepStrictEqual(next, expires_at);
});

Deno.test("a merge ends what has expired, on both sides, and moves the rest", async () => {
  const [from, into] = [await userWithExpiredHold(), await userWithExpiredHold()];
  await reserve(sql, from, "open", { credits: 2 });
  await reserve(sql, from, "lapsed", { credits: 2 });
  await letExpire(sql, from, "lapsed");
  await letExpire(sql, into, JOB);
  strictEqual(await merge(sql, from, into), "merged");
  deepStrictEqual(await holdsOf(sql, into), { lapsed: "expired", open: "open", [JOB]: "expired" });
  deepStrictEqual(await balancesOf(sql, into), { credits: 10, held: 2, debt: 0, remaining: 8 });
});

/** Has ending the holds of these references fail. */
async function failToEnd(sql: postgres.ISql, references: string[]): Promise<void> {
  const list = references.map((reference) => `'${reference}'`).join(", ");
  await sql.unsafe(`
    alter table public.holds
    add constraint never_ended check (state = 'open' or reference_id not in (${list})) not valid`);
}

Deno.test("a hold that cannot be ended stops no other, and no later run", async () => {
  const users = await Promise.all(
    Array.from({ length: 6 }, () => userWithCredits(sql, 10)),
  );
  for (const [index, who] of users.entries()) {
    const references = index < 3 ? ["bad"] : ["good", "another"];
    for (const reference of references) await reserve(sql, who, reference);
    for (const reference of references) await letExpire(sql, who, reference);
  }
  await failToEnd(sql, ["bad"]);
  try {
    let after: string | null = null;
    const runs: postgres.Row[] = [];
    do {
      const run: postgres.Row = one(await sql`select * from public.expire_holds(1, ${after})`);
      runs.push(run);
      after = run.last_user_id;
    } while (after !== null);
    strictEqual(runs.length, 7);
    const sum = (column: string) => runs.reduce((sum, run) => sum + run[column], 0);
    deepStrictEqual([sum("users"), sum("expired"), sum("failed")], [6, 6, 3]);
  } finally {
    await sql`alter table public.holds drop constraint never_ended`;
  }
  strictEqual(await expireHolds(sql), 3);
});

/** A user with so many holds of one credit, all of which have expired. */
async function userWithExpiredHolds(count: number): Promise<Who> {
  const who = await userWithCredits(sql, count);
  const id = await idOf(sql, who);
  await sql`
    insert into public.holds
      (user_id, reference_id, action_id, price_id, credits, created_at, expires_at, remaining_after)
    select ${id}, 'job ' || n, 'image_generation', 1, 1, clock_timestamp() - interval '2 hours',
      clock_timestamp() - interval '1 hour', ${count}::integer - n
    from generate_series(1, ${count}::integer) n`;
  await sql`
    update public.users
    set held_credits = ${count}, open_holds = ${count},
      next_hold_expiry_at = clock_timestamp() - interval '1 hour'
    where id = ${id}`;
  return who;
}

Deno.test("a call that ends many holds of its user writes the user as often as for one, and each hold once", async () => {
  const writesOf = async (holds: number) => {
    const who = await userWithExpiredHolds(holds);
    // Counted by the connection, also before this transaction.
    const writes = async (sql: postgres.ISql) =>
      one(
        await sql<{ users: number; holds: number }[]>`
        select pg_stat_get_xact_tuples_updated('public.users'::regclass)::integer as users,
          pg_stat_get_xact_tuples_updated('public.holds'::regclass)::integer as holds`,
      );
    return await sql.begin(async (sql) => {
      const before = await writes(sql);
      strictEqual((await deduct(sql, who, null)).remaining_credits, holds - 1);
      const after = await writes(sql);
      return { users: after.users - before.users, holds: after.holds - before.holds };
    });
  };
  const { users, holds } = await writesOf(1);
  strictEqual(holds, 1);
  deepStrictEqual(await writesOf(1_000), { users, holds: 1_000 });
});

Deno.test("holds that expire together return together, pay what is owed once, and are each told", async () => {
  const who = await userWithCredits(sql, 3);
  const payment = await buyStarter(sql, who);
  const references = ["first", "second", "third"];
  for (const reference of references) await reserve(sql, who, reference, { credits: 6 });
  await refund(sql, payment);
  deepStrictEqual(await balancesOf(sql, who), { credits: 18, held: 18, debt: 15, remaining: 0 });
  for (const reference of references) await letExpire(sql, who, reference);
  strictEqual(await expireHolds(sql), 3);
  deepStrictEqual(await balancesOf(sql, who), { credits: 3, held: 0, debt: 0, remaining: 3 });

  const id = await idOf(sql, who);
  const ended = await sql`
    select remaining_after_end as remaining, balance_after_end as balance from public.holds
    where user_id = ${id}`;
  deepStrictEqual([...ended], references.map(() => ({ remaining: 3, balance: 3 })));
  const told = await sql`
    select data, remaining_credits as remaining from public.events
    where user_id = ${id} and type = 'hold.expired' order by created_at`;
  deepStrictEqual(
    [...told],
    references.map((reference_id) => ({
      data: { reference_id, released_credits: 6 },
      remaining: 3,
    })),
  );
  const collected = await sql`
    select credits from public.credit_transactions
    where user_id = ${id} and action = 'debit' and source = 'refund' order by sequence_number`;
  deepStrictEqual(collected.map(({ credits }) => credits), [5, 15]);
});

Deno.test("a sweep counts holds, and goes on after the user with whom it stopped", async () => {
  for (let user = 0; user < 5; user++) await userWithExpiredHolds(3);
  const runs: number[][] = [];
  let after: string | null = null;
  do {
    const run: postgres.Row = one(await sql`select * from public.expire_holds(4, ${after})`);
    runs.push([run.users, run.expired, run.failed]);
    after = run.last_user_id;
  } while (after !== null);
  deepStrictEqual(runs, [[2, 6, 0], [2, 6, 0], [1, 3, 0]]);
});

Deno.test("a sweep that is slow stops in time, keeps what it has ended, and says where to go on", async () => {
  await Promise.all([userWithExpiredHolds(1), userWithExpiredHolds(1)]);
  await sql.unsafe(`
    create function private.take_long() returns trigger language plpgsql as $$
      begin perform pg_sleep(0.5); return new; end;
    $$;
    create trigger take_long before update on public.holds
      for each row execute function private.take_long()`);
  try {
    const slow = one(await sql`select * from public.expire_holds(1000)`);
    deepStrictEqual([slow.users, slow.expired], [1, 1]);
    const rest = one(await sql`select * from public.expire_holds(1000, ${slow.last_user_id})`);
    deepStrictEqual([rest.users, rest.expired], [1, 1]);
  } finally {
    await sql`drop function private.take_long() cascade`;
  }
});
