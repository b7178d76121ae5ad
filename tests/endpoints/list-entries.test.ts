/**
 * GET list-entries: an operator reads the history of an account, page by page.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { listEntries } from "shared/contract/list-entries.ts";
import { deduct, newCustomer, newReference, userIdOf } from "../support/bot.ts";
import { dataOf, expectError } from "../support/calls.ts";
import { at, first } from "../support/lists.ts";
import { act, adjust, ask } from "../support/operators.ts";
import { usePaymentHarness } from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits } from "../support/purchases.ts";

const shop = await usePaymentHarness();
const { sql, control } = shop;

async function list(query: string): Promise<z.infer<typeof listEntries["data"]>> {
  const answer = await ask(`list-entries?${query}`);
  return z.strictObject(listEntries.data.shape).parse(dataOf(answer));
}

Deno.test("an entry says what it cost by which price, and which payment and order it is of", async () => {
  const purchase = await buyCredits(control, newPhoneNumber(), "starter");
  const who = { phone_number: purchase.phone };
  const user_id = await userIdOf(sql, who);
  const order_id = await shop.orderIdOf(purchase);
  const payment_id = purchase.checkout.razorpay_payment_id;
  const reference_id = newReference();
  dataOf(await deduct({ ...who, reference_id, action: "voice_message", quantity: 61 }));
  dataOf(await act("refund-payment", { payment_id, amount_paise: 4_950 }));
  const other = await newCustomer(sql, 7);
  const from_user_id = await userIdOf(sql, other);
  dataOf(await act("merge-users", { from_user_id, into_user_id: user_id }));

  const page = await list(`user_id=${user_id}`);
  deepStrictEqual([page.user_id, page.total, page.next_cursor], [user_id, 5, null]);
  const [merge, refund, charge, payment, welcome] = page.entries;
  const { created_at: _, ...charged } = z.object({ created_at: z.string() }).loose().parse(charge);
  deepStrictEqual(charged, {
    sequence_number: 3,
    action: "debit",
    credits: 3,
    source: "voice_message",
    reference_id,
    balance_after: 20,
    remaining_after: 20,
    quantity: 61,
    price: { unit: "second", credits: 1, per_quantity: 30, minimum_credits: 1 },
    payment: null,
    merged_user_id: null,
  });
  deepStrictEqual(payment?.payment, { payment_id, order_id });
  deepStrictEqual(refund?.payment, { payment_id, order_id });
  deepStrictEqual([merge?.source, merge?.merged_user_id], ["merge", from_user_id]);
  deepStrictEqual([welcome?.price, welcome?.payment, welcome?.quantity], [null, null, null]);
});

Deno.test("pages of 500 make up a history of 10,000 entries, without a gap", async () => {
  const who = await newCustomer(sql, 20_000);
  const user_id = await userIdOf(sql, who);
  await sql.begin(async (sql) => {
    await sql`
      insert into public.credit_transactions
        (user_id, sequence_number, action, credits, source, reference_id, balance_after)
      select ${user_id}, n, 'debit', 1, 'image_generation', 'bulk ' || n, 20001 - n
      from generate_series(2, 10000) n`;
    await sql`
      update public.users set credits = 10001, transaction_count = 10000 where id = ${user_id}`;
  });
  const numbers: number[] = [];
  let pages = 0;
  for (let cursor: string | null = ""; cursor !== null; pages++) {
    const page: z.infer<typeof listEntries["data"]> = await list(
      `user_id=${user_id}&limit=500${cursor && `&cursor=${cursor}`}`,
    );
    strictEqual(page.total, 10_000);
    numbers.push(...page.entries.map(({ sequence_number }) => sequence_number));
    cursor = page.next_cursor;
  }
  strictEqual(pages, 20);
  deepStrictEqual(numbers, Array.from({ length: 10_000 }, (_, index) => 10_000 - index));
  strictEqual((await list(`user_id=${user_id}`)).entries.length, 100);
});

Deno.test("a merged account has its own history until its merge", async () => {
  const [old, current] = [await newCustomer(sql, 4), await newCustomer(sql, 1)];
  const [from_user_id, into_user_id] = [await userIdOf(sql, old), await userIdOf(sql, current)];
  dataOf(await act("merge-users", { from_user_id, into_user_id }));
  const { user_id, total, entries } = await list(`user_id=${from_user_id}`);
  deepStrictEqual([user_id, total], [from_user_id, 2]);
  deepStrictEqual(
    entries.map(({ source, merged_user_id }) => [source, merged_user_id]),
    [["merge", into_user_id], ["system", null]],
  );
});

Deno.test("the entries of somebody who was erased stay, with nothing that names them", async () => {
  const who = await newCustomer(sql, 5);
  const user_id = await userIdOf(sql, who);
  const reference_id = newReference();
  dataOf(await deduct({ ...who, reference_id }));
  dataOf(await act("erase-user", { user_id }));
  const { entries } = await list(`user_id=${user_id}`);
  strictEqual(entries.length, 2);
  ok(!JSON.stringify(entries).includes(reference_id));
  ok(!JSON.stringify(entries).includes(who.phone_number.slice(1)));
});

const HOSTILE = [
  "<script>alert(1)</script>",
  "'; drop table public.users; --",
  '{"payment": {"payment_id": "pay_1"}}',
  '=HYPERLINK("http://example.com")',
  "\u202Etxt.exe",
  "into 00000000-0000-0000-0000-000000000000",
];

Deno.test("whatever a reference says is returned exactly as it was written", async () => {
  const who = await newCustomer(sql, 50);
  const user_id = await userIdOf(sql, who);
  for (const reference_id of HOSTILE) dataOf(await deduct({ ...who, reference_id }));
  for (const reference_id of HOSTILE) await adjust(user_id, 1, { reference_id });
  const { entries } = await list(`user_id=${user_id}&limit=${2 * HOSTILE.length}`);
  deepStrictEqual(
    entries.map(({ reference_id }) => reference_id).reverse(),
    [...HOSTILE, ...HOSTILE],
  );
  for (const { payment, merged_user_id } of entries) {
    deepStrictEqual([payment, merged_user_id], [null, null]);
  }
});

Deno.test("a page is as long as it is asked to be, and starts where the last one ended", async () => {
  const who = await newCustomer(sql, 50);
  const user_id = await userIdOf(sql, who);
  for (let count = 1; count <= 4; count++) dataOf(await deduct(who));
  const page = await list(`user_id=${user_id}&limit=2`);
  deepStrictEqual(
    [page.next_cursor, page.entries.map(({ sequence_number }) => sequence_number)],
    ["4", [5, 4]],
  );
  // What happens meanwhile moves nothing.
  dataOf(await deduct(who));
  const next = await list(`user_id=${user_id}&limit=2&cursor=4`);
  deepStrictEqual(next.entries.map(({ sequence_number }) => sequence_number), [3, 2]);
  const last = await list(`user_id=${user_id}&cursor=${next.next_cursor}`);
  deepStrictEqual([first(last.entries).source, last.next_cursor], ["system", null]);
  deepStrictEqual((await list(`user_id=${user_id}&cursor=1`)).entries, []);
  strictEqual(
    at((await list(`user_id=${user_id}&cursor=2147483647`)).entries, 0).sequence_number,
    6,
  );
});

Deno.test.each(
  [
    ["", "MISSING_FIELD"],
    ["limit=5", "MISSING_FIELD"],
    ["user_id=somebody", "INVALID_REQUEST"],
    [`user_id=${randomUUID()}&limit=0`, "INVALID_REQUEST"],
    [`user_id=${randomUUID()}&limit=501`, "INVALID_REQUEST"],
    [`user_id=${randomUUID()}&limit=many`, "INVALID_REQUEST"],
    [`user_id=${randomUUID()}&cursor=0`, "INVALID_REQUEST"],
    [`user_id=${randomUUID()}&cursor=2147483648`, "INVALID_REQUEST"],
    [`user_id=${randomUUID()}&user_id=${randomUUID()}`, "INVALID_REQUEST"],
  ] as const,
)("list-entries refuses %j: %s", async (query, code) => {
  expectError(await ask(`list-entries?${query}`), { httpStatus: 400, code });
});

Deno.test("an unknown user is USER_NOT_FOUND", async () => {
  expectError(await ask(`list-entries?user_id=${randomUUID()}`), {
    httpStatus: 404,
    code: "USER_NOT_FOUND",
  });
});
