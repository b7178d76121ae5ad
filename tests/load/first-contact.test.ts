/**
 * Many first contacts of one person at once: one user, one welcome.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { openConnections } from "../support/connections.ts";
import { at, first, one } from "../support/lists.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());

/** One user with one entry, a welcome of 3 credits. */
async function expectOneWelcome(phone: string): Promise<void> {
  const entries = await backend.sql`
    select u.credits as balance, t.action, t.credits, t.source, t.balance_after
    from public.users u left join public.credit_transactions t on t.user_id = u.id
    where u.phone_number = ${phone}`;
  deepStrictEqual([...entries], [
    { balance: 3, action: "credit", credits: 3, source: "system", balance_after: 3 },
  ]);
}

Deno.test("50 first contacts of one number at once are one user with one welcome", async () => {
  const phone = newPhoneNumber();
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => call("GET", `users/${phone}`)),
  );
  strictEqual(answers.length, 50);
  for (const { httpStatus, body } of answers) {
    strictEqual(httpStatus, 200);
    deepStrictEqual(body, first(answers).body);
  }
  strictEqual(dataOf(first(answers)).credits, 3);
  await expectOneWelcome(phone);
});

Deno.test("50 first contacts at once by different functions and spellings are one user", async () => {
  const phone = newPhoneNumber();
  const [digits, national] = [phone.slice(1), phone.slice(3)];
  const contacts = [
    () => call("GET", `users/${phone}`),
    () => call("GET", `users/0${national}`),
    () => call("GET", `users?phone_number=${national}`),
    () => call("GET", `bot-credits/${digits}`),
    () => call("POST", "bot-deduct", { body: { phone_number: digits, credits: 1000 } }),
  ];
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => at(contacts, index % contacts.length)()),
  );
  for (const { httpStatus } of answers) strictEqual(httpStatus, 200);
  await expectOneWelcome(phone);
});

Deno.test("50 first contacts at once on connections of their own are one user with one welcome", async () => {
  const phone = newPhoneNumber();
  await using connections = await openConnections(backend.database.url, 50);
  const rows = await connections.all((sql) => sql`select * from public.get_user(${phone})`);
  strictEqual(new Set(rows.map((rows) => one(rows).user_id)).size, 1);
  for (const { credits } of rows.map(one)) strictEqual(credits, 3);
  await expectOneWelcome(phone);
});
