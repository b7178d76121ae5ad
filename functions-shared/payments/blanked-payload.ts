/**
 * What is kept of a webhook's body: everything that says what happened to the money, and nothing that
 * says whose it was.
 *
 * A body holds the payer's number, e-mail address, name, card or UPI address, and the notes of whoever
 * made the order, and the payer need not be the person that the credits are for. Razorpay's dashboard
 * shows all of that; kept here, it could not be found again when somebody asks to be forgotten.
 * @module
 */

/** Fields whose own values are kept. Whatever is not listed is blanked, also what Razorpay adds later. */
const KEPT = new Set([
  "account_id",
  "amount",
  "amount_deducted",
  "amount_due",
  "amount_paid",
  "amount_refunded",
  "attempts",
  "base_amount",
  "base_currency",
  "cancelled_at",
  "captured",
  "contains",
  "created_at",
  "currency",
  "entity",
  "error_code",
  "error_reason",
  "error_source",
  "error_step",
  "event",
  "expire_by",
  "expired_at",
  "fee",
  "id",
  "international",
  "invoice_id",
  "method",
  "order_id",
  "payment_id",
  "phase",
  "reason_code",
  "refund_status",
  "respond_by",
  "speed_processed",
  "speed_requested",
  "status",
  "tax",
]);

/** Objects that are looked into. Each kind of entity is the value of a field of its name. */
const CONTAINERS = new Set([
  "dispute",
  "entity",
  "order",
  "payload",
  "payment",
  "payment_link",
  "refund",
]);

/** Fields that hold a receipt. That of another product on the same account may be anything, also a name. */
const RECEIPTS = new Set(["receipt", "reference_id"]);

/** A receipt of ours. */
const OUR_RECEIPT = /^[0-9a-f]{32}$/;

/** An id of Razorpay's, or a word without digits. */
const HARMLESS_TEXT = /^([a-z]+_[A-Za-z0-9]{14}|[A-Za-z_.]{1,64})$/;

/** Any other name may be something that a person wrote. */
const FIELD_NAME = /^[a-z][a-z_]{0,63}$/;

/** Returns the body of a webhook with every other value replaced by `null`. */
export function blankedPayload(bodyText: string): string {
  return JSON.stringify(blanked(JSON.parse(bodyText)));
}

function blanked(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([name]) => FIELD_NAME.test(name))
      .map(([name, value]) => [name, keptValue(name, value)]),
  );
}

function keptValue(name: string, value: unknown): unknown {
  if (Array.isArray(value)) return KEPT.has(name) ? value.map(harmless) : null;
  if (typeof value === "object" && value !== null) {
    return CONTAINERS.has(name) ? blanked(value) : null;
  }
  if (RECEIPTS.has(name)) {
    return typeof value === "string" && OUR_RECEIPT.test(value) ? value : null;
  }
  return KEPT.has(name) ? harmless(value) : null;
}

function harmless(value: unknown): unknown {
  if (typeof value === "string") return HARMLESS_TEXT.test(value) ? value : null;
  return typeof value === "object" ? null : value;
}
