/**
 * A payment whose Razorpay order is not known yet finds its order by the receipt.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type postgres from "postgres";
import { assertBooksAreRight } from "../support/backend.ts";
import { openConnections } from "../support/connections.ts";
import { createTestDatabase } from "../support/database.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { newOrderId, newPaymentId } from "../support/razorpay-ids.ts";
import { at, one } from "../support/lists.ts";

const database = await createTestDatabase();
const { sql } = database;
Deno.test.afterAll(async () => {
  await assertBooksAreRight(sql);
  await database.drop();
});

const AT_ONCE = 8;

interface Order {
  id: string;
  receipt: string;
}

async function placeOrder(): Promise<Order> {
  const { order_id: id } = one(
    await sql<{ order_id: string }[]>`
    select order_id from public.place_order(
      package_id => 'starter', key_mode => 'test', phone_number => ${newPhoneNumber()}
    )`,
  );
  return { id, receipt: id.replaceAll("-", "") };
}

/** Reports a captured payment of 99 rupees. */
async function settle(
  sql: postgres.Sql,
  { razorpayOrderId, paymentId = newPaymentId(), receipt }: {
    razorpayOrderId: string;
    paymentId?: string;
    receipt?: string | null;
  },
): Promise<string> {
  const { outcome } = one(
    await sql`
    select outcome from public.settle_payment(
      ${razorpayOrderId}, ${paymentId}, 'captured', 9900, 'INR', receipt => ${receipt ?? null}
    )`,
  );
  return outcome;
}

async function attach(sql: postgres.Sql, order: Order, razorpayOrderId: string): Promise<string> {
  const { attached } = one(
    await sql`
    select public.attach_razorpay_order(${order.id}, ${razorpayOrderId}) as attached`,
  );
  return attached;
}

async function stateOf(order: Order): Promise<[state: string, razorpayOrderId: string | null]> {
  const { state, razorpay_order_id } = one(
    await sql`
    select state, razorpay_order_id from public.payment_orders where id = ${order.id}`,
  );
  return [state, razorpay_order_id];
}

Deno.test("the receipt of a pending order leads to it", async () => {
  const order = await placeOrder();
  const razorpayOrderId = newOrderId();
  const paymentId = newPaymentId();
  strictEqual(await settle(sql, { razorpayOrderId, paymentId }), "not_ours");
  deepStrictEqual(await stateOf(order), ["pending", null]);
  strictEqual(
    await settle(sql, { razorpayOrderId, paymentId, receipt: order.receipt }),
    "settled",
  );
  deepStrictEqual(await stateOf(order), ["paid", razorpayOrderId]);
  // From now on the order is known.
  strictEqual(await settle(sql, { razorpayOrderId, paymentId }), "replayed");
});

Deno.test("the receipt of an order that has another Razorpay order leads nowhere", async () => {
  const order = await placeOrder();
  const razorpayOrderId = newOrderId();
  await attach(sql, order, razorpayOrderId);
  strictEqual(
    await settle(sql, { razorpayOrderId: newOrderId(), receipt: order.receipt }),
    "not_ours",
  );
  deepStrictEqual(await stateOf(order), ["open", razorpayOrderId]);
  strictEqual(await settle(sql, { razorpayOrderId }), "settled");
  strictEqual(
    await settle(sql, { razorpayOrderId: newOrderId(), receipt: order.receipt }),
    "not_ours",
  );
});

Deno.test("a known Razorpay order is what counts, whatever the receipt", async () => {
  const [known, pending] = [await placeOrder(), await placeOrder()];
  const razorpayOrderId = newOrderId();
  await attach(sql, known, razorpayOrderId);
  strictEqual(await settle(sql, { razorpayOrderId, receipt: pending.receipt }), "settled");
  deepStrictEqual(await stateOf(known), ["paid", razorpayOrderId]);
  deepStrictEqual(await stateOf(pending), ["pending", null]);
});

Deno.test("what is no receipt of ours leads nowhere, and is no error", async () => {
  const order = await placeOrder();
  for (
    const receipt of [
      null,
      "",
      order.id,
      order.receipt.toUpperCase(),
      order.receipt.slice(1),
      `${order.receipt}0`,
      `${order.receipt}\n`,
      ` ${order.receipt}`,
      "Receipt no. 1",
      randomUUID().replaceAll("-", ""),
    ]
  ) {
    strictEqual(await settle(sql, { razorpayOrderId: newOrderId(), receipt }), "not_ours");
  }
  deepStrictEqual(await stateOf(order), ["pending", null]);
});

Deno.test("many reports of one payment at once attach its order and grant its credits once", async () => {
  const order = await placeOrder();
  const report = { razorpayOrderId: newOrderId(), paymentId: newPaymentId() };
  await using connections = await openConnections(database.url, AT_ONCE);
  const outcomes = await connections.all((sql) => {
    return settle(sql, { ...report, receipt: order.receipt });
  });
  deepStrictEqual(outcomes.sort(), [...Array(AT_ONCE - 1).fill("replayed"), "settled"]);
  deepStrictEqual(await stateOf(order), ["paid", report.razorpayOrderId]);
});

Deno.test("create-order's answer and the payment may arrive at once", async () => {
  await using connections = await openConnections(database.url, 2);
  for (let round = 0; round < 10; round++) {
    const order = await placeOrder();
    const razorpayOrderId = newOrderId();
    const results = await connections.all((sql, index) => {
      return index === 0
        ? attach(sql, order, razorpayOrderId)
        : settle(sql, { razorpayOrderId, receipt: order.receipt });
    });
    deepStrictEqual(results, [razorpayOrderId, "settled"]);
    deepStrictEqual(await stateOf(order), ["paid", razorpayOrderId]);
  }
});

Deno.test("one Razorpay order under two receipts belongs to one order, and the other call may be repeated", async () => {
  await using connections = await openConnections(database.url, 2);
  for (let round = 0; round < 10; round++) {
    const orders = [await placeOrder(), await placeOrder()];
    const report = { razorpayOrderId: newOrderId(), paymentId: newPaymentId() };
    const outcomes = await connections.all((sql, index) => {
      return settle(sql, { ...report, receipt: at(orders, index).receipt })
        .catch(({ code }: postgres.PostgresError) => code);
    });
    strictEqual(outcomes.filter((outcome) => outcome === "settled").length, 1);
    // unique_violation, where both looked before either of them had written.
    const [other] = outcomes.filter((outcome) => outcome !== "settled");
    strictEqual(other === "23505" || other === "replayed", true, other);
    for (const { receipt } of orders) {
      strictEqual(await settle(sql, { ...report, receipt }), "replayed");
    }
    const states = await Promise.all(orders.map(stateOf));
    deepStrictEqual(states.map(([state]) => state).sort(), ["paid", "pending"]);
  }
});
