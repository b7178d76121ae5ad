/**
 * What `users` and `credit-history` tell the owner of an account besides the history: what can be spent,
 * and on which orders a payment is under way.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { z } from "zod";
import { history, newUser, profile, type RequestHeaders } from "../support/accounts.ts";
import { assertBooksAreRight, startBackend } from "../support/backend.ts";
import { newReference, reserve } from "../support/bot.ts";
import { call, dataOf, operatorHeaders } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { act } from "../support/operators.ts";
import { comeBack } from "../support/payment-return.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { cameByLink, signedIn } from "../support/proofs.ts";
import { orderPackage, payForPackage, type Purchase, verify } from "../support/purchases.ts";
import { newOrderId, newPaymentId } from "../support/razorpay-ids.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";

const backend = await startBackend();
const { control } = backend.razorpay;
Deno.test.afterAll(() => backend.stop());
Deno.test.afterEach(() => assertBooksAreRight(backend.sql));

const pendingOrders = z.array(z.strictObject({
  order_id: z.string(),
  package: z.strictObject({
    id: z.string(),
    name: z.string(),
    credits: z.int(),
    price: z.number(),
  }),
  created_at: z.iso.datetime({ offset: true }),
}));

const account = z.object({
  credits: z.int(),
  remaining_credits: z.int(),
  reserved_credits: z.int(),
  frozen: z.literal(true).optional(),
  pending_orders: pendingOrders.optional(),
});
type Account = z.infer<typeof account>;

/** What both functions tell a reader, by default the owner, who must be told the same by both. */
async function toldOf(phone: string, headers?: RequestHeaders): Promise<Account> {
  const proof = headers ?? await signedIn(backend, phone);
  const ofUser = dataOf(await profile(phone, proof));
  const ofHistory = dataOf(await history(String(ofUser.id), proof));
  const told = account.parse(ofUser);
  deepStrictEqual(account.parse(ofHistory), told);
  return told;
}

const idsOf = (orders: unknown) => pendingOrders.parse(orders).map(({ order_id }) => order_id);

/** A payment that has begun, and of which we have heard. */
async function payingFor(phone: string, packageId = "starter"): Promise<Purchase> {
  const purchase = await payForPackage(control, phone, packageId, { outcome: "authorized" });
  strictEqual((await comeBack({ ...purchase.checkout })).payment, "pending");
  return purchase;
}

Deno.test("an owner sees the balance, what can be spent, and no order where no payment is under way", async () => {
  const phone = newPhoneNumber();
  const person = { phone_number: phone };
  dataOf(await reserve({ ...person, reference_id: newReference(), credits: 2 }));
  deepStrictEqual(await toldOf(phone), {
    credits: 3,
    remaining_credits: 1,
    reserved_credits: 2,
    pending_orders: [],
  });
});

Deno.test("the owner of a frozen account sees that it is frozen", async () => {
  const phone = newPhoneNumber();
  const user_id = await newUser(phone);
  dataOf(await act("freeze-user", { user_id }));
  strictEqual((await toldOf(phone)).frozen, true);
  dataOf(await act("unfreeze-user", { user_id }));
  ok(!("frozen" in await toldOf(phone)));
});

Deno.test("an order is pending from the first word of a payment to its end, with what was bought", async () => {
  const phone = newPhoneNumber();
  const orderId = await orderPackage(phone, "pro");
  deepStrictEqual((await toldOf(phone)).pending_orders, []);

  const purchase = await payingFor(phone, "pro");
  strictEqual(purchase.checkout.razorpay_order_id, orderId);
  await backend.sql`update public.packages set price = 1, credits = 1 where id = 'pro'`;
  const [pending, ...others] = pendingOrders.parse((await toldOf(phone)).pending_orders);
  await backend.sql`update public.packages set price = 799, credits = 250 where id = 'pro'`;
  deepStrictEqual(others, []);
  const { created_at = "", ...order } = pending ?? {};
  deepStrictEqual(order, {
    order_id: orderId,
    package: { id: "pro", name: "Pro", credits: 250, price: 799 },
  });
  ok(Math.abs(Date.parse(created_at) - Date.now()) < 60_000);

  await control.capture(purchase.checkout.razorpay_payment_id, { deliver_webhooks: false });
  dataOf(await verify(purchase));
  const { credits, pending_orders } = await toldOf(phone);
  deepStrictEqual([credits, pending_orders], [253, []]);
});

Deno.test("an order whose payment has failed is not pending, until the next one begins", async () => {
  const phone = newPhoneNumber();
  const failed = await payForPackage(control, phone, "starter", { outcome: "failed" });
  strictEqual((await comeBack({ ...failed.checkout })).payment, "pending");
  deepStrictEqual((await toldOf(phone)).pending_orders, []);
  const again = await payingFor(phone);
  strictEqual(again.checkout.razorpay_order_id, failed.checkout.razorpay_order_id);
  deepStrictEqual(idsOf((await toldOf(phone)).pending_orders), [again.checkout.razorpay_order_id]);
});

Deno.test("an order that Razorpay is no longer asked about is not pending", async () => {
  const phone = newPhoneNumber();
  const { checkout } = await payingFor(phone);
  await backend.sql`
    update public.payment_orders
    set next_check_at = null, created_at = created_at - interval '7 days'
    where razorpay_order_id = ${checkout.razorpay_order_id}`;
  deepStrictEqual((await toldOf(phone)).pending_orders, []);
});

Deno.test("the newest orders come first, ten at most", async () => {
  const phone = newPhoneNumber();
  const orders: string[] = [];
  for (const _ of Array(12)) {
    const { checkout } = await payingFor(phone);
    orders.unshift(checkout.razorpay_order_id);
    // An order of now would be used again.
    await backend.sql`
      update public.payment_orders set created_at = created_at - interval '1 hour'
      where phone_number = ${phone}`;
  }
  deepStrictEqual(idsOf((await toldOf(phone)).pending_orders), orders.slice(0, 10));
});

Deno.test("an order is pending for the person that it is for, and for nobody else", async () => {
  const [phone, other] = [newPhoneNumber(), newPhoneNumber()];
  const whatsapp_user_id = newWhatsappId();
  await newUser(other);
  const { checkout } = await payingFor(phone);
  deepStrictEqual((await toldOf(other)).pending_orders, []);
  // Another identity of the same person sees it too.
  dataOf(await call("POST", "bot-link", { body: { phone_number: phone, whatsapp_user_id } }));
  deepStrictEqual(idsOf((await toldOf(phone)).pending_orders), [checkout.razorpay_order_id]);
});

Deno.test("where an order names two identities of two people, it is the number's", async () => {
  const [phone, whatsapp_user_id] = [newPhoneNumber(), newWhatsappId()];
  const theirs = await linkOf({ whatsapp_user_id });
  await newUser(phone);
  const { checkout } = await payingFor(phone);
  await backend.sql`
    update public.payment_orders set whatsapp_user_id = ${whatsapp_user_id}
    where razorpay_order_id = ${checkout.razorpay_order_id}`;
  deepStrictEqual(idsOf((await toldOf(phone)).pending_orders), [checkout.razorpay_order_id]);
  const { pending_orders } = dataOf(await history(theirs.userId, theirs.headers));
  deepStrictEqual(pending_orders, []);
  await backend.sql`
    update public.payment_orders set whatsapp_user_id = null
    where razorpay_order_id = ${checkout.razorpay_order_id}`;
});

Deno.test("a person known by a WhatsApp user id alone reads everything from credit-history by the link", async () => {
  const whatsapp_user_id = newWhatsappId();
  dataOf(await reserve({ whatsapp_user_id, reference_id: newReference(), credits: 1 }));
  const body = { whatsapp_user_id, package_id: "starter" };
  dataOf(await call("POST", "bot-payment-link", { body }));
  await backend.sql`
    select from public.payment_orders o, public.settle_payment(
      razorpay_order_id => ${newOrderId()},
      razorpay_payment_id => ${newPaymentId()},
      payment_status => 'authorized',
      amount_paise => o.amount_paise,
      currency => o.currency,
      receipt => replace(o.id::text, '-', '')
    )
    where o.whatsapp_user_id = ${whatsapp_user_id}`;
  for (const access of ["phone-proof", "public"]) {
    await withEnvironment({ FRONTEND_ACCESS: access }, async () => {
      const { userId, headers } = await linkOf({ whatsapp_user_id });
      const { transactions, pending_orders, ...rest } = dataOf(await history(userId, headers));
      deepStrictEqual(rest, {
        user_id: userId,
        credits: 3,
        remaining_credits: 2,
        reserved_credits: 1,
        debt_credits: 0,
        total: 1,
        next_cursor: null,
      });
      strictEqual(z.array(z.unknown()).parse(transactions).length, 1);
      const [order] = pendingOrders.parse(pending_orders);
      deepStrictEqual(order?.package, { id: "starter", name: "Starter", credits: 20, price: 99 });
    });
  }
});

/** The proofs of a person, with which the orders are shown in either mode. */
async function proofsOf(phone: string): Promise<Record<string, RequestHeaders>> {
  return {
    "a link": await cameByLink(phone),
    "a session": await signedIn(backend, phone),
    "the bot's secret": { "x-bot-secret": backend.environment.BOT_SECRET },
    "the secret key": operatorHeaders(),
  };
}

for (const access of ["phone-proof", "public"]) {
  Deno.test(`with FRONTEND_ACCESS=${access}, whoever proves to be the owner sees the orders`, async () => {
    const phone = newPhoneNumber();
    const { checkout } = await payingFor(phone);
    const proofs = await proofsOf(phone);
    await withEnvironment({ FRONTEND_ACCESS: access }, async () => {
      for (const [name, headers] of Object.entries(proofs)) {
        const { pending_orders } = await toldOf(phone, headers);
        deepStrictEqual(idsOf(pending_orders), [checkout.razorpay_order_id], name);
      }
    });
  });
}

Deno.test("where accounts are public, nobody but the owner learns of orders", async () => {
  const [phone, other, stranger] = [newPhoneNumber(), newPhoneNumber(), newPhoneNumber()];
  await payingFor(phone);
  await newUser(other);
  const invalid = { "x-access-token": "nonsense" };
  const withoutNumber = await linkOf({ whatsapp_user_id: newWhatsappId() });
  const strangers: RequestHeaders[] = [
    {},
    invalid,
    await cameByLink(other),
    await signedIn(backend, other),
    await signedIn(backend, stranger),
    withoutNumber.headers,
  ];
  await withEnvironment({ FRONTEND_ACCESS: "public" }, async () => {
    for (const headers of strangers) {
      deepStrictEqual(await toldOf(phone, headers), {
        credits: 3,
        remaining_credits: 3,
        reserved_credits: 0,
      });
    }
  });
});

/** The link of the bot to somebody, as their page uses it. */
async function linkOf(
  person: Record<string, string>,
): Promise<{ userId: string; headers: RequestHeaders }> {
  const { url, token } = dataOf(await call("POST", "bot-link", { body: person }));
  const fields = new URLSearchParams(new URL(String(url)).hash.slice(1));
  return {
    userId: fields.get("user_id") ?? "",
    headers: { "x-access-token": String(token) },
  };
}
