/**
 * GET list-attention: what needs an operator's attention. tests/payments/operator.test.ts has what is
 * listed and when.
 * @module
 */

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { z } from "zod";
import { listAttention } from "shared/contract/list-attention.ts";
import { newCustomer, passExpiry, reserve, userIdOf } from "../support/bot.ts";
import { dataOf } from "../support/calls.ts";
import { one } from "../support/lists.ts";
import { act, adjust, ask } from "../support/operators.ts";
import { usePaymentHarness } from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { payForPackage } from "../support/purchases.ts";

const shop = await usePaymentHarness();
const { sql, control } = shop;

async function list() {
  const answer = await ask("list-attention");
  strictEqual(answer.httpStatus, 200);
  return z.strictObject(listAttention.data.shape).parse(dataOf(answer)).items;
}

Deno.test("when all is well the list is empty", async () => {
  deepStrictEqual(await list(), []);
});

Deno.test("what needs attention is listed, oldest first, until it needs none", async () => {
  const who = await newCustomer(sql, 3);
  const user_id = await userIdOf(sql, who);
  await adjust(user_id, -5, { allow_debt: true });
  const { checkout } = await payForPackage(control, newPhoneNumber(), "starter");
  const payment_id = checkout.razorpay_payment_id;
  await sql`
    update public.payment_orders set amount_paise = amount_paise + 100
    where razorpay_order_id = ${checkout.razorpay_order_id}`;
  await shop.reconcile();
  deepStrictEqual(
    (await list()).map(({ kind, subject, detail }) => [kind, subject, detail.split(":")[0]]),
    [
      ["debt", who.phone_number, "2 credits were spent before they were taken back"],
      ["flagged payment", payment_id, "amount_mismatch"],
    ],
  );

  dataOf(await act("forgive-debt", { user_id }));
  dataOf(await act("refund-payment", { payment_id }));
  deepStrictEqual(await list(), []);
});

Deno.test("reservations that nothing has ended are listed a quarter of an hour after their expiry", async () => {
  const who = await newCustomer(sql, 3);
  const user_id = await userIdOf(sql, who);
  const references = ["job-1", "job-2"];
  for (const reference_id of references) dataOf(await reserve({ ...who, reference_id }));
  deepStrictEqual(await list(), []);
  for (const reference_id of references) await passExpiry(sql, who, reference_id);
  const { kind, subject, detail } = one(await list());
  deepStrictEqual([kind, subject], ["expired holds", "every user"]);
  match(detail, new RegExp(`^2 of 1 users have not been ended, first that of user ${user_id}: `));

  // Its moment has come, but not long ago.
  await sql`
    update public.holds set expires_at = clock_timestamp() - interval '14 minutes'
    where user_id = ${user_id}`;
  deepStrictEqual(await list(), []);
  await shop.reconcile();
});
