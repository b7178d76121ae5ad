/**
 * The life of a hold: it is reserved once, ends once, and what the answers say about it stays the same
 * however often a call is repeated.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { assertBooksAreRight } from "../support/backend.ts";
import { createTestDatabase } from "../support/database.ts";
import {
  balancesOf,
  buyStarter,
  capture,
  chargesOf,
  deduct,
  holdsOf,
  release,
  reserve,
  userWithCredits,
} from "../support/sql-bot.ts";
import { one } from "../support/lists.ts";

const database = await createTestDatabase();
const { sql } = database;
Deno.test.afterAll(() => database.drop());
Deno.test.afterEach(() => assertBooksAreRight(sql));

const JOB = "wamid.job";
const nobodyOwes = (credits: number, held: number) => ({
  credits,
  held,
  debt: 0,
  remaining: credits - held,
});

Deno.test("a reservation that is repeated reserves once, and returns what the first call did", async () => {
  const who = await userWithCredits(sql, 10);
  const first = await reserve(sql, who, JOB, { credits: 3 });
  await deduct(sql, who, "another job", { credits: 2 });
  deepStrictEqual(await reserve(sql, who, JOB, { credits: 3 }), { ...first, outcome: "replayed" });
  deepStrictEqual(await balancesOf(sql, who), nobodyOwes(8, 3));
});

Deno.test("a reservation that is repeated gets no more time", async () => {
  const who = await userWithCredits(sql, 10);
  const { expires_at } = await reserve(sql, who, JOB, {}, 30);
  deepStrictEqual((await reserve(sql, who, JOB, {}, 3_600)).expires_at, expires_at);
});

Deno.test("a reservation that is repeated after the capture says that it is captured", async () => {
  const who = await userWithCredits(sql, 10);
  strictEqual((await reserve(sql, who, JOB)).state, "open");
  await capture(sql, who, JOB);
  const { outcome, state, remaining_credits } = await reserve(sql, who, JOB);
  deepStrictEqual([outcome, state, remaining_credits], ["replayed", "captured", 9]);
  deepStrictEqual(await balancesOf(sql, who), nobodyOwes(9, 0));
});

Deno.test("a reference that is reserved or charged is not reserved for something else", async () => {
  const who = await userWithCredits(sql, 10);
  await reserve(sql, who, JOB, { credits: 3 });
  strictEqual((await reserve(sql, who, JOB, { credits: 2 })).outcome, "reference_reused");
  strictEqual(
    (await reserve(sql, who, JOB, { action: "video_generation" })).outcome,
    "reference_reused",
  );
  await capture(sql, who, JOB);
  strictEqual((await reserve(sql, who, JOB, { credits: 2 })).outcome, "reference_reused");
  await deduct(sql, who, "deducted");
  strictEqual((await reserve(sql, who, "deducted")).outcome, "reference_reused");
  deepStrictEqual(await balancesOf(sql, who), nobodyOwes(6, 0));
});

Deno.test("a reference whose hold was released is reserved anew, and pays once", async () => {
  const who = await userWithCredits(sql, 10);
  await reserve(sql, who, JOB, { credits: 3 });
  await release(sql, who, JOB);
  strictEqual((await reserve(sql, who, JOB, { credits: 5 })).outcome, "reserved");
  strictEqual((await capture(sql, who, JOB)).captured_credits, 5);
  strictEqual((await deduct(sql, who, JOB, { credits: 5 })).outcome, "replayed");
  deepStrictEqual(await chargesOf(sql, who), [`${JOB}: 5 for image_generation, 5 left`]);
});

Deno.test("a reference whose hold was released can be charged by a deduction", async () => {
  const who = await userWithCredits(sql, 10);
  await reserve(sql, who, JOB, { credits: 3 });
  await release(sql, who, JOB);
  strictEqual((await deduct(sql, who, JOB, { credits: 4 })).outcome, "deducted");
  strictEqual((await release(sql, who, JOB)).outcome, "hold_captured");
  strictEqual((await capture(sql, who, JOB, { credits: 4 })).outcome, "replayed");
  deepStrictEqual(await balancesOf(sql, who), nobodyOwes(6, 0));
});

Deno.test("a reservation that is refused leaves nothing that could be captured", async () => {
  const who = await userWithCredits(sql, 2);
  strictEqual((await reserve(sql, who, JOB, { credits: 3 })).outcome, "insufficient_credits");
  strictEqual((await reserve(sql, who, JOB, { action: "unknown" })).outcome, "action_not_found");
  strictEqual((await reserve(sql, who, JOB, { credits: 1_001 })).outcome, "too_many_credits");
  strictEqual((await capture(sql, who, JOB)).outcome, "hold_not_found");
  strictEqual((await release(sql, who, JOB)).outcome, "hold_not_found");
  deepStrictEqual(await balancesOf(sql, who), nobodyOwes(2, 0));
});

Deno.test("a capture of less charges that much and returns the rest", async () => {
  const who = await userWithCredits(sql, 10);
  await reserve(sql, who, JOB, { action: "voice_message", quantity: 150 });
  const first = await capture(sql, who, JOB, { quantity: 31 });
  deepStrictEqual([first.captured_credits, first.remaining_credits], [2, 8]);
  deepStrictEqual(await capture(sql, who, JOB, { quantity: 31 }), {
    ...first,
    outcome: "replayed",
  });
  strictEqual((await capture(sql, who, JOB, { quantity: 60 })).outcome, "reference_reused");
  strictEqual((await capture(sql, who, JOB)).outcome, "reference_reused");
  deepStrictEqual(await balancesOf(sql, who), nobodyOwes(8, 0));
});

Deno.test("a capture of more than was reserved changes nothing, whatever else is left", async () => {
  const who = await userWithCredits(sql, 10);
  await reserve(sql, who, JOB, { credits: 3 });
  strictEqual((await capture(sql, who, JOB, { credits: 4 })).outcome, "capture_exceeds_hold");
  deepStrictEqual(await balancesOf(sql, who), nobodyOwes(10, 3));
  strictEqual((await capture(sql, who, JOB)).captured_credits, 3);
});

Deno.test("a capture of 0 releases the hold, and may be repeated", async () => {
  const who = await userWithCredits(sql, 10);
  for (const none of [{ credits: 0 }, { quantity: 0 }]) {
    const reference = `nothing ${Object.keys(none)}`;
    const demand = "credits" in none ? { credits: 3 } : { action: "chat", quantity: 2_001 };
    await reserve(sql, who, reference, demand);
    const first = await capture(sql, who, reference, none);
    deepStrictEqual([first.outcome, first.captured_credits, first.remaining_credits], [
      "captured",
      0,
      10,
    ]);
    deepStrictEqual(await capture(sql, who, reference, none), { ...first, outcome: "replayed" });
    strictEqual((await capture(sql, who, reference)).outcome, "hold_released");
    strictEqual((await release(sql, who, reference)).outcome, "replayed");
  }
  deepStrictEqual(await chargesOf(sql, who), []);
});

Deno.test("no amount below nothing is captured, and none below one reserved", async () => {
  const who = await userWithCredits(sql, 10);
  await reserve(sql, who, JOB, { credits: 3 });
  for (const demand of [{ credits: -1 }, { quantity: -1 }]) {
    await rejects(capture(sql, who, JOB, demand), { code: "22023" });
  }
  for (const demand of [{ credits: -1 }, { credits: 0 }, { quantity: 0 }]) {
    await rejects(reserve(sql, who, "another job", demand), { code: "22023" });
  }
  deepStrictEqual(await balancesOf(sql, who), nobodyOwes(10, 3));
});

Deno.test("a capture in the other unit changes nothing", async () => {
  const who = await userWithCredits(sql, 10);
  await reserve(sql, who, "by credits", { credits: 3 });
  await reserve(sql, who, "by quantity", { action: "chat", quantity: 3_000 });
  strictEqual((await capture(sql, who, "by credits", { quantity: 1 })).outcome, "wrong_unit");
  strictEqual((await capture(sql, who, "by quantity", { credits: 1 })).outcome, "wrong_unit");
  deepStrictEqual(await balancesOf(sql, who), nobodyOwes(10, 6));
});

Deno.test("a capture costs what the price was at the reservation", async () => {
  const who = await userWithCredits(sql, 50);
  const price = (credits: number) =>
    sql`
      insert into public.action_prices (action_id, unit, credits, done_message)
      values ('song', 'song', ${credits}, 'Song generated successfully.')`;
  await price(3);
  const demand = { action: "song", quantity: 2 };
  await reserve(sql, who, JOB, demand);
  await price(10);
  strictEqual((await capture(sql, who, JOB, { quantity: 1 })).captured_credits, 3);
  strictEqual((await reserve(sql, who, JOB, demand)).outcome, "replayed");
  strictEqual((await deduct(sql, who, "another job", demand)).remaining_credits, 27);
});

Deno.test("an action without a price is refused, and one that is free cannot exist", async () => {
  const who = await userWithCredits(sql, 5);
  strictEqual((await deduct(sql, who, JOB, { action: "free" })).outcome, "action_not_found");
  strictEqual((await reserve(sql, who, JOB, { action: "free" })).outcome, "action_not_found");
  await rejects(
    sql`
    insert into public.action_prices (action_id, unit, credits, done_message)
    values ('free', 'word', 0, 'Done.')`,
    { constraint_name: "a_price_is_one_to_a_thousand_credits" },
  );
});

Deno.test("a release that is repeated returns what the first one did, and nothing more", async () => {
  const who = await userWithCredits(sql, 10);
  await reserve(sql, who, JOB, { credits: 3 });
  const first = await release(sql, who, JOB);
  deepStrictEqual([first.released_credits, first.remaining_credits], [3, 10]);
  await deduct(sql, who, "another job");
  deepStrictEqual(await release(sql, who, JOB), { ...first, outcome: "replayed" });
  strictEqual((await capture(sql, who, JOB)).outcome, "hold_released");
  deepStrictEqual(await balancesOf(sql, who), nobodyOwes(9, 0));
});

Deno.test("what was captured is not released", async () => {
  const who = await userWithCredits(sql, 10);
  await reserve(sql, who, JOB, { credits: 3 });
  await capture(sql, who, JOB, { credits: 1 });
  strictEqual((await release(sql, who, JOB)).outcome, "hold_captured");
  deepStrictEqual(await balancesOf(sql, who), nobodyOwes(9, 0));
});

Deno.test("one user has at most as many open holds as the setting allows", async () => {
  const who = await userWithCredits(sql, 50);
  await sql`update public.settings set value = 2 where name = 'max_open_holds'`;
  try {
    await reserve(sql, who, "first");
    await reserve(sql, who, "second");
    strictEqual((await reserve(sql, who, "third")).outcome, "too_many_holds");
    // Also where the credits would not suffice.
    strictEqual((await reserve(sql, who, "third", { credits: 100 })).outcome, "too_many_holds");
    strictEqual((await reserve(sql, who, "second")).outcome, "replayed");
    await release(sql, who, "first");
    strictEqual((await reserve(sql, who, "third")).outcome, "reserved");
  } finally {
    await sql`update public.settings set value = 20 where name = 'max_open_holds'`;
  }
});

Deno.test("without the setting no user may open a hold", async () => {
  const who = await userWithCredits(sql, 5);
  await rejects(
    sql.begin(async (sql) => {
      await sql`delete from public.settings where name = 'max_open_holds'`;
      strictEqual((await reserve(sql, who, JOB)).outcome, "too_many_holds");
      throw new Error("The setting is needed again");
    }),
    /needed again/,
  );
  strictEqual((await reserve(sql, who, JOB)).outcome, "reserved");
});

Deno.test("every answer says what is left besides what is reserved", async () => {
  const who = await userWithCredits(sql, 30);
  await reserve(sql, who, "reserved", { credits: 10 });
  const { phone } = who;
  const profile = one(
    await sql`
    select credits, remaining_credits, reserved_credits from public.get_user(${phone})`,
  );
  deepStrictEqual({ ...profile }, { credits: 30, remaining_credits: 20, reserved_credits: 10 });
  strictEqual((await reserve(sql, who, "second", { credits: 2 })).remaining_credits, 18);
  strictEqual((await deduct(sql, who, JOB)).remaining_credits, 17);
  strictEqual((await capture(sql, who, "second", { credits: 1 })).remaining_credits, 18);
  const refused = await deduct(sql, who, null, { credits: 19 });
  deepStrictEqual([refused.remaining_credits, refused.reserved_credits, refused.needed_credits], [
    18,
    10,
    "19",
  ]);
  await buyStarter(sql, who);
  const { remaining } = one(
    await sql`
    select p.remaining_after_grant as remaining from public.payments p
    join public.payment_orders o on o.id = p.order_id
    where o.phone_number = ${phone}`,
  );
  strictEqual(remaining, 38);
});

Deno.test("a capture whose entry cannot be written leaves the hold open", async () => {
  const who = await userWithCredits(sql, 10);
  await reserve(sql, who, JOB, { credits: 3 });
  await sql`
    alter table public.credit_transactions
    add constraint nothing_is_charged check (source <> 'image_generation') not valid`;
  try {
    for (const demand of [{}, { credits: 2 }]) {
      await rejects(capture(sql, who, JOB, demand), { constraint_name: "nothing_is_charged" });
    }
    await rejects(deduct(sql, who, "another job"), { constraint_name: "nothing_is_charged" });
  } finally {
    await sql`alter table public.credit_transactions drop constraint nothing_is_charged`;
  }
  deepStrictEqual(await holdsOf(sql, who), { [JOB]: "open" });
  deepStrictEqual(await balancesOf(sql, who), nobodyOwes(10, 3));
  strictEqual((await capture(sql, who, JOB)).outcome, "captured");
});

Deno.test("a hold that cannot be written reserves nothing", async () => {
  const who = await userWithCredits(sql, 10);
  await sql`
    alter table public.holds add constraint nothing_is_reserved check (false) not valid`;
  try {
    await rejects(reserve(sql, who, JOB), { constraint_name: "nothing_is_reserved" });
  } finally {
    await sql`alter table public.holds drop constraint nothing_is_reserved`;
  }
  deepStrictEqual(await balancesOf(sql, who), nobodyOwes(10, 0));
});

Deno.test("a hold lasts as long as it was asked for", async () => {
  const who = await userWithCredits(sql, 10);
  const { expires_at } = await reserve(sql, who, JOB, {}, 60);
  ok(expires_at instanceof Date);
  const { now } = one(await sql`select clock_timestamp() as now`);
  const seconds = (expires_at.getTime() - now.getTime()) / 1_000;
  ok(seconds > 30 && seconds <= 60, `${seconds} seconds are left of 60`);
});
