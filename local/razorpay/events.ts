/**
 * The bodies of webhook events. Each shows its entities as they are at that moment.
 * @module
 */

import type { Account } from "./account.ts";
import {
  disputeEntity,
  nowSeconds,
  type Order,
  orderEntity,
  type Payment,
  paymentEntity,
  type PaymentLink,
  paymentLinkEntity,
  refundEntity,
} from "./entities.ts";
import { badRequest, unknownId } from "./errors.ts";
import type { EventName } from "./event-names.ts";

/** The entities of an event, in the order in which `contains` names them. */
type Payload = Record<string, Record<string, unknown>>;

/**
 * Emits an event about the current state of an order, payment, refund, payment link or dispute.
 *
 * `entityId` is that of the entity that the event is named after; related entities, such as the
 * payment of an order, are looked up.
 *
 * @throws {RazorpayError} 400 if there is no such entity, or no payment that the event could show.
 */
export function announce(account: Account, event: EventName, entityId: string): void {
  account.webhooks.emit(event, eventBody(account, event, entityId));
}

function eventBody(account: Account, event: EventName, entityId: string): string {
  const payload = payloadOf(account, event, entityId);
  const body = {
    entity: "event",
    account_id: account.state.accountId,
    event,
    contains: Object.keys(payload),
    payload: Object.fromEntries(
      Object.entries(payload).map(([name, entity]) => [name, { entity }]),
    ),
    created_at: nowSeconds(),
  };
  const isSorted = event.startsWith("refund.") || event.startsWith("payment_link.");
  const json = JSON.stringify(isSorted ? sortKeys(body) : body);
  return account.settings.webhook_escape_non_ascii ? escapeNonAscii(json) : json;
}

function payloadOf(account: Account, event: EventName, entityId: string): Payload {
  if (event.startsWith("payment.dispute.")) {
    const dispute = account.dispute(entityId);
    return {
      payment: capturedPaymentEntity(account.payment(dispute.payment_id)),
      dispute: disputeEntity(dispute),
    };
  }
  if (event.startsWith("payment.")) {
    const payment = account.payment(entityId);
    return {
      payment: payment.captured ? capturedPaymentEntity(payment) : paymentEntity(payment),
    };
  }
  if (event.startsWith("refund.")) {
    const refund = account.refund(entityId);
    return {
      refund: refundEntity(refund),
      payment: detailedPaymentEntity(account.payment(refund.payment_id)),
    };
  }
  if (event === "order.paid") {
    const order = account.order(entityId);
    return {
      payment: paymentEntity(completingPayment(account, order)),
      order: { ...orderEntity(order), description: null, checkout: null },
    };
  }
  return paymentLinkPayload(account, event, entityId);
}

function paymentLinkPayload(account: Account, event: EventName, linkId: string): Payload {
  const link = account.paymentLink(linkId);
  if (link === undefined) throw unknownId();
  const isAboutMoney = event === "payment_link.paid" || event === "payment_link.partially_paid";
  if (!isAboutMoney) return { payment_link: paymentLinkEntity(link) };
  const paymentId = link.payment_ids.at(-1);
  if (paymentId === undefined || link.order_id === null) {
    throw badRequest("nothing was paid on this payment link");
  }
  const payment = account.payment(paymentId);
  return {
    payment_link: paymentLinkEntity(link),
    order: paymentLinkOrder(account, account.order(link.order_id), link, payment),
    payment: detailedPaymentEntity(payment),
  };
}

function completingPayment(account: Account, order: Order): Payment {
  if (order.paid_by_payment_id === null) throw badRequest("this order is not paid");
  return account.payment(order.paid_by_payment_id);
}

function capturedPaymentEntity(payment: Payment): Record<string, unknown> {
  return {
    ...paymentEntity(payment),
    base_amount: payment.amount,
    amount_transferred: 0,
    reward: null,
  };
}

/** Events about refunds and payment links show more keys of the payment than other events do. */
function detailedPaymentEntity(payment: Payment): Record<string, unknown> {
  return {
    ...capturedPaymentEntity(payment),
    amount_captured: null,
    card: payment.instrument.card ?? null,
    fee_bearer: "platform",
    provider: null,
  };
}

/** Events about payment links show the order with the internal keys of Razorpay's own table. */
function paymentLinkOrder(
  account: Account,
  order: Order,
  link: PaymentLink,
  payment: Payment,
): Record<string, unknown> {
  const { entity: _entity, offer_id: _offerId, ...known } = orderEntity(order);
  return {
    ...known,
    account_number: null,
    app_offer: false,
    authorized: true,
    bank: null,
    bank_account: null,
    checkout_config_id: null,
    customer_id: null,
    discount: false,
    first_payment_min_amount: null,
    force_offer: null,
    late_auth_config_id: null,
    merchant_id: withoutPrefix(account.state.accountId),
    method: payment.method,
    offers: {},
    order_metas: [],
    order_relationships: [],
    partial_payment: order.partial_payment,
    payer_name: null,
    payment_capture: true,
    product_id: withoutPrefix(link.id),
    product_type: "payment_link_v2",
    provider_context: null,
    public_key: account.keyId,
    public_response: null,
    source: null,
    transfers: null,
    updated_at: link.updated_at,
  };
}

/** Returns the part of an identifier after its prefix. */
export function withoutPrefix(id: string): string {
  return id.slice(id.indexOf("_") + 1);
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([left], [right]) => left < right ? -1 : 1)
      .map(([key, nested]) => [key, sortKeys(nested)]),
  );
}

function escapeNonAscii(json: string): string {
  return json.replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
