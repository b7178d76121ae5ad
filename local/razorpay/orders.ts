/**
 * Orders API: https://razorpay.com/docs/api/orders/
 * @module
 */

import type { Account } from "./account.ts";
import { collection, page } from "./collection.ts";
import { nowSeconds, type Order, orderEntity, paymentEntity } from "./entities.ts";
import { badRequest } from "./errors.ts";
import { newId } from "./ids.ts";
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
  requiredAmount,
} from "./validate.ts";

const MIN_AMOUNT = 100;
const MAX_RECEIPT_LENGTH = 40;
const MIN_EXPIRY_MINUTES = 12;
const MAX_EXPIRY_MINUTES = 7_200;
const FIELDS = [
  "amount",
  "currency",
  "receipt",
  "notes",
  "partial_payment",
  "first_payment_min_amount",
  "payment",
  "payment_capture",
];

export const orderRoutes = [
  route("POST", "/v1/orders", createOrder),
  route("GET", "/v1/orders", listOrders),
  route("GET", "/v1/orders/:id", ({ account, param }) => orderEntity(account.order(param("id")))),
  route("PATCH", "/v1/orders/:id", editOrder),
  route("GET", "/v1/orders/:id/payments", listOrderPayments),
];

/** The values of an order that differ from one new order to the next. */
type NewOrder = Pick<
  Order,
  "amount" | "currency" | "receipt" | "notes" | "partial_payment" | "payment_link_id"
>;

/** Adds a new order to the account. */
export function addOrder(account: Account, order: NewOrder): Order {
  const added: Order = {
    ...order,
    id: newId("order"),
    amount_paid: 0,
    amount_due: order.amount,
    status: "created",
    attempts: 0,
    created_at: nowSeconds(),
    paid_by_payment_id: null,
  };
  account.state.orders.set(added.id, added);
  return added;
}

function createOrder({ account, body }: ApiRequest): unknown {
  const isUniqueOnRequest = account.settings.order_receipts === "unique_when_asked";
  allowOnly(body, isUniqueOnRequest ? [...FIELDS, "unique_receipt"] : FIELDS);
  const amount = orderAmount(account, body);
  const currency = optionalCurrency(body);
  if (currency === undefined) throw badRequest("currency: is required.", { field: "currency" });
  const receipt = optionalText(body, "receipt", MAX_RECEIPT_LENGTH) ?? null;
  const notes = notesOf(body);
  const partial_payment = optionalFlag(body, "partial_payment") ?? false;
  optionalAmount(body, "first_payment_min_amount");
  optionalFlag(body, "payment_capture");
  checkCaptureSettings(optionalObject(body, "payment"));

  const earlier = receipt === null ? undefined : orderWithReceipt(account, receipt);
  if (earlier !== undefined && account.settings.order_receipts === "unique") {
    throw badRequest("Order receipt should be unique.", { metadata: { order_id: earlier.id } });
  }
  if (earlier !== undefined && optionalFlag(body, "unique_receipt")) return orderEntity(earlier);
  return orderEntity(
    addOrder(account, { amount, currency, receipt, notes, partial_payment, payment_link_id: null }),
  );
}

function orderAmount(account: Account, body: JsonObject): number {
  const amount = requiredAmount(body, "amount");
  if (amount < MIN_AMOUNT) {
    throw badRequest("Order amount less than minimum amount allowed", { field: "amount" });
  }
  if (amount > account.settings.max_amount_paise) {
    throw badRequest("Amount exceeds maximum amount allowed.", { field: "amount" });
  }
  return amount;
}

function checkCaptureSettings(payment: JsonObject | undefined): void {
  if (payment === undefined) return;
  allowOnly(payment, ["capture", "capture_options"]);
  if (payment.capture !== "automatic" && payment.capture !== "manual") {
    throw badRequest("The selected capture is invalid.", { field: "capture" });
  }
  const options = optionalObject(payment, "capture_options") ?? {};
  allowOnly(options, ["automatic_expiry_period", "manual_expiry_period", "refund_speed"]);
  const automatic = optionalAmount(options, "automatic_expiry_period");
  const manual = optionalAmount(options, "manual_expiry_period") ?? MAX_EXPIRY_MINUTES;
  if (automatic !== undefined && automatic < MIN_EXPIRY_MINUTES) {
    throw badRequest(`The automatic_expiry_period must be at least ${MIN_EXPIRY_MINUTES}.`, {
      field: "automatic_expiry_period",
    });
  }
  if (manual > MAX_EXPIRY_MINUTES || manual < (automatic ?? 0)) {
    throw badRequest("The manual_expiry_period is invalid.", { field: "manual_expiry_period" });
  }
  const speed = options.refund_speed ?? "normal";
  if (speed !== "normal" && speed !== "optimum") {
    throw badRequest("The selected refund_speed is invalid.", { field: "refund_speed" });
  }
}

function orderWithReceipt(account: Account, receipt: string): Order | undefined {
  return [...account.state.orders.values()].find((order) => order.receipt === receipt);
}

function listOrders({ account, query }: ApiRequest): unknown {
  const receipt = query.get("receipt");
  const authorized = query.get("authorized");
  const orders = [...account.state.orders.values()].filter((order) =>
    (receipt === null || order.receipt === receipt) &&
    (authorized === null || isAuthorized(account, order) === (authorized === "1"))
  );
  const withPayments = query.get("expand[]") === "payments";
  return collection(
    page(orders, query, account.listing).map((order) =>
      withPayments
        ? { ...orderEntity(order), payments: paymentsCollection(account, order) }
        : orderEntity(order)
    ),
  );
}

function isAuthorized(account: Account, order: Order): boolean {
  return account.paymentsOf(order).some(({ status }) =>
    status !== "created" && status !== "failed"
  );
}

function listOrderPayments({ account, param }: ApiRequest): unknown {
  return paymentsCollection(account, account.order(param("id")));
}

function paymentsCollection(account: Account, order: Order): Record<string, unknown> {
  return collection(account.paymentsOf(order).map(paymentEntity));
}

function editOrder({ account, param, body }: ApiRequest): unknown {
  const order = account.order(param("id"));
  allowOnly(body, ["notes"]);
  order.notes = notesOf(body);
  return orderEntity(order);
}
