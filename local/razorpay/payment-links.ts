/**
 * Payment Links API: https://razorpay.com/docs/api/payments/payment-links/
 *
 * It differs from the older APIs: lists have another envelope, unknown ids are an empty 404, and
 * the error texts are its own.
 * @module
 */

import type { Account } from "./account.ts";
import { page } from "./collection.ts";
import {
  nowSeconds,
  type Order,
  type Payment,
  type PaymentLink,
  paymentLinkEntity,
} from "./entities.ts";
import { badRequest, RazorpayError } from "./errors.ts";
import { announce } from "./events.ts";
import { newId, randomText } from "./ids.ts";
import { type ApiRequest, route } from "./route.ts";
import {
  allowOnly,
  type JsonObject,
  notesOf,
  optionalAmount,
  optionalCurrency,
  optionalFlag,
  optionalObject,
  optionalText,
} from "./validate.ts";

const MIN_AMOUNT = 100;
const MAX_REFERENCE_LENGTH = 40;
const MAX_DESCRIPTION_LENGTH = 2_048;
const MAX_NOTE_LENGTH = 255;
const MIN_LIFETIME_SECONDS = 15 * 60;
const MAX_LIFETIME_SECONDS = 183 * 24 * 3_600;
const FIELDS = [
  "amount",
  "currency",
  "accept_partial",
  "first_min_partial_amount",
  "description",
  "reference_id",
  "customer",
  "notify",
  "reminder_enable",
  "notes",
  "callback_url",
  "callback_method",
  "expire_by",
  "upi_link",
];
const EDITABLE_FIELDS = ["accept_partial", "reference_id", "expire_by", "notes", "reminder_enable"];

export const paymentLinkRoutes = [
  route("POST", "/v1/payment_links", createPaymentLink),
  route("GET", "/v1/payment_links", listPaymentLinks),
  route("GET", "/v1/payment_links/:id", fetchPaymentLink),
  route("PATCH", "/v1/payment_links/:id", editPaymentLink),
  route("POST", "/v1/payment_links/:id/cancel", cancelPaymentLink),
  route("POST", "/v1/payment_links/:id/notify_by/:medium", notifyByMedium),
];

/**
 * Returns the link, after expiring it if its time is up.
 *
 * @throws {RazorpayError} 404 with an empty body if there is no such link.
 */
export function paymentLinkById(account: Account, id: string): PaymentLink {
  const link = account.paymentLink(id);
  if (link === undefined) throw new RazorpayError(404, null);
  if (link.status === "created" && link.expire_by > 0 && link.expire_by <= nowSeconds()) {
    expirePaymentLink(account, link);
  }
  return link;
}

/** Expires a link that nobody has paid. */
export function expirePaymentLink(account: Account, link: PaymentLink): void {
  link.status = "expired";
  link.expired_at = nowSeconds();
  link.updated_at = link.expired_at;
  announce(account, "payment_link.expired", link.id);
}

/** Records a captured payment on the link that its order belongs to. */
export function recordPaymentOnLink(
  account: Account,
  linkId: string,
  order: Order,
  payment: Payment,
): void {
  const link = paymentLinkById(account, linkId);
  link.amount_paid = order.amount_paid;
  link.payment_ids.push(payment.id);
  link.status = order.status === "paid" ? "paid" : "partially_paid";
  link.updated_at = nowSeconds();
  announce(account, `payment_link.${link.status}`, link.id);
}

function createPaymentLink({ account, body, header }: ApiRequest): unknown {
  allowOnly(body, FIELDS);
  const amount = linkAmount(account, body);
  const currency = linkCurrency(body);
  const reference_id = newReference(account, body);
  if (optionalFlag(body, "upi_link")) {
    throw badRequest("UPI Payment Links is not supported in Test Mode");
  }
  const createdAt = nowSeconds();
  // At the server that is asked for the link. Razorpay's own pages are at https://rzp.io/rzp/.
  const short_url = `http://${header("host")}/rzp/${randomText(7)}`;
  const link: PaymentLink = {
    id: newId("plink"),
    accept_partial: optionalFlag(body, "accept_partial") ?? false,
    amount,
    amount_paid: 0,
    ...linkCallback(body),
    cancelled_at: 0,
    created_at: createdAt,
    currency,
    customer: linkCustomer(body),
    description: optionalText(body, "description", MAX_DESCRIPTION_LENGTH) ?? "",
    expire_by: linkExpiry(body),
    expired_at: 0,
    first_min_partial_amount: optionalAmount(body, "first_min_partial_amount") ?? 0,
    notes: notesOf(body, MAX_NOTE_LENGTH),
    notify: linkNotify(body),
    reference_id,
    reminder_enable: optionalFlag(body, "reminder_enable") ?? false,
    short_url,
    status: "created",
    updated_at: createdAt,
    order_id: null,
    payment_ids: [],
  };
  account.state.paymentLinks.set(link.id, link);
  return linkWithPayments(account, link);
}

function linkAmount(account: Account, body: JsonObject): number {
  const amount = optionalAmount(body, "amount");
  if (amount === undefined || amount === 0) {
    throw badRequest("amount: cannot be blank.", { field: "amount" });
  }
  if (amount < MIN_AMOUNT) {
    throw badRequest("amount: amount should be minimum 1.00 for INR.", { field: "amount" });
  }
  if (amount > account.settings.max_amount_paise) {
    throw badRequest("amount exceeds maximum amount allowed.", { field: "amount" });
  }
  return amount;
}

function linkCurrency(body: JsonObject): string {
  const { currency } = body;
  if (currency !== undefined && typeof currency !== "string") {
    throw badRequest("currency: wrong input field.", { field: "currency" });
  }
  return optionalCurrency(body) ?? "INR";
}

/** A reference can never be used again, even if its link has expired or been cancelled. */
function newReference(account: Account, body: JsonObject, sameLink?: PaymentLink): string {
  const reference = optionalText(body, "reference_id", MAX_REFERENCE_LENGTH) ?? "";
  const isTaken = reference !== "" &&
    [...account.state.paymentLinks.values()].some((link) =>
      link !== sameLink && link.reference_id === reference
    );
  if (isTaken) {
    throw badRequest(
      `payment link with given reference_id: ${reference} already exists. ` +
        "Please create a payment link with a different reference_id",
      { reason: null },
    );
  }
  return reference;
}

function linkExpiry(body: JsonObject): number {
  const expireBy = optionalAmount(body, "expire_by");
  if (expireBy === undefined || expireBy === 0) return 0;
  const lifetime = expireBy - nowSeconds();
  if (lifetime < MIN_LIFETIME_SECONDS) {
    throw badRequest("expire_by: timestamp must be at least 15 minutes in future", {
      field: "expire_by",
    });
  }
  if (lifetime > MAX_LIFETIME_SECONDS) {
    throw badRequest("expire_by: timestamp must be within 6 months", { field: "expire_by" });
  }
  return expireBy;
}

function linkCallback(body: JsonObject): Pick<PaymentLink, "callback_url" | "callback_method"> {
  const callback_url = optionalText(body, "callback_url") ?? "";
  const callback_method = optionalText(body, "callback_method") ?? "";
  if (callback_url !== "" && callback_method !== "get") {
    throw badRequest("callback_method: must be a valid value.", { field: "callback_method" });
  }
  return { callback_url, callback_method };
}

function linkCustomer(body: JsonObject): Record<string, string> {
  const customer = optionalObject(body, "customer") ?? {};
  allowOnly(customer, ["name", "contact", "email"]);
  return Object.fromEntries(
    Object.keys(customer).map((field) => [field, optionalText(customer, field) ?? ""]),
  );
}

function linkNotify(body: JsonObject): PaymentLink["notify"] {
  const notify = optionalObject(body, "notify") ?? {};
  allowOnly(notify, ["sms", "email"]);
  return {
    email: optionalFlag(notify, "email") ?? false,
    sms: optionalFlag(notify, "sms") ?? false,
    whatsapp: false,
  };
}

function listPaymentLinks({ account, query }: ApiRequest): unknown {
  const referenceId = query.get("reference_id");
  const paymentId = query.get("payment_id");
  const links = [...account.state.paymentLinks.values()].filter((link) =>
    (referenceId === null || link.reference_id === referenceId) &&
    (paymentId === null || link.payment_ids.includes(paymentId))
  );
  return {
    payment_links: page(links, query, account.listing).map((link) =>
      linkWithPayments(account, link)
    ),
  };
}

function fetchPaymentLink({ account, param }: ApiRequest): unknown {
  return linkWithPayments(account, paymentLinkById(account, param("id")));
}

/** Returns the link as the API shows it: with its payments, which webhooks leave out. */
function linkWithPayments(account: Account, link: PaymentLink): Record<string, unknown> {
  const payments = link.payment_ids.map((id) => {
    const payment = account.payment(id);
    return {
      amount: payment.amount,
      created_at: payment.created_at,
      method: payment.method,
      payment_id: payment.id,
      plink_id: link.id,
      status: payment.status,
      updated_at: link.updated_at,
    };
  });
  return { ...paymentLinkEntity(link), payments: payments.length === 0 ? null : payments };
}

function editPaymentLink({ account, param, body }: ApiRequest): unknown {
  const link = paymentLinkById(account, param("id"));
  allowOnly(body, EDITABLE_FIELDS);
  if (link.status !== "created" && link.status !== "partially_paid") {
    throw badRequest(`update can only be done on created or partially paid payment links`);
  }
  const changes: Partial<PaymentLink> = {
    accept_partial: optionalFlag(body, "accept_partial") ?? link.accept_partial,
    reference_id: "reference_id" in body ? newReference(account, body, link) : link.reference_id,
    expire_by: "expire_by" in body ? linkExpiry(body) : link.expire_by,
    notes: "notes" in body ? notesOf(body, MAX_NOTE_LENGTH) : link.notes,
    reminder_enable: optionalFlag(body, "reminder_enable") ?? link.reminder_enable,
    updated_at: nowSeconds(),
  };
  Object.assign(link, changes);
  return linkWithPayments(account, link);
}

function cancelPaymentLink({ account, param }: ApiRequest): unknown {
  const link = paymentLinkById(account, param("id"));
  if (link.status === "paid" || link.status === "partially_paid") {
    throw badRequest("cannot cancel or expire an already paid/partially paid link");
  }
  if (link.status !== "created") {
    throw badRequest(`payment link is already ${link.status}`);
  }
  link.status = "cancelled";
  link.cancelled_at = nowSeconds();
  link.updated_at = link.cancelled_at;
  announce(account, "payment_link.cancelled", link.id);
  return linkWithPayments(account, link);
}

function notifyByMedium({ account, param }: ApiRequest): unknown {
  paymentLinkById(account, param("id"));
  if (param("medium") !== "sms" && param("medium") !== "email") {
    throw badRequest("medium: must be a valid value.", { field: "medium" });
  }
  return { success: true };
}
