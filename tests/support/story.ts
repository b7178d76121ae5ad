/**
 * One story that calls the SQL functions in turn, for databases that are made in another way than those of
 * the other tests.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { one } from "./lists.ts";
import { newPhoneNumber } from "./phone-numbers.ts";
import { settlePayment } from "./settlements.ts";

const ORDER_ID = "order_RB58MiP5SPFYyM";
const PAYMENT_ID = "pay_RB58MiP5SPFYyM";

/**
 * A new user spends the free credits, buys a package, gets the money back, and turns out to be somebody who
 * was here before.
 */
export async function playStory(sql: postgres.Sql): Promise<void> {
  const phone = newPhoneNumber();
  const user = one(await sql`select * from public.get_user(${phone})`);
  strictEqual(user.credits, 3);
  const deduct = async (reference: string | null, credits = 1) => {
    const { outcome, remaining_credits } = one(
      await sql`select * from public.deduct_credits(${phone}, ${credits}, ${reference})`,
    );
    return [outcome, remaining_credits];
  };
  deepStrictEqual(await deduct("job-1"), ["deducted", 2]);
  deepStrictEqual(await deduct("job-1"), ["replayed", 2]);
  deepStrictEqual(await deduct("job-1", 2), ["reference_reused", 2]);
  deepStrictEqual(await deduct(null), ["deducted", 1]);
  deepStrictEqual(await deduct(null), ["deducted", 0]);
  deepStrictEqual(await deduct(null), ["insufficient_credits", 0]);

  const order = one(
    await sql`
    select * from public.place_order(
      package_id => 'starter', key_mode => 'test', phone_number => ${phone}
    )`,
  );
  strictEqual(order.outcome, "placed");
  const { opened } = one(
    await sql`select public.attach_razorpay_order(${order.order_id}, ${ORDER_ID}) as opened`,
  );
  strictEqual(opened, ORDER_ID);
  const settled = one(await settlePayment(sql, ORDER_ID, PAYMENT_ID));
  strictEqual(settled.credits_added, settled.remaining_credits);
  const again = one(await settlePayment(sql, ORDER_ID, PAYMENT_ID));
  strictEqual(again.remaining_credits, settled.remaining_credits);
  strictEqual(
    one(await sql`select * from public.find_payments(${PAYMENT_ID})`).order_id,
    order.order_id,
  );

  await refund(sql, order.order_id);
  const { total, transactions } = one(
    await sql`select * from public.list_credit_transactions(${user.user_id}, 2)`,
  );
  strictEqual(total, 6);
  deepStrictEqual(
    transactions.map(({ source }: { source: string }) => source),
    ["refund", "payment"],
  );

  const other = one(await sql`select * from public.get_user(${newPhoneNumber()})`);
  const { merged } = one(
    await sql`select public.merge_users(${user.user_id}, ${other.user_id}) as merged`,
  );
  strictEqual(merged, "merged");
  // The account that was merged away served the first call.
  deepStrictEqual(await deduct("job-1"), ["replayed", 2]);
  deepStrictEqual(await deduct("job-2"), ["deducted", 2]);
}

/** Reports that the whole payment was refunded. */
async function refund(sql: postgres.Sql, orderId: string): Promise<void> {
  const { amount_paise } = one(
    await sql`select amount_paise from public.payment_orders where id = ${orderId}`,
  );
  const reversal = {
    id: "rfnd_RB58MiP5SPFYyM",
    kind: "refund",
    status: "processed",
    amount_paise,
    is_money_gone: true,
    reported_at: new Date().toISOString(),
  };
  await sql`
    select public.settle_payment(
      ${ORDER_ID}, ${PAYMENT_ID}, 'captured', ${amount_paise}, 'INR', ${sql.json([reversal])}
    )`;
}
