/**
 * POST find-customer: an operator looks for a customer, by whatever the customer can name.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { findCustomer } from "shared/contract/find-customer.ts";
import {
  deduct,
  newCustomer,
  newReference,
  passExpiry,
  reserve,
  userIdOf,
} from "../support/bot.ts";
import { call, dataOf, expectError, operatorHeaders } from "../support/calls.ts";
import { first, one } from "../support/lists.ts";
import { act, adjust, newTicket } from "../support/operators.ts";
import { deliverAll, spend, usePaymentHarness } from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { buyCredits, orderPackage, payForPackage, placeOrders } from "../support/purchases.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";

const shop = await usePaymentHarness();
const { sql, control } = shop;

async function find(query: unknown): Promise<z.infer<typeof findCustomer["data"]>> {
  const answer = await call("POST", "find-customer", {
    body: { query },
    headers: operatorHeaders(),
  });
  return z.strictObject(findCustomer.data.shape).parse(dataOf(answer));
}

const idsOf = async (query: string) => (await find(query)).customers.map(({ user_id }) => user_id);

Deno.test("a customer is found by everything that anybody may have, with what helps them", async () => {
  const who = await newCustomer(sql, 10, {
    phone_number: newPhoneNumber(),
    whatsapp_user_id: newWhatsappId(),
  });
  const user_id = await userIdOf(sql, who);
  const reference_id = newReference();
  const link = { ...who, package_id: "starter", reference_id };
  dataOf(await call("POST", "bot-payment-link", { body: link }));
  const order = one(
    await sql`
    select o.id, o.razorpay_payment_link_id from public.payment_orders o
    join public.order_references r on r.order_id = o.id
    where r.reference_id = ${reference_id}`,
  );
  const paid = await control.payPaymentLink(order.razorpay_payment_link_id, {
    outcome: "captured",
    deliver_webhooks: false,
  });
  const refund = await control.refund(paid.razorpay_payment_id, {
    amount: 4_950,
    deliver_webhooks: false,
  });
  const dispute = await control.openDispute(paid.razorpay_payment_id, { deliver_webhooks: false });
  await deliverAll(await shop.eventsAbout(paid.razorpay_payment_id));
  const hold = newReference();
  dataOf(await reserve({ ...who, reference_id: hold, credits: 4 }));
  const ticket = newTicket();
  await adjust(user_id, 2, { reference_id: ticket });

  const byAnOrder = [
    paid.razorpay_order_id,
    paid.razorpay_payment_id,
    order.razorpay_payment_link_id,
    refund.id,
    dispute.id,
    order.id,
    order.id.replaceAll("-", ""),
    reference_id,
  ];
  const expected = await find(user_id);
  const bareDigits = who.phone_number.slice(1);
  for (
    const query of [
      who.phone_number,
      `  ${who.phone_number} `,
      bareDigits,
      `+91 ${bareDigits.slice(2, 7)} ${bareDigits.slice(7)}`,
      `0${bareDigits.slice(2)}`,
      who.whatsapp_user_id,
      `wamid.${btoa(`\x1d\x18\x0c${bareDigits}\x15\x02\x00\x11\x18\x120A`)}`,
      ticket,
    ]
  ) {
    deepStrictEqual(await find(query), expected, query);
  }
  for (const query of byAnOrder) {
    const { customers, unclaimed_orders } = await find(query);
    strictEqual(one(customers).found_order_id, order.id, query);
    deepStrictEqual(
      { customers: [{ ...one(customers), found_order_id: null }], unclaimed_orders },
      expected,
      query,
    );
  }

  deepStrictEqual(expected.unclaimed_orders, []);
  const { identities, entries, holds, orders, actions, ...customer } = one(expected.customers);
  const { created_at: _, ...profile } = customer;
  deepStrictEqual(profile, {
    user_id,
    phone_number: who.phone_number,
    credits: 22,
    remaining_credits: 18,
    reserved_credits: 4,
    debt_credits: 0,
    frozen: false,
    frozen_at: null,
    flags: [],
    merged_user_ids: [],
    found_order_id: null,
  });
  deepStrictEqual(identities, [
    { kind: "phone", value: who.phone_number },
    { kind: "whatsapp_user_id", value: who.whatsapp_user_id },
  ]);
  deepStrictEqual(
    entries.map(({ source, credits, balance_after }) => [source, credits, balance_after]),
    [["adjustment", 2, 22], ["refund", 10, 20], ["payment", 20, 30], ["system", 10, 10]],
  );
  const { reference_id: held, action, credits } = one(holds);
  deepStrictEqual([held, action, credits], [hold, "image_generation", 4]);
  const { state, channel, payments } = one(orders);
  deepStrictEqual([state, channel], ["paid", "link"]);
  const { payment_id, amount_paise, returned_paise } = one(payments);
  deepStrictEqual([payment_id, amount_paise, returned_paise], [
    paid.razorpay_payment_id,
    9_900,
    4_950,
  ]);
  const { operator, reason, ...done } = one(actions);
  deepStrictEqual([operator, reason, done.action, done.reference_id], [
    "Asha",
    "The customer called",
    "adjust-credits",
    ticket,
  ]);
});

Deno.test("what is unusual about a customer is a flag", async () => {
  const { phone, checkout } = await buyCredits(control, newPhoneNumber(), "starter");
  await spend(phone, 23);
  const user_id = first(await idsOf(phone));
  dataOf(await act("refund-payment", { payment_id: checkout.razorpay_payment_id }));
  dataOf(await act("freeze-user", { user_id }));
  const { flags, frozen, debt_credits } = one((await find(phone)).customers);
  deepStrictEqual([flags, frozen, debt_credits], [["frozen", "debt"], true, 20]);
});

Deno.test("a merged account leads to the one that stayed, which names it", async () => {
  const [old, current] = [await newCustomer(sql, 1), await newCustomer(sql, 2)];
  const [from_user_id, into_user_id] = [await userIdOf(sql, old), await userIdOf(sql, current)];
  const reference_id = newTicket();
  await adjust(from_user_id, 1, { reference_id });
  dataOf(await act("merge-users", { from_user_id, into_user_id }));
  for (const query of [from_user_id, into_user_id, old.phone_number, reference_id]) {
    const { user_id, merged_user_ids } = one((await find(query)).customers);
    deepStrictEqual([user_id, merged_user_ids], [into_user_id, [from_user_id]]);
  }
});

Deno.test("orders of a number that is no customer's are shown, and the search makes none", async () => {
  const phone = newPhoneNumber();
  const orderId = await orderPackage(phone, "starter");
  for (const query of [phone, orderId]) {
    const { customers, unclaimed_orders } = await find(query);
    deepStrictEqual(customers, []);
    strictEqual(one(unclaimed_orders).razorpay_order_id, orderId);
  }
  const other = newPhoneNumber();
  deepStrictEqual(await find(other), { customers: [], unclaimed_orders: [] });
  deepStrictEqual([...await sql`select from public.identities where value = ${other}`], []);
});

Deno.test("bare digits with two readings find both customers", async () => {
  // A number of Sri Lanka's, and an Indian one.
  const [abroad, national] = ["+94771234567", "+919477123456"];
  const query = "9477123456";
  const ids = [];
  for (const phone_number of [abroad, national]) {
    const who = await newCustomer(sql, 1, { phone_number });
    ids.push(await userIdOf(sql, who));
  }
  ok((await idsOf(query)).includes(ids[1] ?? ""));
  deepStrictEqual(await idsOf("94771234567"), [ids[0]]);
});

Deno.test("an answer is bounded, however long a history is", async () => {
  const who = await newCustomer(sql, 100);
  for (let count = 1; count <= 25; count++) dataOf(await deduct(who));
  await placeOrders(sql, who.phone_number, 25);
  const { entries, orders } = one((await find(who.phone_number)).customers);
  deepStrictEqual([entries.length, orders.length], [20, 20]);
  deepStrictEqual([entries[0]?.sequence_number, entries[19]?.sequence_number], [26, 7]);
});

Deno.test("a hold that has expired is not shown as open", async () => {
  const who = await newCustomer(sql, 10);
  const reference_id = newReference();
  dataOf(await reserve({ ...who, reference_id }));
  await passExpiry(sql, who, reference_id);
  const { holds, reserved_credits } = one((await find(who.phone_number)).customers);
  deepStrictEqual([holds, reserved_credits], [[], 0]);
});

Deno.test("a payment that was tried and failed is shown with its order", async () => {
  const { phone, checkout } = await payForPackage(control, newPhoneNumber(), "starter", {
    outcome: "failed",
  });
  await deliverAll(await shop.eventsAbout(checkout.razorpay_payment_id));
  const { unclaimed_orders } = await find(phone);
  strictEqual(one(one(unclaimed_orders).payments).status, "failed");
});

Deno.test.each(
  ["nobody", "+91", "pay_RB58MiP5SPFYyM", randomUUID(), "wamid.####", "'; drop table users; --"],
)("nothing is found for %j", async (query) => {
  deepStrictEqual(await find(query), { customers: [], unclaimed_orders: [] });
});

Deno.test.each(
  [
    [undefined, "MISSING_FIELD"],
    ["", "MISSING_FIELD"],
    ["  ", "INVALID_REQUEST"],
    [7, "INVALID_REQUEST"],
    ["x".repeat(301), "INVALID_REQUEST"],
  ] as const,
)("find-customer refuses the query %j: %s", async (query, code) => {
  const answer = await call("POST", "find-customer", {
    body: { query },
    headers: operatorHeaders(),
  });
  expectError(answer, { httpStatus: 400, code });
});
