/**
 * The customer, who pays orders and payment links, and what Checkout then hands to the browser.
 * @module
 */

import type { Account } from "./account.ts";
import {
  newInstrument,
  nowSeconds,
  type Order,
  type Payment,
  type PaymentFailure,
  type PaymentLink,
  type PaymentMethod,
} from "./entities.ts";
import { badRequest } from "./errors.ts";
import { announce, withoutPrefix } from "./events.ts";
import { newId } from "./ids.ts";
import { addOrder } from "./orders.ts";
import { authorize, capture } from "./payments.ts";
import { refundAutomatically } from "./refunds.ts";

const FAILURE: PaymentFailure = {
  code: "BAD_REQUEST_ERROR",
  description: "Payment failed",
  source: "issuer",
  step: "payment_authorization",
  reason: "payment_failed",
};

/**
 * How an attempt to pay ends. `late_authorized` is a bank that approves long after Checkout gave
 * up: the payment is captured or, if the order has been paid in the meantime, refunded by Razorpay.
 */
export type Outcome = "captured" | "authorized" | "failed" | "late_authorized";

/** What the customer does. The order supplies what is left out. */
interface PayInstructions {
  readonly outcome: Outcome;
  /** Continues an undecided, failed or authorized payment of the order instead of starting one. */
  readonly payment_id?: string | undefined;
  /** Pays an amount or a currency other than the order's. Only for new payments. */
  readonly amount?: number | undefined;
  readonly currency?: string | undefined;
  readonly method?: PaymentMethod | undefined;
  readonly email?: string | undefined;
  readonly contact?: string | undefined;
  readonly notes?: Payment["notes"] | undefined;
  /** Pays even if the order is paid or has an authorized payment, or the payment link is closed. */
  readonly force?: boolean | undefined;
}

/** Plays the customer on an order's Checkout. */
export function payOrder(account: Account, order: Order, instructions: PayInstructions): Payment {
  const { payment_id, outcome, force } = instructions;
  const continued = payment_id === undefined
    ? undefined
    : paymentToContinue(account, order, payment_id);
  if (!force && outcome !== "late_authorized") checkPayable(account, order, continued);
  const payment = continued ?? beginPayment(account, order, instructions);
  concludePayment(account, payment, outcome, order.status === "paid" && !force);
  return payment;
}

/** Plays a customer whose bank has not decided yet. {@linkcode payOrder} continues the payment. */
export function beginPayment(
  account: Account,
  order: Order,
  instructions: Omit<PayInstructions, "outcome" | "payment_id" | "force">,
): Payment {
  const payment = addPayment(account, {
    ...instructions,
    order_id: order.id,
    // Nothing is due on a paid order, so a second payment repeats the amount of the first.
    amount: instructions.amount ?? (order.amount_due || order.amount),
    currency: instructions.currency ?? order.currency,
  });
  order.attempts += 1;
  if (order.status === "created") order.status = "attempted";
  return payment;
}

/** Plays a payment that reaches the account without an order, such as one made with a QR code. */
export function payWithoutOrder(
  account: Account,
  instructions: PayInstructions & { amount: number },
): Payment {
  const payment = addPayment(account, {
    ...instructions,
    currency: instructions.currency ?? "INR",
    order_id: null,
  });
  concludePayment(account, payment, instructions.outcome, false);
  return payment;
}

/** Plays the customer on a payment link's page. Opening the page creates the link's order. */
export function payPaymentLink(
  account: Account,
  link: PaymentLink,
  instructions: PayInstructions,
): Payment {
  const isOpen = link.status === "created" || link.status === "partially_paid";
  if (!isOpen && !instructions.force) throw badRequest(`payment link is ${link.status}`);
  const order = link.order_id === null ? addLinkOrder(account, link) : account.order(link.order_id);
  return payOrder(account, order, { ...instructions, notes: instructions.notes ?? link.notes });
}

/** Returns what Checkout hands to the browser. */
export function checkoutResult(account: Account, payment: Payment): Record<string, unknown> {
  if (payment.status === "failed") {
    return {
      razorpay_order_id: payment.order_id,
      razorpay_payment_id: payment.id,
      error: {
        ...payment.failure,
        metadata: { order_id: payment.order_id, payment_id: payment.id },
      },
    };
  }
  return {
    razorpay_order_id: payment.order_id,
    razorpay_payment_id: payment.id,
    razorpay_signature: account.sign(payment.order_id ?? "", payment.id),
  };
}

/** Returns the parameters that a payment link's page adds to the callback URL. */
export function paymentLinkCallback(
  account: Account,
  link: PaymentLink,
  payment: Payment,
): Record<string, unknown> {
  const result = checkoutResult(account, payment);
  if (payment.status === "failed") return result;
  return {
    razorpay_order_id: payment.order_id,
    razorpay_payment_id: payment.id,
    razorpay_payment_link_id: link.id,
    razorpay_payment_link_reference_id: link.reference_id,
    razorpay_payment_link_status: link.status,
    razorpay_signature: account.sign(link.id, link.reference_id, link.status, payment.id),
  };
}

function addLinkOrder(account: Account, link: PaymentLink): Order {
  const order = addOrder(account, {
    amount: link.amount,
    currency: link.currency,
    receipt: link.reference_id,
    notes: link.notes,
    partial_payment: link.accept_partial,
    payment_link_id: link.id,
  });
  link.order_id = order.id;
  return order;
}

/**
 * A payment can go on until its money is taken. Even a failed one can: UPI apps retry the same payment,
 * and banks respond late.
 */
function paymentToContinue(account: Account, order: Order, paymentId: string): Payment {
  const payment = account.payment(paymentId);
  if (payment.order_id !== order.id) throw badRequest("this payment belongs to another order");
  if (payment.status === "captured" || payment.status === "refunded") {
    throw badRequest(`this payment is ${payment.status} and cannot go on`);
  }
  return payment;
}

/** @throws {RazorpayError} 400 if the order is paid, or has an authorized payment besides this one. */
export function checkPayable(account: Account, order: Order, continued: Payment | undefined): void {
  if (order.status === "paid") {
    throw badRequest("Your payment has been declined as the order is already paid.");
  }
  const other = account.paymentsOf(order).find((payment) =>
    payment !== continued && payment.status === "authorized"
  );
  if (other !== undefined) {
    throw badRequest("Your payment has been declined as the order has an authorized payment.");
  }
}

function addPayment(
  account: Account,
  details:
    & Pick<Payment, "amount" | "currency" | "order_id">
    & Pick<PayInstructions, "method" | "email" | "contact" | "notes">,
): Payment {
  const method = details.method ?? "upi";
  const payment: Payment = {
    id: newId("pay"),
    amount: details.amount,
    currency: details.currency,
    status: "created",
    order_id: details.order_id,
    method,
    amount_refunded: 0,
    refund_status: null,
    captured: false,
    description: linkDescription(account, details.order_id),
    email: details.email ?? "customer@example.com",
    contact: details.contact ?? "+919999999999",
    notes: details.notes ?? {},
    fee: null,
    tax: null,
    failure: null,
    instrument: newInstrument(method),
    created_at: nowSeconds(),
  };
  account.state.payments.set(payment.id, payment);
  return payment;
}

/** A payment on a payment link is described by the link's id. */
function linkDescription(account: Account, orderId: string | null): string | null {
  const linkId = orderId === null ? null : account.order(orderId).payment_link_id;
  return linkId === null ? null : `#${withoutPrefix(linkId)}`;
}

function concludePayment(
  account: Account,
  payment: Payment,
  outcome: Outcome,
  isTooLate: boolean,
): void {
  if (outcome === "failed") {
    payment.status = "failed";
    payment.failure = FAILURE;
    announce(account, "payment.failed", payment.id);
    return;
  }
  if (payment.status !== "authorized") authorize(account, payment);
  if (outcome === "authorized") return;
  if (isTooLate) {
    refundAutomatically(account, payment);
  } else {
    capture(account, payment);
  }
}
