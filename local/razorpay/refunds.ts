/**
 * Refunds API: https://razorpay.com/docs/api/refunds/
 * @module
 */

import type { Account } from "./account.ts";
import { collection, page } from "./collection.ts";
import { nowSeconds, type Payment, type Refund, refundEntity } from "./entities.ts";
import { badRequest, RazorpayError, serverError, unknownId } from "./errors.ts";
import { announce } from "./events.ts";
import { newId } from "./ids.ts";
import { type ApiRequest, route } from "./route.ts";
import { allowOnly, type JsonObject, notesOf, optionalAmount, optionalText } from "./validate.ts";

const MIN_AMOUNT = 100;
const FIELDS = ["amount", "speed", "notes", "receipt"];

export const refundRoutes = [
  route("POST", "/v1/payments/:id/refund", createRefund),
  route("GET", "/v1/payments/:id/refunds", listPaymentRefunds),
  route("GET", "/v1/payments/:id/refunds/:refund_id", fetchPaymentRefund),
  route("GET", "/v1/refunds", listRefunds),
  route(
    "GET",
    "/v1/refunds/:id",
    ({ account, param }) => refundEntity(account.refund(param("id"))),
  ),
  route("PATCH", "/v1/refunds/:id", editRefund),
];

/** The values of a new refund, besides its payment. */
export interface NewRefund {
  readonly amount: number;
  readonly speed: "normal" | "optimum";
  readonly notes: Refund["notes"];
  readonly receipt: string | null;
  readonly status: Refund["status"];
}

/** Adds a refund to the account and emits its events. */
export function addRefund(account: Account, payment: Payment, refund: NewRefund): Refund {
  const added: Refund = {
    id: newId("rfnd"),
    amount: refund.amount,
    currency: payment.currency,
    payment_id: payment.id,
    notes: refund.notes,
    receipt: refund.receipt,
    created_at: nowSeconds(),
    status: refund.status,
    speed_processed: refund.speed === "optimum" ? "instant" : "normal",
    speed_requested: refund.speed,
  };
  account.state.refunds.set(added.id, added);
  if (added.status !== "failed") countRefund(payment, added.amount);
  announce(account, "refund.created", added.id);
  if (added.status !== "pending") announce(account, `refund.${added.status}`, added.id);
  return added;
}

/** Refunds the whole of a payment that came too late, as Razorpay does automatically. */
export function refundAutomatically(account: Account, payment: Payment): Refund {
  return addRefund(account, payment, {
    amount: payment.amount - payment.amount_refunded,
    speed: "normal",
    notes: {},
    receipt: null,
    status: account.settings.refund_status,
  });
}

/**
 * Sets what the bank made of a refund. `failed` is final: the merchant keeps the money.
 *
 * @throws {RazorpayError} 400 if the refund has already failed.
 */
export function setRefundStatus(
  account: Account,
  refund: Refund,
  status: Refund["status"],
): void {
  if (refund.status === status) return;
  if (refund.status === "failed") throw badRequest("this refund has failed already");
  if (status === "failed") countRefund(account.payment(refund.payment_id), -refund.amount);
  refund.status = status;
  if (status !== "pending") announce(account, `refund.${status}`, refund.id);
}

/** Sets the speed of a refund. An instant refund that proves impossible becomes a normal one. */
export function setRefundSpeed(
  account: Account,
  refund: Refund,
  speed: Refund["speed_processed"],
): void {
  if (refund.speed_processed === speed) return;
  refund.speed_processed = speed;
  announce(account, "refund.speed_changed", refund.id);
}

/** Keeps the refunded amount and the status of the payment in step with its refunds. */
function countRefund(payment: Payment, amount: number): void {
  payment.amount_refunded += amount;
  const isWhole = payment.amount_refunded >= payment.amount;
  payment.refund_status = isWhole ? "full" : payment.amount_refunded > 0 ? "partial" : null;
  payment.status = isWhole ? "refunded" : payment.captured ? "captured" : "authorized";
}

async function createRefund({ account, param, body, header }: ApiRequest): Promise<unknown> {
  const payment = account.payment(param("id"));
  const key = header("x-refund-idempotency");
  if (key === undefined) {
    return refundEntity(await refundOnRequest(account, payment, body));
  }
  if (!/^[A-Za-z0-9_-]{10,}$/.test(key)) {
    throw badRequest(
      "The idempotency key must have at least 10 characters of A-Z, a-z, 0-9, - and _.",
    );
  }
  return refundEntity(await refundOnce(account, payment, body, key));
}

/** A repeated key returns the first request's refund, and is rejected for any other request. */
async function refundOnce(
  account: Account,
  payment: Payment,
  body: JsonObject,
  key: string,
): Promise<Refund> {
  const used = account.state.refundKeys.get(key);
  const bodyText = JSON.stringify(body);
  if (used !== undefined) {
    if (used.payment_id !== payment.id || used.body !== bodyText) {
      throw badRequest(
        "Different request with the same idempotency key has already been processed.",
      );
    }
    return account.refund(used.refund_id);
  }
  if (account.refundKeysInProgress.has(key)) {
    throw new RazorpayError(409, {
      code: "BAD_REQUEST_ERROR",
      description: "Request with the same idempotency key is already in progress.",
    });
  }
  account.refundKeysInProgress.add(key);
  try {
    const refund = await refundOnRequest(account, payment, body);
    account.state.refundKeys.set(key, {
      key,
      payment_id: payment.id,
      body: bodyText,
      refund_id: refund.id,
    });
    return refund;
  } finally {
    account.refundKeysInProgress.delete(key);
  }
}

async function refundOnRequest(
  account: Account,
  payment: Payment,
  body: JsonObject,
): Promise<Refund> {
  if (!await account.pause(account.settings.refund_delay_ms)) throw serverError();
  allowOnly(body, FIELDS);
  const amount = optionalAmount(body, "amount");
  const speed = body.speed ?? "normal";
  if (speed !== "normal" && speed !== "optimum") {
    throw badRequest("The selected speed is invalid.", { field: "speed" });
  }
  const notes = notesOf(body);
  const receipt = optionalText(body, "receipt") ?? null;
  if (!payment.captured) {
    throw badRequest("The payment status should be captured for action to be taken");
  }
  const refund: NewRefund = {
    amount: checkRefundAmount(payment, amount),
    speed,
    notes,
    receipt,
    status: account.settings.refund_status,
  };
  return account.webhooks.batch(true, () => addRefund(account, payment, refund));
}

/**
 * Returns the amount to refund, which by default is all that has not been refunded yet.
 *
 * @throws {RazorpayError} 400 if the amount is too small or too large.
 */
export function checkRefundAmount(payment: Payment, amount: number | undefined): number {
  const left = payment.amount - payment.amount_refunded;
  if (left <= 0) throw badRequest("The payment has been fully refunded already");
  if (amount === undefined) return left;
  if (amount < MIN_AMOUNT) {
    throw badRequest("The amount must be at least INR 1.00", { field: "amount" });
  }
  if (amount > left) {
    throw badRequest("The refund amount provided is greater than amount captured", {
      field: "amount",
    });
  }
  return amount;
}

function listRefunds({ account, query }: ApiRequest): unknown {
  return collection(page(account.state.refunds.values(), query, account.listing).map(refundEntity));
}

function listPaymentRefunds({ account, param, query }: ApiRequest): unknown {
  const payment = account.payment(param("id"));
  const refunds = [...account.state.refunds.values()]
    .filter(({ payment_id }) => payment_id === payment.id);
  return collection(page(refunds, query, { lagMs: 0 }).map(refundEntity));
}

function fetchPaymentRefund({ account, param }: ApiRequest): unknown {
  const payment = account.payment(param("id"));
  const refund = account.refund(param("refund_id"));
  if (refund.payment_id !== payment.id) throw unknownId();
  return refundEntity(refund);
}

function editRefund({ account, param, body }: ApiRequest): unknown {
  const refund = account.refund(param("id"));
  allowOnly(body, ["notes"]);
  refund.notes = notesOf(body);
  return refundEntity(refund);
}
