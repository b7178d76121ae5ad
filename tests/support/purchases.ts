/**
 * Purchases, from the page's first call to the last one.
 * @module
 */

import type postgres from "postgres";
import { z } from "zod";
import type { CheckoutSuccess, RazorpayControl } from "../../local/razorpay/control-client.ts";
import { type Answer, call, dataOf } from "./calls.ts";
import { keepPrivate } from "./private-values.ts";
import { signCheckout } from "./signing.ts";

/** A purchase whose payment may or may not have succeeded. */
export interface Purchase {
  phone: string;
  packageId: string;
  checkout: CheckoutSuccess;
}

/** How an order is paid at the stand-in. */
export type PaymentOptions = Parameters<RazorpayControl["payOrder"]>[1];

/** Orders a package and returns Razorpay's order id. */
export async function orderPackage(phone: string, packageId: string): Promise<string> {
  const body = { package_id: packageId, phone_number: phone };
  return z.string().parse(dataOf(await call("POST", "create-order", { body })).order_id);
}

/** What Checkout would sign for this order and this payment. */
export function signedCheckout(orderId: string, paymentId: string): CheckoutSuccess {
  const secret = z.string().parse(Deno.env.get("RAZORPAY_KEY_SECRET"));
  return {
    razorpay_order_id: orderId,
    razorpay_payment_id: paymentId,
    razorpay_signature: signCheckout(orderId, paymentId, secret),
  };
}

/** Orders a package and pays for it; nothing is verified yet and no webhook is sent. */
export async function payForPackage(
  control: RazorpayControl,
  phone: string,
  packageId: string,
  payment: PaymentOptions = { outcome: "captured" },
): Promise<Purchase> {
  const orderId = await orderPackage(phone, packageId);
  const paid = await control.payOrder(orderId, { deliver_webhooks: false, ...payment });
  const checkout = "razorpay_signature" in paid
    ? paid
    : signedCheckout(paid.razorpay_order_id, paid.razorpay_payment_id);
  keepPrivate(checkout.razorpay_signature);
  return { phone, packageId, checkout };
}

/** Calls verify-payment as the page does after Checkout; `changes` replaces fields of its body. */
export function verify(
  { phone, packageId, checkout }: Purchase,
  changes: Record<string, unknown> = {},
): Promise<Answer> {
  const body = { ...checkout, phone_number: phone, package_id: packageId, ...changes };
  return call("POST", "verify-payment", { body });
}

/** Buys a package and returns once its credits are there. */
export async function buyCredits(
  control: RazorpayControl,
  phone: string,
  packageId: string,
): Promise<Purchase> {
  const purchase = await payForPackage(control, phone, packageId);
  dataOf(await verify(purchase));
  return purchase;
}

/** Places orders that nobody has paid, and that Razorpay does not know. */
export async function placeOrders(sql: postgres.Sql, phone: string, count: number): Promise<void> {
  await sql`
    insert into public.payment_orders
      (package_id, package_name, credits, amount_paise, key_mode, channel, phone_number)
    select 'starter', 'Starter', 20, 9900, 'test', 'checkout', ${phone}
    from generate_series(1, ${count}::integer)`;
}
