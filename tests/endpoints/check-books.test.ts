/**
 * GET check-books: what the check of the books has found. tests/database/book-checks.test.ts has how it
 * is found.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { z } from "zod";
import { checkBooks } from "shared/contract/check-books.ts";
import { startBackend } from "../support/backend.ts";
import { newCustomer, userIdOf } from "../support/bot.ts";
import { dataOf } from "../support/calls.ts";
import { one } from "../support/lists.ts";
import { ask } from "../support/operators.ts";

const backend = await startBackend();
const { sql } = backend;
Deno.test.afterAll(() => backend.stop());

async function check() {
  const answer = await ask("check-books");
  strictEqual(answer.httpStatus, 200);
  return z.strictObject(checkBooks.data.shape).parse(dataOf(answer));
}

const run = () => sql`select from public.run_book_check()`;

Deno.test("before the first run nothing is known", async () => {
  deepStrictEqual(await check(), {
    violations: [],
    checked_at: null,
    runs: [],
    whole_run: null,
  });
});

Deno.test("what the newest run found is told until a later one finds it no more, and asking checks nothing", async () => {
  await run();
  const clean = await check();
  deepStrictEqual(clean.violations, []);
  ok(clean.checked_at !== null);

  const user_id = await userIdOf(sql, await newCustomer(sql, 10));
  await sql`update public.users set credits = 11 where id = ${user_id}`;
  deepStrictEqual(await check(), clean);

  await run();
  const broken = await check();
  const { invariant, subject, detail, ...about } = one(broken.violations);
  deepStrictEqual([about.user_id, about.order_id], [user_id, null]);
  deepStrictEqual([invariant, subject], [
    "the balance is that after the newest entry",
    `user ${user_id}`,
  ]);
  match(detail, /11/);
  ok(broken.checked_at !== null && broken.checked_at > clean.checked_at);

  await sql`update public.users set credits = 10 where id = ${user_id}`;
  strictEqual((await check()).violations.length, 1);
  await run();
  deepStrictEqual((await check()).violations, []);
});

Deno.test("the newest runs are told with their results, and the last one that checked everything", async () => {
  await sql`delete from public.book_checks`;
  await run();
  await sql`select from public.run_book_check(whole => true)`;
  const user_id = await userIdOf(sql, await newCustomer(sql, 10));
  await sql`update public.users set credits = 11 where id = ${user_id}`;
  await run();
  const { runs, whole_run, checked_at } = await check();
  deepStrictEqual(runs.map(({ is_whole, violation_count }) => [is_whole, violation_count]), [
    [false, 1],
    [true, 0],
    [false, 0],
  ]);
  strictEqual(runs[0]?.checked_at, checked_at);
  deepStrictEqual(whole_run, runs[1]);
  deepStrictEqual([whole_run?.since, whole_run?.before], [null, null]);
  ok((runs[0]?.since ?? "") < (runs[0]?.before ?? ""));

  await sql`update public.users set credits = 10 where id = ${user_id}`;
  for (let count = 1; count <= 50; count++) await run();
  const later = await check();
  strictEqual(later.runs.length, 50);
  deepStrictEqual(later.whole_run, whole_run);
});
