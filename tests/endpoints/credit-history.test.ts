/**
 * GET credit-history: a page lists what changed a user's credits.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { startBackend } from "../support/backend.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits } from "../support/purchases.ts";

const backend = await startBackend();
const { control } = backend.razorpay;
Deno.test.afterAll(() => backend.stop());

const historyPage = z.strictObject({
  user_id: z.uuid(),
  credits: z.int(),
  remaining_credits: z.int(),
  reserved_credits: z.literal(0),
  transactions: z.array(z.strictObject({
    id: z.uuid(),
    user_id: z.uuid(),
    action: z.enum(["credit", "debit"]),
    credits: z.int(),
    source: z.string(),
    reference_id: z.string().nullable(),
    created_at: z.iso.datetime({ offset: true }),
    balance_after: z.int(),
    quantity: z.int().nullable(),
  })),
  total: z.int(),
  next_cursor: z.string().nullable(),
  debt_credits: z.literal(0),
});
type Page = z.infer<typeof historyPage>;

async function readPage(path: string): Promise<Page> {
  return historyPage.parse(dataOf(await call("GET", path)));
}

/** Follows the cursors to the end. */
async function readAllPages(userId: string, limit: number): Promise<Page[]> {
  let page = await readPage(`credit-history/${userId}?limit=${limit}`);
  const pages = [page];
  while (page.next_cursor !== null) {
    page = await readPage(`credit-history/${userId}?limit=${limit}&cursor=${page.next_cursor}`);
    pages.push(page);
  }
  return pages;
}

async function newUser(): Promise<{ id: string; phone: string }> {
  const phone = newPhoneNumber();
  return { phone, id: z.uuid().parse(dataOf(await call("GET", `users/${phone}`)).id) };
}

/** A user with this many entries: a welcome, a purchase and deductions. */
async function userWithEntries(count: number): Promise<{ id: string; phone: string }> {
  const user = await newUser();
  await buyCredits(control, user.phone, "pro");
  await backend.sql`
    select outcome from generate_series(1, ${count - 2}) as number,
      lateral public.deduct_credits(${user.phone}, 1, 'job-' || number)`;
  return user;
}

Deno.test("the history lists every movement with its balance, newest first", async () => {
  const { id, phone } = await newUser();
  const { checkout } = await buyCredits(control, phone, "starter");
  await call("POST", "bot-deduct", {
    body: { phone_number: phone, credits: 5, reference_id: "wamid.first" },
  });
  await call("POST", "bot-deduct", { body: { phone_number: phone } });

  const answer = await call("GET", `credit-history/${id}`);
  strictEqual(answer.httpStatus, 200);
  strictEqual(answer.body.status, "SUCCESS");
  strictEqual(answer.body.message, "Credit history retrieved successfully");
  const { user_id, transactions, total, next_cursor } = historyPage.parse(answer.body.data);
  deepStrictEqual({ user_id, total, next_cursor }, { user_id: id, total: 4, next_cursor: null });
  deepStrictEqual(
    transactions.map(({ id: _, created_at: __, ...entry }) => entry),
    [
      {
        action: "debit",
        credits: 1,
        source: "image_generation",
        reference_id: null,
        balance_after: 17,
        quantity: 1,
      },
      {
        action: "debit",
        credits: 5,
        source: "image_generation",
        reference_id: "wamid.first",
        balance_after: 18,
        quantity: null,
      },
      {
        action: "credit",
        credits: 20,
        source: "payment",
        reference_id: checkout.razorpay_payment_id,
        balance_after: 23,
        quantity: null,
      },
      {
        action: "credit",
        credits: 3,
        source: "system",
        reference_id: "welcome",
        balance_after: 3,
        quantity: null,
      },
    ].map((entry) => ({ user_id: id, ...entry })),
  );
  const times = transactions.map(({ created_at }) => Date.parse(created_at));
  deepStrictEqual(times, times.toSorted((one, other) => other - one));
  strictEqual(new Set(transactions.map((entry) => entry.id)).size, 4);
});

Deno.test("a page holds 50 entries, or as many as were asked for up to 100", async () => {
  const { id } = await userWithEntries(120);
  for (const [query, length] of [["", 50], ["?limit=1", 1], ["?limit=100", 100]] as const) {
    const page = await readPage(`credit-history/${id}${query}`);
    strictEqual(page.transactions.length, length);
    strictEqual(page.total, 120);
    ok(page.next_cursor);
  }
});

Deno.test("the pages of any size together hold every entry once, newest first", async () => {
  const { id } = await userWithEntries(105);
  const whole = (await readAllPages(id, 100)).flatMap(({ transactions }) => transactions);
  strictEqual(whole.length, 105);
  strictEqual(new Set(whole.map((entry) => entry.id)).size, 105);
  strictEqual(whole.at(-1)?.source, "system");
  for (const limit of [7, 35, 50]) {
    const pages = await readAllPages(id, limit);
    strictEqual(pages.length, Math.ceil(105 / limit));
    deepStrictEqual(pages.flatMap(({ transactions }) => transactions), whole);
    ok(pages.every(({ total }) => total === 105));
  }
});

Deno.test("entries that arrive between two pages neither repeat nor hide one", async () => {
  const { id, phone } = await userWithEntries(20);
  const first = await readPage(`credit-history/${id}?limit=10`);
  await call("POST", "bot-deduct", { body: { phone_number: phone } });
  await call("POST", "bot-deduct", { body: { phone_number: phone } });
  const second = await readPage(`credit-history/${id}?limit=10&cursor=${first.next_cursor}`);
  strictEqual(second.next_cursor, null);
  strictEqual(second.total, 22);
  const ids = [...first.transactions, ...second.transactions].map((entry) => entry.id);
  strictEqual(new Set(ids).size, 20);
});

Deno.test("the page after the oldest entry is empty", async () => {
  const { id } = await newUser();
  const { transactions, total, next_cursor } = await readPage(`credit-history/${id}?cursor=1`);
  deepStrictEqual({ transactions, total, next_cursor }, {
    transactions: [],
    total: 1,
    next_cursor: null,
  });
});

Deno.test("a history holds nobody else's entries", async () => {
  const [one, other] = [await newUser(), await newUser()];
  await call("POST", "bot-deduct", { body: { phone_number: other.phone } });
  strictEqual((await readPage(`credit-history/${one.id}`)).total, 1);
});

Deno.test("the user may come in the path or in the query, in either case of letters", async () => {
  const { id } = await newUser();
  for (
    const path of [
      `credit-history/${id}`,
      `credit-history/${id}/`,
      `credit-history?user_id=${id}`,
      `credit-history/?user_id=${id}&limit=50`,
      `credit-history/${id.toUpperCase()}`,
    ]
  ) {
    strictEqual((await readPage(path)).total, 1, path);
  }
});

Deno.test("an unknown user is not found, and not created", async () => {
  const id = randomUUID();
  for (const path of [`credit-history/${id}`, `credit-history?user_id=${id}&limit=1&cursor=5`]) {
    expectError(await call("GET", path), {
      httpStatus: 404,
      code: "USER_NOT_FOUND",
      message: "User not found",
    });
  }
});

Deno.test.each([
  "credit-history",
  "credit-history/",
  "credit-history?user_id=",
  "credit-history?limit=5",
])(
  "%s lacks the user",
  async (path) => {
    expectError(await call("GET", path), {
      httpStatus: 400,
      code: "MISSING_FIELD",
      message: "User ID is required",
    });
  },
);

Deno.test.each([
  ["user_id", "1"],
  ["user_id", "not-a-uuid"],
  ["user_id", "+919876543210"],
  ["user_id", "{9f1c7a52-5f0a-4a3e-9d0e-0e6a4f0b7a11}"],
  ["user_id", "9f1c7a52-5f0a-4a3e-9d0e-0e6a4f0b7a11%00"],
  ["user_id", "' or true --"],
  ["limit", "0"],
  ["limit", "-1"],
  ["limit", "101"],
  ["limit", "1000000000"],
  ["limit", "99999999999999999999"],
  ["limit", "1.5"],
  ["limit", "1e1"],
  ["limit", "0x10"],
  ["limit", "+5"],
  ["limit", " 5"],
  ["limit", "５"],
  ["limit", ""],
  ["limit", "50; drop table users"],
  ["cursor", "0"],
  ["cursor", "-1"],
  ["cursor", "2147483648"],
  ["cursor", "abc"],
  ["cursor", ""],
])("credit-history refuses %s=%s, and names the field", async (field, value) => {
  const query = new URLSearchParams({ user_id: randomUUID(), [field]: value });
  expectError(await call("GET", `credit-history?${query}`), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: new RegExp(`^${field} `),
  });
});

Deno.test("credit-history refuses a user in the path and one in the query", async () => {
  const id = randomUUID();
  expectError(await call("GET", `credit-history/${id}?user_id=${id}`), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: /\buser_id\b/,
  });
});
