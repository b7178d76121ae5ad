/**
 * A balance that runs out: said once, when it happens, and shown in every answer as long as it lasts.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { forgetEvents, type Told, toldAbout as everythingToldAbout } from "../support/events.ts";
import { one } from "../support/lists.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());
const { sql } = backend;
Deno.test.beforeEach(() => forgetEvents(sql));

/** What is told of the balance, apart from the credits that a test gives. */
async function toldAbout(phone: string): Promise<Told[]> {
  const told = await everythingToldAbout(sql, phone);
  return told.filter(({ type }) => type !== "credits.granted");
}

async function typesToldAbout(phone: string): Promise<string[]> {
  return (await toldAbout(phone)).map(({ type }) => type);
}

/** Somebody with this balance, of whom nothing was told yet. */
async function userWith(credits: number): Promise<{ phone: string; userId: string }> {
  const phone = newPhoneNumber();
  const { user_id } = one(await sql`select user_id from public.get_user(${phone})`);
  if (credits < 3) await deduct(phone, { credits: 3 - credits });
  if (credits > 3) await grant(user_id, credits - 3);
  await forgetEvents(sql);
  return { phone, userId: user_id };
}

async function grant(userId: string, credits: number): Promise<void> {
  const reference = crypto.randomUUID();
  await sql`select from public.adjust_credits(${userId}, ${credits}, 'Asha', 'A test', ${reference})`;
}

async function deduct(phone_number: string, fields: Record<string, unknown> = {}) {
  return dataOf(await call("POST", "bot-deduct", { body: { phone_number, ...fields } }));
}

/** What bot-capture answers for these credits, all of which were reserved. */
async function capture(
  phone_number: string,
  credits: number,
  captured: Record<string, unknown> = {},
) {
  const reference_id = crypto.randomUUID();
  const body = { phone_number, reference_id };
  dataOf(await call("POST", "bot-reserve", { body: { ...body, credits } }));
  return dataOf(await call("POST", "bot-capture", { body: { ...body, ...captured } }));
}

/** The two ways in which a deduction is made, and the two of a capture. */
const WAYS: Record<string, (phone: string, credits: number) => Promise<Record<string, unknown>>> = {
  "a deduction": (phone, credits) => deduct(phone, { credits }),
  // Not the number in the user's row, so the long way around.
  "a deduction by another identity": async (phone, credits) => {
    const whatsapp_user_id = newWhatsappId();
    const both = { phone_number: phone, whatsapp_user_id };
    dataOf(await call("GET", `bot-credits?${new URLSearchParams(both)}`));
    return dataOf(await call("POST", "bot-deduct", { body: { whatsapp_user_id, credits } }));
  },
  "a capture": (phone, credits) => capture(phone, credits),
  "a capture of the amount": (phone, credits) => capture(phone, credits, { credits }),
};

for (const [way, spend] of Object.entries(WAYS)) {
  Deno.test(`${way} that reaches the threshold is told once, and so is one that reaches 0`, async () => {
    const { phone } = await userWith(4);
    deepStrictEqual((await spend(phone, 2)).low_balance, undefined);
    deepStrictEqual(await toldAbout(phone), []);
    strictEqual((await spend(phone, 1)).low_balance, true);
    const low = { type: "credits.low", data: { threshold_credits: 1 } };
    deepStrictEqual(await toldAbout(phone), [low]);
    strictEqual((await spend(phone, 1)).low_balance, true);
    deepStrictEqual(await toldAbout(phone), [low, { type: "credits.exhausted", data: {} }]);
  });

  Deno.test(`${way} from 3 to 0 tells only that nothing is left`, async () => {
    const { phone } = await userWith(3);
    strictEqual((await spend(phone, 3)).low_balance, true);
    deepStrictEqual(await typesToldAbout(phone), ["credits.exhausted"]);
  });

  Deno.test(`${way} tells nothing of a balance that stays below the threshold`, async () => {
    await sql`update public.settings set value = 5 where name = 'low_balance_credits'`;
    try {
      const { phone, userId } = await userWith(7);
      for (let left = 6; left > 1; left--) await spend(phone, 1);
      deepStrictEqual(await toldAbout(phone), [
        { type: "credits.low", data: { threshold_credits: 5 } },
      ]);
      // From 2 to 5, which is not above it.
      await grant(userId, 3);
      await spend(phone, 1);
      deepStrictEqual(await typesToldAbout(phone), ["credits.low"]);
      await grant(userId, 2);
      await spend(phone, 1);
      deepStrictEqual(await typesToldAbout(phone), ["credits.low", "credits.low"]);
    } finally {
      await sql`update public.settings set value = 1 where name = 'low_balance_credits'`;
    }
  });
}

Deno.test("a repeated call repeats low_balance, and tells nothing again", async () => {
  const { phone, userId } = await userWith(2);
  const spent = await deduct(phone, { reference_id: "job-1" });
  deepStrictEqual(spent, { remaining_credits: 1, low_balance: true });
  const body = { phone_number: phone, reference_id: "job-2" };
  dataOf(await call("POST", "bot-reserve", { body: { ...body, credits: 1 } }));
  const captured = dataOf(await call("POST", "bot-capture", { body: { ...body, credits: 0 } }));
  strictEqual(captured.low_balance, true);
  await grant(userId, 10);
  await forgetEvents(sql);
  deepStrictEqual(await deduct(phone, { reference_id: "job-1" }), spent);
  const again = await call("POST", "bot-capture", { body: { ...body, credits: 0 } });
  deepStrictEqual(dataOf(again), captured);
  deepStrictEqual(await toldAbout(phone), []);
});

Deno.test("bot-credits says low_balance at the threshold or below, whatever is reserved", async () => {
  const { phone } = await userWith(2);
  const lowBalance = async () => dataOf(await call("GET", `bot-credits/${phone}`)).low_balance;
  strictEqual(await lowBalance(), undefined);
  const body = { phone_number: phone, reference_id: "job-1", credits: 2 };
  dataOf(await call("POST", "bot-reserve", { body }));
  strictEqual(await lowBalance(), undefined);
  deepStrictEqual(await toldAbout(phone), []);
  dataOf(
    await call("POST", "bot-release", { body: { phone_number: phone, reference_id: "job-1" } }),
  );
  await deduct(phone);
  strictEqual(await lowBalance(), true);
});

Deno.test("a refused deduction tells nothing", async () => {
  const { phone } = await userWith(1);
  const answer = await call("POST", "bot-deduct", { body: { phone_number: phone, credits: 2 } });
  strictEqual(answer.body.status, "INSUFFICIENT_CREDITS");
  deepStrictEqual(answer.body.data, { remaining_credits: 1 });
  deepStrictEqual(await toldAbout(phone), []);
});

Deno.test("of many deductions at once, one is told to have reached the threshold, and one 0", async () => {
  const { phone } = await userWith(12);
  await Promise.all(
    Array.from({ length: 20 }, () => call("POST", "bot-deduct", { body: { phone_number: phone } })),
  );
  deepStrictEqual((await typesToldAbout(phone)).sort(), ["credits.exhausted", "credits.low"]);
});

Deno.test("a merge tells nothing, although it empties an account", async () => {
  const from = await userWith(3);
  const into = await userWith(0);
  await sql`select public.merge_users(${from.userId}, ${into.userId})`;
  strictEqual((await sql`select from public.events`).length, 0);
});
