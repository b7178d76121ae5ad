/**
 * check_invariants finds what is wrong. A superuser, with the triggers off, breaks the books in every way
 * that it checks for.
 * @module
 */

import { deepStrictEqual, ok } from "node:assert/strict";
import postgres from "postgres";
import { assertBooksAreRight, startBackend } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits } from "../support/purchases.ts";
import { one } from "../support/lists.ts";

const backend = await startBackend();
const { control } = backend.razorpay;
const superuser = postgres(backend.database.superuserUrl, { max: 1, onnotice: () => {} });
Deno.test.afterAll(async () => {
  await superuser.end();
  await backend.stop();
});

await control.changeSettings({
  webhook_url: `${backend.environment.SUPABASE_URL}/functions/v1/razorpay-webhook`,
});

/** A user who bought 20 credits, spent some and was refunded in part. */
const BUYER = newPhoneNumber();
await buy(BUYER, { spent: 5, refundedPaise: 4_950 });

/** A user who spent everything before being refunded in full, and therefore has a debt. */
const DEBTOR = newPhoneNumber();
await buy(DEBTOR, { spent: 23, refundedPaise: 9_900 });

async function buy(
  phone: string,
  { spent, refundedPaise }: { spent: number; refundedPaise: number },
): Promise<void> {
  const { checkout } = await buyCredits(control, phone, "starter");
  const body = { phone_number: phone, credits: spent };
  dataOf(await call("POST", "bot-deduct", { body }));
  await control.refund(checkout.razorpay_payment_id, { amount: refundedPaise });
  await control.webhooksDelivered();
}

const user = (phone: string) => `(select id from public.users where phone_number = '${phone}')`;
const order = (phone: string) =>
  `(select id from public.payment_orders where user_id = ${user(phone)})`;
const payment = (phone: string) =>
  `(select id from public.payments where order_id = ${order(phone)})`;

/** Ways to break the books, by the invariant that each one breaks. */
const BREAKAGES: Record<string, string[]> = {
  "the balance is the sum of the ledger": [
    `update public.users set credits = credits + 1 where id = ${user(BUYER)}`,
    `update public.users set credits = 0 where id = ${user(BUYER)}`,
    `delete from public.credit_transactions where user_id = ${user(BUYER)}`,
  ],
  "the entries are counted": [
    `update public.users set transaction_count = transaction_count + 1 where id = ${user(BUYER)}`,
    `delete from public.credit_transactions where user_id = ${user(BUYER)} and action = 'debit'`,
  ],
  "every entry follows from the one before it": [
    `update public.credit_transactions set balance_after = balance_after + 1
      where user_id = ${user(BUYER)} and sequence_number = 2`,
    `update public.credit_transactions set sequence_number = 99
      where user_id = ${user(BUYER)} and sequence_number = 2`,
    `update public.credit_transactions set action = 'credit'
      where user_id = ${user(BUYER)} and action = 'debit'`,
  ],
  "every identity of a user is its own, and its number is one of them": [
    `delete from public.identities where user_id = ${user(BUYER)}`,
    `update public.identities set user_id = ${user(DEBTOR)} where user_id = ${user(BUYER)}`,
    `update public.users set merged_into = ${user(DEBTOR)} where id = ${user(BUYER)}`,
  ],
  "a merge moves what it takes": [
    `update public.credit_transactions
      set source = 'merge', reference_id = 'into ' || ${user(DEBTOR)}::text
      where user_id = ${user(BUYER)} and source = 'image_generation'`,
  ],
  "the welcome is given once, first, and to everybody": [
    `delete from public.credit_transactions
      where user_id = ${user(BUYER)} and source = 'system'`,
    `insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after)
      values (${user(BUYER)}, 50, 'credit', 3, 'system', 'again', 11)`,
    `insert into public.users (credits, transaction_count) values (0, 0)`,
  ],
  "a paid order granted its credits once, to its user": [
    `delete from public.credit_transactions
      where user_id = ${user(BUYER)} and source = 'payment'`,
    `update public.credit_transactions set credits = 2000
      where user_id = ${user(BUYER)} and source = 'payment'`,
    `update public.payment_orders set user_id = ${user(DEBTOR)} where id = ${order(BUYER)}`,
  ],
  "every payment entry belongs to a payment of a paid order": [
    `update public.credit_transactions set reference_id = 'pay_00000000000000'
      where user_id = ${user(BUYER)} and source = 'payment'`,
    `update public.payments set amount_paise = 100 where id = ${payment(BUYER)}`,
    `delete from public.payments where id = ${payment(BUYER)}`,
  ],
  "a payment that granted credits had the money": [
    `update public.payments set status = 'authorized' where id = ${payment(BUYER)}`,
    `update public.payments set credits_granted = 1000 where id = ${payment(BUYER)}`,
  ],
  "one payment pays an order, and the others are flagged": [
    `update public.payments set flag = 'second_payment' where id = ${payment(BUYER)}`,
  ],
  "an order is paid where money for it is here": [
    `update public.payment_orders
      set state = 'open', razorpay_payment_id = null, paid_at = null, user_id = null
      where id = ${order(BUYER)}`,
  ],
  "reversals take back what went back, and no more": [
    `update public.payment_reversals set credits_taken = credits_taken + 1
      where payment_id = ${payment(BUYER)}`,
    `update public.payment_reversals set is_money_gone = false
      where payment_id = ${payment(BUYER)}`,
  ],
  "the ledger holds what a reversal took": [
    `update public.payment_reversals set credits_owed = 1 where payment_id = ${payment(BUYER)}`,
    `delete from public.credit_transactions
      where user_id = ${user(BUYER)} and source = 'refund'`,
  ],
  "every entry of a reversal belongs to one": [
    `delete from public.payment_reversals where payment_id = ${payment(BUYER)}`,
  ],
  "a debt is the sum of what is owed, and is paid while there are credits": [
    `update public.users set debt_credits = 0 where id = ${user(DEBTOR)}`,
    `update public.users set debt_credits = 1 where id = ${user(BUYER)}`,
    `update public.users set credits = 1 where id = ${user(DEBTOR)}`,
  ],
};

/** The invariants that are violated after a statement, which is rolled back. */
async function violationsAfter(statement: string): Promise<string[]> {
  let violations: string[] = [];
  const rollback = new Error("Taken back");
  await superuser.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    const { count } = await sql.unsafe(statement);
    ok(count > 0, "the statement changed nothing");
    const rows = await sql`select invariant, subject, detail from public.check_invariants()`;
    for (const { subject, detail } of rows) ok(subject && detail);
    violations = rows.map(({ invariant }) => invariant);
    throw rollback;
  }).catch((error) => {
    if (error !== rollback) throw error;
  });
  return violations;
}

for (const [invariant, statements] of Object.entries(BREAKAGES)) {
  Deno.test.each(statements.map((statement) => statement.replaceAll(/\s+/g, " ")))(
    `"${invariant}" is violated by %s`,
    async (statement) => {
      const violations = await violationsAfter(statement);
      ok(violations.includes(invariant), `found: ${violations.join("; ")}`);
      await assertBooksAreRight(backend.sql);
    },
  );
}

Deno.test("every invariant that check_invariants names is broken by a test", async () => {
  const { source } = one(
    await backend.sql`
    select prosrc as source from pg_catalog.pg_proc
    where oid = 'public.check_invariants()'::regprocedure`,
  );
  const named = [...source.matchAll(/\bselect\s+'([^']+)',/g)].map(([, invariant]) => invariant);
  deepStrictEqual(named.sort(), Object.keys(BREAKAGES).sort());
});
