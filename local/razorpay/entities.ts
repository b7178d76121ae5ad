/**
 * The records that the stand-in keeps, and the entities that they become on the wire.
 *
 * Amounts are whole paise (or the subunit of another currency) and times are Unix seconds, as in
 * Razorpay's API. Records use the API's names; the few keys that are never sent say so.
 * @module
 */

import { newId, randomDigits, randomText } from "./ids.ts";

/** Arbitrary key-value pairs. Razorpay sends `[]` if there are none. */
export type Notes = Record<string, string | number | boolean>;

/** An order: what is to be paid. Once paid, it stays paid even if the money is refunded. */
export interface Order {
  readonly id: string;
  readonly amount: number;
  amount_paid: number;
  amount_due: number;
  readonly currency: string;
  readonly receipt: string | null;
  status: "created" | "attempted" | "paid";
  attempts: number;
  notes: Notes;
  readonly created_at: number;
  /** Not on the wire: whether several smaller payments may add up to its amount. */
  readonly partial_payment: boolean;
  /** Not on the wire: the payment link that it was created for. */
  readonly payment_link_id: string | null;
  /** Not on the wire: the payment that completed it. */
  paid_by_payment_id: string | null;
}

/** The payment methods that the stand-in supports. */
export type PaymentMethod = "upi" | "card" | "netbanking" | "wallet";

/** A payment's status. `failed` is not final, because banks respond late. */
type PaymentStatus = "created" | "authorized" | "captured" | "refunded" | "failed";

/** Why a payment failed, as the payment says and as Checkout tells the browser. */
export interface PaymentFailure {
  readonly code: string;
  readonly description: string;
  readonly source: string;
  readonly step: string;
  readonly reason: string;
}

/** A payment: one attempt to pay, usually for an order. */
export interface Payment {
  readonly id: string;
  readonly amount: number;
  readonly currency: string;
  status: PaymentStatus;
  readonly order_id: string | null;
  readonly method: PaymentMethod;
  amount_refunded: number;
  refund_status: "partial" | "full" | null;
  captured: boolean;
  readonly description: string | null;
  readonly email: string;
  readonly contact: string;
  notes: Notes;
  fee: number | null;
  tax: number | null;
  failure: PaymentFailure | null;
  /** Not on the wire under this name: the keys that depend on the method. */
  readonly instrument: Instrument;
  readonly created_at: number;
}

/** The keys of a payment that depend on its method. */
interface Instrument {
  readonly card_id: string | null;
  readonly card?: Record<string, unknown>;
  readonly bank: string | null;
  readonly wallet: string | null;
  readonly vpa: string | null;
  readonly acquirer_data: Record<string, string | null>;
  readonly upi?: Record<string, string>;
}

/** A refund: money on its way back to the customer. */
export interface Refund {
  readonly id: string;
  readonly amount: number;
  readonly currency: string;
  readonly payment_id: string;
  notes: Notes;
  readonly receipt: string | null;
  readonly created_at: number;
  status: "pending" | "processed" | "failed";
  speed_processed: "normal" | "instant";
  readonly speed_requested: "normal" | "optimum";
}

/** A payment link's status. */
type PaymentLinkStatus = "created" | "partially_paid" | "expired" | "cancelled" | "paid";

/** A payment link: a page on which the customer pays. */
export interface PaymentLink {
  readonly id: string;
  accept_partial: boolean;
  readonly amount: number;
  amount_paid: number;
  readonly callback_method: string;
  readonly callback_url: string;
  cancelled_at: number;
  readonly created_at: number;
  readonly currency: string;
  readonly customer: Record<string, string>;
  readonly description: string;
  expire_by: number;
  expired_at: number;
  readonly first_min_partial_amount: number;
  notes: Notes;
  readonly notify: { email: boolean; sms: boolean; whatsapp: boolean };
  reference_id: string;
  reminder_enable: boolean;
  readonly short_url: string;
  status: PaymentLinkStatus;
  updated_at: number;
  /** On the wire only once something has been paid. */
  order_id: string | null;
  /** Not on the wire under this name: the captured payments, oldest first. */
  readonly payment_ids: string[];
}

/** How far a dispute has escalated. */
type DisputePhase = "fraud" | "retrieval" | "chargeback" | "pre_arbitration" | "arbitration";

/** A dispute's status. */
export type DisputeStatus = "open" | "under_review" | "won" | "lost" | "closed";

/** A dispute: a customer who asks the bank for the money back. */
export interface Dispute {
  readonly id: string;
  readonly payment_id: string;
  readonly amount: number;
  readonly currency: string;
  amount_deducted: number;
  readonly reason_code: string;
  readonly respond_by: number;
  status: DisputeStatus;
  readonly phase: DisputePhase;
  readonly created_at: number;
}

/** Returns the current time in Unix seconds. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** Makes up the account, card or reference numbers of a payment by this method. */
export function newInstrument(method: PaymentMethod): Instrument {
  const none = { card_id: null, bank: null, wallet: null, vpa: null };
  switch (method) {
    case "upi": {
      const vpa = "customer@examplebank";
      return {
        ...none,
        vpa,
        acquirer_data: { rrn: randomDigits(12), upi_transaction_id: randomText(32).toUpperCase() },
        upi: { payer_account_type: "bank_account", vpa, flow: "intent" },
      };
    }
    case "card": {
      const cardId = newId("card");
      return {
        ...none,
        card_id: cardId,
        card: {
          id: cardId,
          entity: "card",
          name: "",
          last4: randomDigits(4),
          network: "Visa",
          type: "debit",
          issuer: null,
          international: false,
          emi: false,
          sub_type: "consumer",
          token_iin: null,
        },
        acquirer_data: { auth_code: randomDigits(6) },
      };
    }
    case "netbanking":
      return { ...none, bank: "HDFC", acquirer_data: { bank_transaction_id: randomDigits(10) } };
    case "wallet":
      return { ...none, wallet: "payzapp", acquirer_data: { transaction_id: null } };
  }
}

/** Returns Razorpay's fee in paise, 2 % plus GST, and the GST in it, which is 18 % of the 2 %. */
export function razorpayFee(amount: number): { fee: number; tax: number } {
  return { fee: Math.ceil(amount * 236 / 10_000), tax: Math.floor(amount * 36 / 10_000) };
}

/** Returns notes as they are sent: an array if there are none. */
function notesOnWire(notes: Notes): Notes | [] {
  return Object.keys(notes).length === 0 ? [] : notes;
}

/** Returns the order entity. */
export function orderEntity(order: Order): Record<string, unknown> {
  return {
    id: order.id,
    entity: "order",
    amount: order.amount,
    amount_paid: order.amount_paid,
    amount_due: order.amount_due,
    currency: order.currency,
    receipt: order.receipt,
    offer_id: null,
    status: order.status,
    attempts: order.attempts,
    notes: notesOnWire(order.notes),
    created_at: order.created_at,
  };
}

/** Returns the payment entity. */
export function paymentEntity(payment: Payment): Record<string, unknown> {
  const { failure, instrument } = payment;
  return {
    id: payment.id,
    entity: "payment",
    amount: payment.amount,
    currency: payment.currency,
    status: payment.status,
    order_id: payment.order_id,
    invoice_id: null,
    international: payment.currency !== "INR",
    method: payment.method,
    amount_refunded: payment.amount_refunded,
    refund_status: payment.refund_status,
    captured: payment.captured,
    description: payment.description,
    card_id: instrument.card_id,
    ...(instrument.card && { card: instrument.card }),
    bank: instrument.bank,
    wallet: instrument.wallet,
    vpa: instrument.vpa,
    email: payment.email,
    contact: payment.contact,
    notes: notesOnWire(payment.notes),
    fee: payment.fee,
    tax: payment.tax,
    error_code: failure?.code ?? null,
    error_description: failure?.description ?? null,
    error_source: failure?.source ?? null,
    error_step: failure?.step ?? null,
    error_reason: failure?.reason ?? null,
    acquirer_data: instrument.acquirer_data,
    created_at: payment.created_at,
    ...(instrument.upi && { upi: instrument.upi }),
  };
}

/** Returns the refund entity. The bank's reference (`arn`) takes days, so here it is null. */
export function refundEntity(refund: Refund): Record<string, unknown> {
  return {
    id: refund.id,
    entity: "refund",
    amount: refund.amount,
    currency: refund.currency,
    payment_id: refund.payment_id,
    notes: notesOnWire(refund.notes),
    receipt: refund.receipt,
    acquirer_data: { arn: null },
    created_at: refund.created_at,
    batch_id: null,
    status: refund.status,
    speed_processed: refund.speed_processed,
    speed_requested: refund.speed_requested,
  };
}

/** Returns the payment link entity. Its notes are null if there are none. */
export function paymentLinkEntity(link: PaymentLink): Record<string, unknown> {
  return {
    accept_partial: link.accept_partial,
    amount: link.amount,
    amount_paid: link.amount_paid,
    callback_method: link.callback_method,
    callback_url: link.callback_url,
    cancelled_at: link.cancelled_at,
    created_at: link.created_at,
    currency: link.currency,
    customer: link.customer,
    description: link.description,
    expire_by: link.expire_by,
    expired_at: link.expired_at,
    first_min_partial_amount: link.first_min_partial_amount,
    id: link.id,
    notes: Object.keys(link.notes).length === 0 ? null : link.notes,
    notify: link.notify,
    ...(link.payment_ids.length > 0 && { order_id: link.order_id }),
    reference_id: link.reference_id,
    reminder_enable: link.reminder_enable,
    reminders: [],
    short_url: link.short_url,
    status: link.status,
    updated_at: link.updated_at,
    upi_link: false,
    user_id: "",
    whatsapp_link: false,
  };
}

/** Returns the dispute entity. */
export function disputeEntity(dispute: Dispute): Record<string, unknown> {
  return {
    id: dispute.id,
    entity: "dispute",
    payment_id: dispute.payment_id,
    amount: dispute.amount,
    currency: dispute.currency,
    amount_deducted: dispute.amount_deducted,
    reason_code: dispute.reason_code,
    respond_by: dispute.respond_by,
    status: dispute.status,
    phase: dispute.phase,
    evidence: {
      amount: dispute.amount,
      summary: null,
      shipping_proof: null,
      billing_proof: null,
      cancellation_proof: null,
      customer_communication: null,
      proof_of_service: null,
      explanation_letter: null,
      refund_confirmation: null,
      access_activity_log: null,
      refund_cancellation_policy: null,
      term_and_conditions: null,
      others: null,
      submitted_at: null,
    },
    created_at: dispute.created_at,
  };
}
