/**
 * Payments API: https://razorpay.com/docs/api/payments/
 * @module
 */

import type { Account } from "./account.ts";
import { collection, page } from "./collection.ts";
import { type Order, type Payment, paymentEntity, razorpayFee } from "./entities.ts";
import { badRequest } from "./errors.ts";
import { announce } from "./events.ts";
import { recordPaymentOnLink } from "./payment-links.ts";
import { type ApiRequest, route } from "./route.ts";
import { allowOnly, notesOf, optionalCurrency, requiredAmount } from "./validate.ts";

export const paymentRoutes = [
  route("GET", "/v1/payments", listPayments),
  route("GET", "/v1/payments/:id", ({ account, param }) => {
    return paymentEntity(account.payment(param("id")));
  }),
  route("PATCH", "/v1/payments/:id", editPayment),
  route("POST", "/v1/payments/:id/capture", capturePayment),
];

function listPayments({ account, query }: ApiRequest): unknown {
  return collection(
    page(account.state.payments.values(), query, account.listing).map(paymentEntity),
  );
}

function editPayment({ account, param, body }: ApiRequest): unknown {
  const payment = account.payment(param("id"));
  allowOnly(body, ["notes"]);
  payment.notes = notesOf(body);
  return paymentEntity(payment);
}

function capturePayment({ account, param, body }: ApiRequest): unknown {
  const payment = account.payment(param("id"));
  allowOnly(body, ["amount", "currency"]);
  const amount = requiredAmount(body, "amount");
  const currency = optionalCurrency(body) ?? "INR";
  checkCapturable(payment);
  if (amount !== payment.amount) {
    throw badRequest("Capture amount must be equal to the amount authorized", { field: "amount" });
  }
  if (currency !== payment.currency) {
    throw badRequest("The currency must be the same as that of the payment", { field: "currency" });
  }
  account.webhooks.batch(true, () => capture(account, payment));
  return paymentEntity(payment);
}

/** @throws {RazorpayError} 400 if the payment is captured, not authorized, or has no order. */
export function checkCapturable(payment: Payment): void {
  if (payment.captured) throw badRequest("This payment has already been captured");
  if (payment.status !== "authorized") {
    throw badRequest(
      "Only payments which have been authorized and not yet captured can be captured",
    );
  }
  if (payment.order_id === null) {
    throw badRequest("Payments made without an order_id cannot be captured");
  }
}

/** The bank approved the payment: the money is reserved, but not yet the merchant's. */
export function authorize(account: Account, payment: Payment): void {
  payment.status = "authorized";
  payment.failure = null;
  announce(account, "payment.authorized", payment.id);
}

/** Takes the money of an authorized payment, and counts it towards its order. */
export function capture(account: Account, payment: Payment): void {
  payment.status = "captured";
  payment.captured = true;
  Object.assign(payment, razorpayFee(payment.amount));
  announce(account, "payment.captured", payment.id);
  if (payment.order_id !== null) countTowards(account, account.order(payment.order_id), payment);
}

/** A payment in another currency does not count, nor does one on an order that is already paid. */
function countTowards(account: Account, order: Order, payment: Payment): void {
  if (payment.currency !== order.currency || order.status === "paid") return;
  order.amount_paid = Math.min(order.amount, order.amount_paid + payment.amount);
  order.amount_due = order.amount - order.amount_paid;
  if (order.amount_due === 0) {
    order.status = "paid";
    order.paid_by_payment_id = payment.id;
    announce(account, "order.paid", order.id);
  }
  if (order.payment_link_id !== null) {
    recordPaymentOnLink(account, order.payment_link_id, order, payment);
  }
}
