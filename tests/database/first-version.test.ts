/**
 * The functions of version 1.0.0 work on the database of today, because the migrations are applied
 * before the functions that need them are deployed. Here stands what those functions call and what they
 * read of the result; neither ever changes.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type postgres from "postgres";
import { z } from "zod";
import { assertBooksAreRight } from "../support/backend.ts";
import { withTestDatabase } from "../support/database.ts";
import { one } from "../support/lists.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { newId, newOrderId, newPaymentId } from "../support/razorpay-ids.ts";

/** What 1.0.0 requires of each result: for a function that returns rows, of each row. */
const RESULTS = {
  get_user: z.object({ user_id: z.uuid(), credits: z.int(), created_at: z.string() }),
  deduct_credits: z.object({
    outcome: z.enum(["deducted", "replayed", "insufficient_credits", "reference_reused"]),
    user_id: z.uuid(),
    remaining_credits: z.int(),
  }),
  list_credit_transactions: z.object({
    outcome: z.enum(["listed", "user_not_found", "not_the_owner"]),
    total: z.int(),
    debt_credits: z.int(),
    next_cursor: z.int().nullable(),
    transactions: z.array(z.object({
      id: z.uuid(),
      user_id: z.uuid(),
      action: z.enum(["credit", "debit"]),
      credits: z.int().min(1),
      source: z.enum(["system", "payment", "image_generation", "refund", "dispute", "merge"]),
      reference_id: z.string().nullable(),
      created_at: z.string(),
      balance_after: z.int().min(0),
    })),
  }),
  place_order: z.object({
    outcome: z.enum(["placed", "reused", "replayed", "reference_reused"]),
    user_id: z.uuid(),
    order_id: z.uuid(),
    razorpay_order_id: z.string().nullable(),
    package_name: z.string(),
    credits: z.int(),
    amount_paise: z.int(),
    currency: z.literal("INR"),
    short_url: z.string().nullable(),
    expires_at: z.string().nullable(),
  }),
  attach_razorpay_order: z.string().nullable(),
  attach_payment_link: z.object({ stored_short_url: z.string(), stored_expires_at: z.string() }),
  find_order: z.object({
    outcome: z.literal("found"),
    user_id: z.uuid(),
    is_users_phone: z.boolean(),
    package_id: z.string(),
    key_mode: z.enum(["test", "live"]),
    credits: z.int(),
    razorpay_payment_id: z.string().nullable(),
    balance_after_payment: z.int().nullable(),
  }),
  settle_payment: z.object({
    outcome: z.enum(["settled", "replayed"]),
    credits_added: z.int(),
    remaining_credits: z.int(),
  }),
  claim_orders_to_check: z.object({
    order_id: z.uuid(),
    razorpay_order_id: z.string().nullable(),
    razorpay_payment_link_id: z.string().nullable(),
  }),
  finish_order_check: z.unknown(),
  find_payments: z.object({
    order_id: z.uuid(),
    life: z.object({
      order: z.object({
        razorpay_order_id: z.string().nullable(),
        razorpay_payment_link_id: z.string().nullable(),
      }),
    }),
  }),
  record_operator_action: z.unknown(),
  count_wrong_secret: z.int(),
  delete_expired_rate_counters: z.unknown(),
  receive_webhook: z.int(),
  finish_webhook: z.unknown(),
};

type Argument = string | number | null | object;

/** Calls a function of the database as the Data API does, and reads its result as 1.0.0 does. */
async function callAsFirst<Name extends keyof typeof RESULTS>(
  sql: postgres.Sql,
  name: Name,
  args: Record<string, Argument>,
): Promise<z.infer<typeof RESULTS[Name]>> {
  const named = Object.keys(args).map((key, index) => `${key} => $${index + 1}`).join(", ");
  const { result } = one(
    await sql.unsafe<{ result: unknown }[]>(
      `select to_jsonb(f) as result from public.${name}(${named}) f`,
      Object.values(args) as postgres.ParameterOrJSON<never>[],
    ),
  );
  return RESULTS[name].parse(result) as z.infer<typeof RESULTS[Name]>;
}

Deno.test("whatever the functions of version 1.0.0 call, they get what they read", async () => {
  await withTestDatabase(async ({ sql }) => {
    const phone_number = newPhoneNumber();
    const caller_address = "203.0.113.7";
    const { user_id, credits } = await callAsFirst(sql, "get_user", {
      phone_number,
      caller_address,
    });
    strictEqual(credits, 3);
    const spent = await callAsFirst(sql, "deduct_credits", {
      phone_number,
      whatsapp_user_id: null,
      credits: 1,
      reference_id: "job",
    });
    deepStrictEqual([spent.outcome, spent.remaining_credits], ["deducted", 2]);

    // A purchase at the checkout.
    const order = await callAsFirst(sql, "place_order", {
      phone_number,
      package_id: "starter",
      key_mode: "test",
      channel: "checkout",
      caller_address,
    });
    deepStrictEqual([order.outcome, order.user_id], ["placed", user_id]);
    const razorpay_order_id = await callAsFirst(sql, "attach_razorpay_order", {
      order_id: order.order_id,
      razorpay_order_id: newOrderId(),
    });
    const verification = { razorpay_order_id, phone_number, caller_address };
    const unpaid = await callAsFirst(sql, "find_order", verification);
    deepStrictEqual(
      [unpaid.is_users_phone, unpaid.razorpay_payment_id, unpaid.balance_after_payment],
      [true, null, null],
    );
    await callAsFirst(sql, "receive_webhook", {
      event_id: "event",
      event: "payment.captured",
      payload: "{}",
      razorpay_order_id,
      razorpay_payment_id: null,
    });
    const razorpay_payment_id = newPaymentId();
    const settled = await callAsFirst(sql, "settle_payment", {
      razorpay_order_id,
      razorpay_payment_id,
      payment_status: "captured",
      amount_paise: order.amount_paise,
      currency: "INR",
      reversals: [],
      receipt: null,
    });
    const balance = 2 + order.credits;
    deepStrictEqual([settled.outcome, settled.remaining_credits], ["settled", balance]);
    const paid = await callAsFirst(sql, "find_order", verification);
    deepStrictEqual(
      [paid.razorpay_payment_id, paid.balance_after_payment],
      [razorpay_payment_id, balance],
    );
    const { id: delivery_id } = one(await sql`select id from public.webhook_deliveries`);
    await callAsFirst(sql, "finish_webhook", { delivery_id, outcome: "settled" });

    // A payment link.
    const link = await callAsFirst(sql, "place_order", {
      phone_number,
      whatsapp_user_id: null,
      package_id: "pro",
      reference_id: "link",
      key_mode: "test",
      channel: "link",
    });
    strictEqual(link.outcome, "placed");
    await callAsFirst(sql, "attach_payment_link", {
      order_id: link.order_id,
      razorpay_payment_link_id: newId("plink"),
      short_url: "https://rzp.io/i/x",
      expires_at: new Date(Date.now() + 3_600_000).toISOString(),
    });

    const history = await callAsFirst(sql, "list_credit_transactions", {
      user_id,
      page_size: 50,
      before_sequence_number: null,
      proven_phone_number: phone_number,
    });
    deepStrictEqual(
      history.transactions.map(({ source, balance_after }) => [source, balance_after]),
      [["payment", balance], ["image_generation", 2], ["system", 3]],
    );

    // The reconciler and the operator.
    await sql`update public.payment_orders set next_check_at = now() where id = ${order.order_id}`;
    const { order_id } = await callAsFirst(sql, "claim_orders_to_check", {
      batch_size: 10,
      key_mode: "test",
    });
    strictEqual(order_id, order.order_id);
    await callAsFirst(sql, "finish_order_check", { order_id });
    await callAsFirst(sql, "delete_expired_rate_counters", {});
    const found = await callAsFirst(sql, "find_payments", { search: razorpay_payment_id });
    strictEqual(found.life.order.razorpay_order_id, razorpay_order_id);
    await callAsFirst(sql, "record_operator_action", {
      order_id,
      operator: "Asha",
      reason: "The customer called",
      outcome: "settled",
    });
    strictEqual(await callAsFirst(sql, "count_wrong_secret", { caller_address }), 0);
    await assertBooksAreRight(sql);
  });
});
