/**
 * Entries of the ledger are never changed or removed.
 * @module
 */

import { deepStrictEqual, ok, rejects } from "node:assert/strict";
import postgres from "postgres";
import { createTestDatabase } from "../support/database.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";

const database = await createTestDatabase();
Deno.test.afterAll(() => database.drop());

const REFUSED = { code: "23001", message: /append-only/ };

Deno.test.each([
  "update public.credit_transactions set credits = credits + 1",
  "update public.credit_transactions set reference_id = reference_id",
  "update public.credit_transactions set balance_after = 1000 where sequence_number = 1",
  "delete from public.credit_transactions",
  "delete from public.credit_transactions where action = 'debit'",
  "truncate public.credit_transactions",
  "truncate public.users cascade",
  "insert into public.credit_transactions select * from public.credit_transactions " +
  "on conflict (user_id, sequence_number) do update set credits = 1000",
])("neither the tables' owner nor a superuser gets through: %s", async (statement) => {
  const phone = newPhoneNumber();
  await database.sql`select public.deduct_credits(${phone}, 2)`;
  const ledger = () => database.sql`select * from public.credit_transactions order by id`;
  const before = [...await ledger()];
  ok(before.length >= 2);

  await rejects(database.sql.unsafe(statement), REFUSED);
  const superuser = postgres(database.superuserUrl, { max: 1 });
  try {
    await rejects(superuser.unsafe(statement), REFUSED);
  } finally {
    await superuser.end();
  }
  deepStrictEqual([...await ledger()], before);
});

Deno.test("no column of an entry but its reference can ever be written", async () => {
  const columns = await database.sql`
    select a.attname as name, a.attnum = any (t.tgattr) as is_kept
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_trigger t
      on t.tgrelid = a.attrelid and t.tgname = 'credit_transactions_are_append_only'
    where a.attrelid = 'public.credit_transactions'::regclass and a.attnum > 0 and not a.attisdropped`;
  ok(columns.length > 1);
  deepStrictEqual(
    columns.filter(({ is_kept }) => !is_kept).map(({ name }) => name),
    ["reference_id"],
  );
});

Deno.test("a user with a history cannot be removed, and a package that was ordered neither", async () => {
  const phone = newPhoneNumber();
  await database.sql`
    select public.place_order(
      package_id => 'starter', key_mode => 'test', channel => 'link', phone_number => ${phone}
    )`;
  await rejects(
    database.sql`delete from public.users where phone_number = ${phone}`,
    { code: "23503" },
  );
  await rejects(database.sql`delete from public.packages where id = 'starter'`, { code: "23503" });
});
