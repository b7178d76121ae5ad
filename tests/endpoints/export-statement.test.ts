/**
 * GET export-statement: an operator exports what happened to a balance, as JSON or CSV.
 * @module
 */

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { exportStatement } from "shared/contract/export-statement.ts";
import { toCsv } from "shared/http/csv.ts";
import { startBackend } from "../support/backend.ts";
import { deduct, newCustomer, userIdOf } from "../support/bot.ts";
import { dataOf, expectError, operatorHeaders, send } from "../support/calls.ts";
import { act, adjust, ask } from "../support/operators.ts";

const backend = await startBackend();
const { sql } = backend;
Deno.test.afterAll(() => backend.stop());

/** A customer with a history: a welcome of 10, two images, and an adjustment. */
async function customer() {
  const who = await newCustomer(sql, 10);
  const user_id = await userIdOf(sql, who);
  dataOf(await deduct({ ...who, reference_id: `job 1 of ${user_id}` }));
  dataOf(await deduct({ ...who, reference_id: `job 2 of ${user_id}`, credits: 3 }));
  await adjust(user_id, 5, { reference_id: `ticket of ${user_id}` });
  return { who, user_id };
}

async function statement(query: string): Promise<z.infer<typeof exportStatement["data"]>> {
  const answer = await ask(`export-statement?${query}`);
  return z.strictObject(exportStatement.data.shape).parse(dataOf(answer));
}

async function csv(query: string): Promise<{ headers: Headers; rows: string[] }> {
  const response = await send("GET", `export-statement?${query}&format=csv`, {
    headers: operatorHeaders(),
  });
  strictEqual(response.status, 200);
  const text = await response.text();
  strictEqual(text.endsWith("\r\n"), true);
  return { headers: response.headers, rows: text.split("\r\n").slice(0, -1) };
}

/** Puts a customer's entries on days of their own, the first of them on 1 November. */
async function spreadOut(user_id: string): Promise<void> {
  await sql.begin(async (sql) => {
    await sql`
      alter table public.credit_transactions disable trigger user`;
    await sql`
      update public.credit_transactions
      set created_at = '2026-10-31T12:00:00Z'::timestamptz + sequence_number * interval '1 day'
      where user_id = ${user_id}`;
    await sql`
      alter table public.credit_transactions enable trigger user`;
  });
}

Deno.test("a statement has the balance before, every entry, and the balance after", async () => {
  const { user_id } = await customer();
  const { entries, ...rest } = await statement(`user_id=${user_id}`);
  deepStrictEqual(rest, { user_id, opening_balance: 0, closing_balance: 11 });
  deepStrictEqual(
    entries.map((entry) => [
      entry.sequence_number,
      entry.action,
      entry.credits,
      entry.source,
      entry.balance_after,
    ]),
    [
      [1, "credit", 10, "system", 10],
      [2, "debit", 1, "image_generation", 9],
      [3, "debit", 3, "image_generation", 6],
      [4, "credit", 5, "adjustment", 11],
    ],
  );
});

Deno.test.each(
  [
    ["from=2026-11-02&to=2026-11-04", [10, 6], [2, 3]],
    ["from=2026-11-04T12:00:00Z", [6, 11], [4]],
    ["to=2026-11-01T12:00:00Z", [0, 0], []],
    ["to=2026-11-01T17:30:01%2B05:30", [0, 10], [1]],
    ["from=2026-12-01", [11, 11], []],
  ] as const,
)("the period %s adds up", async (period, balances, numbers) => {
  const { user_id } = await customer();
  await spreadOut(user_id);
  const { opening_balance, closing_balance, entries } = await statement(
    `user_id=${user_id}&${period}`,
  );
  deepStrictEqual([opening_balance, closing_balance], balances);
  deepStrictEqual(entries.map(({ sequence_number }) => sequence_number), numbers);
});

Deno.test("the history of a merged account ends with its merge", async () => {
  const [old, current] = [await customer(), await customer()];
  const merge = { from_user_id: old.user_id, into_user_id: current.user_id };
  dataOf(await act("merge-users", merge));
  const { closing_balance, entries } = await statement(`user_id=${old.user_id}`);
  deepStrictEqual([closing_balance, entries.at(-1)?.source], [0, "merge"]);
});

Deno.test("CSV is a file of its own, with a row for each entry between the two balances", async () => {
  const { user_id } = await customer();
  await spreadOut(user_id);
  const { headers, rows } = await csv(`user_id=${user_id}&from=2026-11-02&to=2026-12-01`);
  strictEqual(headers.get("content-type"), "text/csv; charset=utf-8");
  strictEqual(
    headers.get("content-disposition"),
    `attachment; filename="statement-${user_id}.csv"`,
  );
  strictEqual(headers.get("cache-control"), "no-store");
  strictEqual(headers.get("x-content-type-options"), "nosniff");
  match(headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
  deepStrictEqual(rows, [
    '"sequence_number","created_at","action","credits","source","reference_id","balance"',
    ',"2026-11-02T00:00:00Z","opening balance",,,,10',
    `2,"2026-11-02T12:00:00+00:00","debit",1,"image_generation","job 1 of ${user_id}",9`,
    `3,"2026-11-03T12:00:00+00:00","debit",3,"image_generation","job 2 of ${user_id}",6`,
    `4,"2026-11-04T12:00:00+00:00","credit",5,"adjustment","ticket of ${user_id}",11`,
    ',"2026-12-01T00:00:00Z","closing balance",,,,11',
  ]);
});

Deno.test.each(
  [
    '=HYPERLINK("http://example.com")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1,2)",
    " =1",
    "＝1",
  ],
)("a reference that a spreadsheet would run, %j, is text in CSV", async (reference_id) => {
  const who = await newCustomer(sql, 10);
  const user_id = await userIdOf(sql, who);
  dataOf(await deduct({ ...who, reference_id }));
  const { rows } = await csv(`user_id=${user_id}`);
  const cell = `"'${reference_id.replaceAll('"', '""')}"`;
  strictEqual(rows[3]?.includes(`,${cell},9`), true, rows[3]);
  // As JSON it is what the bot sent.
  strictEqual((await statement(`user_id=${user_id}`)).entries[1]?.reference_id, reference_id);
});

Deno.test.each([
  ["job;=1+1", "job;'=1+1"],
  ['job; "=1+1', "job;' \"=1+1"],
  ["job\t@SUM(1,-2)", "job\t'@SUM(1,'-2)"],
  ["job\n=1+1", "job\n'=1+1"],
  ["\n=1+1", "'\n'=1+1"],
  ["\t\t=1+1", "'\t'\t'=1+1"],
  ["job-1; a+b, 5", "job-1; a+b, 5"],
])("a cell that another separator would begin within %j is text, too", (text, cell) => {
  strictEqual(toCsv([[text]]), `"${cell.replaceAll('"', '""')}"\r\n`);
});

Deno.test("a comma, a quote and a line are part of a cell", async () => {
  const who = await newCustomer(sql, 10);
  const user_id = await userIdOf(sql, who);
  dataOf(await deduct({ ...who, reference_id: 'a "b", c' }));
  const { rows } = await csv(`user_id=${user_id}`);
  strictEqual(rows[3]?.includes(',"a ""b"", c",9'), true, rows[3]);
});

Deno.test("a statement that would be too long asks for a shorter period", async () => {
  const who = await newCustomer(sql, 20_000);
  const user_id = await userIdOf(sql, who);
  await sql.begin(async (sql) => {
    await sql`
      insert into public.credit_transactions
        (user_id, sequence_number, action, credits, source, reference_id, balance_after)
      select ${user_id}, n, 'debit', 1, 'image_generation', 'bulk ' || n, 20001 - n
      from generate_series(2, 10001) n`;
    await sql`
      update public.users set credits = 10000, transaction_count = 10001 where id = ${user_id}`;
  });
  expectError(await ask(`export-statement?user_id=${user_id}`), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: "from and to span more than 10000 entries",
  });
  dataOf(await ask(`export-statement?user_id=${user_id}&from=2100-01-01`));
});

Deno.test.each(
  [
    ["", "MISSING_FIELD"],
    ["user_id=somebody", "INVALID_REQUEST"],
    ["from=yesterday", "INVALID_REQUEST"],
    ["to=2026-13-01", "INVALID_REQUEST"],
    ["to=2026-11-01T00:00:00", "INVALID_REQUEST"],
    ["from=0000-01-01", "INVALID_REQUEST"],
    ["from=0000-11-01T00:00:00Z", "INVALID_REQUEST"],
    ["from=1999-12-31", "INVALID_REQUEST"],
    ["to=2026-11-01T00:00:00%2B16:00", "INVALID_REQUEST"],
    ["to=2026-11-01T00:00:00-23:59", "INVALID_REQUEST"],
    [`to=2026-11-01T00:00:00.${"1".repeat(100)}Z`, "INVALID_REQUEST"],
    ["from=2026-11-02&to=2026-11-01", "INVALID_REQUEST"],
    ["from=2026-11-01&to=2026-11-01T05:30:00%2B05:30", "INVALID_REQUEST"],
    ["format=xlsx", "INVALID_REQUEST"],
  ] as const,
)("export-statement refuses %j: %s", async (query, code) => {
  const user = query === "" || query.startsWith("user_id") ? "" : `user_id=${randomUUID()}&`;
  expectError(await ask(`export-statement?${user}${query}`), { httpStatus: 400, code });
});

Deno.test.each([
  "2000-01-01",
  "2000-01-01T00:00:00.123456789Z",
  "2026-11-01T00:00:00%2B15:59",
  "9999-12-31T23:59:59-15:59",
])("export-statement reads every time that it accepts, such as %s", async (moment) => {
  const user_id = await userIdOf(sql, await newCustomer(sql, 10));
  for (const field of ["from", "to"]) {
    dataOf(await ask(`export-statement?user_id=${user_id}&${field}=${moment}`));
  }
});

Deno.test("an unknown user is USER_NOT_FOUND", async () => {
  for (const format of ["json", "csv"]) {
    expectError(await ask(`export-statement?user_id=${randomUUID()}&format=${format}`), {
      httpStatus: 404,
      code: "USER_NOT_FOUND",
    });
  }
});
