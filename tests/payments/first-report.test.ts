/**
 * What the first report of a payment may bring along: refunds, a long silence before it, a word without
 * its explanation.
 * @module
 */

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { isKnown } from "../support/accounts.ts";
import { assertBooksAreRight, startBackend } from "../support/backend.ts";
import { call, dataOf } from "../support/calls.ts";
import { one } from "../support/lists.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { orderPackage, payForPackage, verify } from "../support/purchases.ts";

const backend = await startBackend();
const { sql } = backend;
const { control } = backend.razorpay;
Deno.test.afterAll(() => backend.stop());
Deno.test.afterEach(() => assertBooksAreRight(sql));

const PAISE = 9_900;
const STARTER = 20;
const FREE_CREDITS = 3;

/** What is returned for a payment whose money is not ours to keep. */
const NOTHING_BOUGHT = ["payment_refunded", null, null];

let lastNumber = 0;
const newId = (kind: string) => `${kind}_${String(++lastNumber).padStart(14, "0")}`;

interface Refund {
  id: string;
  status: "pending" | "processed" | "failed";
  paise: number;
}

/** Reports a payment as Razorpay would. */
async function report(
  orderId: string,
  paymentId: string,
  { status = "captured", refunds = [] }: { status?: string; refunds?: Refund[] } = {},
) {
  const reversals = refunds.map(({ id, status, paise }) => ({
    id,
    kind: "refund",
    status,
    amount_paise: paise,
    is_money_gone: status === "processed",
    reported_at: new Date().toISOString(),
  }));
  const { outcome, credits_added, remaining_credits } = one(
    await sql`
    select * from public.settle_payment(
      ${orderId}, ${paymentId}, ${status}, ${PAISE}, 'INR', ${sql.json(reversals)})`,
  );
  return [outcome, credits_added, remaining_credits];
}

async function balanceOf(phone_number: string): Promise<unknown> {
  return dataOf(await call("GET", `bot-credits/${phone_number}`)).remaining_credits;
}

Deno.test("an unknown number becomes a user with its first payment: the welcome first, then the purchase", async () => {
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  strictEqual(await isKnown(sql, purchase.phone), false);
  const answer = dataOf(await verify(purchase));
  deepStrictEqual([answer.credits_added, answer.remaining_credits], [
    STARTER,
    FREE_CREDITS + STARTER,
  ]);
  const entries = await sql`
    select t.source, t.credits, t.balance_after from public.users u
    join public.credit_transactions t on t.user_id = u.id
    where u.phone_number = ${purchase.phone} order by t.sequence_number`;
  deepStrictEqual(entries.map(({ source, balance_after }) => [source, balance_after]), [
    ["system", FREE_CREDITS],
    ["payment", FREE_CREDITS + STARTER],
  ]);
});

Deno.test("a payment that brings no money creates no user", async () => {
  const phone = newPhoneNumber();
  const orderId = await orderPackage(phone, "starter");
  const gone = newId("pay");
  deepStrictEqual(await report(orderId, newId("pay"), { status: "failed" }), [
    "not_captured",
    null,
    null,
  ]);
  const refunds: Refund[] = [{ id: newId("rfnd"), status: "processed", paise: PAISE }];
  deepStrictEqual(await report(orderId, gone, { status: "refunded", refunds }), [
    "payment_refunded",
    null,
    null,
  ]);
  strictEqual(await isKnown(sql, phone), false);
});

Deno.test("a payment that comes with a partial refund reports the balance that is left", async () => {
  const phone = newPhoneNumber();
  const [orderId, paymentId] = [await orderPackage(phone, "starter"), newId("pay")];
  const refunds: Refund[] = [{ id: newId("rfnd"), status: "processed", paise: PAISE / 2 }];
  const left = FREE_CREDITS + STARTER / 2;
  deepStrictEqual(await report(orderId, paymentId, { refunds }), ["settled", STARTER, left]);
  strictEqual(await balanceOf(phone), left);
  deepStrictEqual(await report(orderId, paymentId), ["replayed", STARTER, left]);
});

Deno.test("an order that is paid after its watch ended is watched for refunds", async () => {
  const orderId = await orderPackage(newPhoneNumber(), "starter");
  await sql`update public.payment_orders set next_check_at = null
    where razorpay_order_id = ${orderId}`;
  strictEqual((await report(orderId, newId("pay")))[0], "settled");
  const { is_watched } = one(
    await sql`
    select next_check_at > clock_timestamp() as is_watched from public.payment_orders
    where razorpay_order_id = ${orderId}`,
  );
  strictEqual(is_watched, true);
});

Deno.test("a refund of one payment is refused in a report of another, and changes neither", async () => {
  const [mine, theirs] = [newPhoneNumber(), newPhoneNumber()];
  const purchases: [orderId: string, paymentId: string][] = [];
  for (const phone of [mine, theirs]) {
    const purchase: [string, string] = [await orderPackage(phone, "starter"), newId("pay")];
    await report(...purchase);
    purchases.push(purchase);
  }
  const [my, their] = purchases as [[string, string], [string, string]];
  const refund: Refund = { id: newId("rfnd"), status: "pending", paise: PAISE };
  await report(...my, { refunds: [refund] });
  await rejects(
    report(...their, { refunds: [{ ...refund, status: "processed" }] }),
    { code: "23000" },
  );
  for (const phone of [mine, theirs]) strictEqual(await balanceOf(phone), FREE_CREDITS + STARTER);
  await report(...my, { refunds: [{ ...refund, status: "processed" }] });
  strictEqual(await balanceOf(mine), FREE_CREDITS);
});

Deno.test("a payment first reported as refunded buys nothing until its refunds explain it", async () => {
  const phone = newPhoneNumber();
  const [orderId, paymentId] = [await orderPackage(phone, "starter"), newId("pay")];
  const refunded = (refunds: Refund[]) =>
    report(orderId, paymentId, { status: "refunded", refunds });
  const [first, second] = [newId("rfnd"), newId("rfnd")];
  const half = PAISE / 2;
  deepStrictEqual(await refunded([]), NOTHING_BOUGHT);
  deepStrictEqual(
    await refunded([{ id: first, status: "processed", paise: half }]),
    NOTHING_BOUGHT,
  );
  strictEqual(await isKnown(sql, phone), false);
  // The other half could not be returned after all.
  const left = FREE_CREDITS + STARTER / 2;
  deepStrictEqual(await refunded([{ id: second, status: "failed", paise: half }]), [
    "settled",
    STARTER,
    left,
  ]);
  strictEqual(await balanceOf(phone), left);
});

/** A payment that is first heard of as refunded, by a refund of everything that is still pending. */
async function refundPending() {
  const phone = newPhoneNumber();
  const [orderId, paymentId, id] = [
    await orderPackage(phone, "starter"),
    newId("pay"),
    newId("rfnd"),
  ];
  const refunded = (status: Refund["status"]) =>
    report(orderId, paymentId, { status: "refunded", refunds: [{ id, status, paise: PAISE }] });
  deepStrictEqual(await refunded("pending"), NOTHING_BOUGHT);
  strictEqual(await isKnown(sql, phone), false);
  return { phone, refunded };
}

Deno.test("a payment first reported as refunded by a pending refund never makes a user or a debt", async () => {
  const { phone, refunded } = await refundPending();
  deepStrictEqual(await refunded("processed"), NOTHING_BOUGHT);
  strictEqual(await isKnown(sql, phone), false);
  strictEqual(await balanceOf(phone), FREE_CREDITS);
  const { debt_credits } = one(
    await sql`select debt_credits from public.users where phone_number = ${phone}`,
  );
  strictEqual(debt_credits, 0);
});

Deno.test("a payment first reported as refunded brings its credits when the pending refund fails", async () => {
  const { phone, refunded } = await refundPending();
  const all = FREE_CREDITS + STARTER;
  deepStrictEqual(await refunded("failed"), ["settled", STARTER, all]);
  strictEqual(await balanceOf(phone), all);
});

Deno.test("credits stay while a payment that granted them is called refunded without its refunds", async () => {
  const phone = newPhoneNumber();
  const [orderId, paymentId] = [await orderPackage(phone, "starter"), newId("pay")];
  await report(orderId, paymentId);
  strictEqual((await report(orderId, paymentId, { status: "refunded" }))[0], "replayed");
  // Another payment does not take over before the money of the first one is known to be gone.
  strictEqual((await report(orderId, newId("pay")))[0], "paid_by_another_payment");
  strictEqual(await balanceOf(phone), FREE_CREDITS + STARTER);
});
