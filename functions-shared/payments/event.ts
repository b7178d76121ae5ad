/**
 * Reads the events of Razorpay's webhook. Those that can move credits carry a payment.
 * @module
 */

import { z } from "zod";
import { MAX_INTEGER, text } from "shared/contract/fields.ts";
import { disputeReversal, refundReversal } from "shared/payments/reversals.ts";
import type { PaymentReport } from "shared/payments/settlement.ts";
import { dispute, payment, refund, secondsSince1970 } from "shared/razorpay/entities.ts";

/** The most that an order of ours can be for, because the database holds amounts as `integer`. */
const MAX_AMOUNT_PAISE = MAX_INTEGER;

/** The events that tell of an order's money. Razorpay may be set to send others, and sends new ones. */
const ABOUT_MONEY =
  /^(payment\.(authorized|captured|failed|dispute\.\w+)|order\.paid|refund\.\w+|payment_link\.(partially_)?paid)$/;

/** The fields of an event that are read. */
export interface EventInput {
  readonly event: string;
  readonly payload?: Record<string, unknown> | null | undefined;
  readonly created_at?: number | null | undefined;
}

/**
 * An event, read once. The ids are those by which an operator finds it, even if it is unreadable. A
 * `report` is about a payment that may be ours; an `irrelevant` event is not, or is of a kind that tells
 * of no order's money; an `unreadable` one tells of a payment but not in a documented shape, so it must
 * not be acknowledged.
 */
export type EventReading =
  & { readonly razorpayOrderId: string | undefined; readonly razorpayPaymentId: string | undefined }
  & (
    | { readonly kind: "report"; readonly report: PaymentReport }
    | { readonly kind: "irrelevant" }
    | { readonly kind: "unreadable"; readonly error: z.ZodError }
  );

const entity = <Entity extends z.ZodType>(schema: Entity) => z.object({ entity: schema });

/** A receipt of ours is text; that of another system on the same account is none of our business. */
const receipt = text(255).nullish().catch(undefined);

const event = z.object({
  created_at: secondsSince1970.nullish(),
  payload: z.object({
    // A mandate that another system registers is a payment of nothing.
    payment: entity(payment.extend({ amount: z.int().min(0) })),
    refund: entity(refund).optional(),
    dispute: entity(dispute).optional(),
    order: entity(z.object({ receipt })).optional(),
    payment_link: entity(z.object({ reference_id: receipt })).optional(),
  }),
});

const mention = z.object({
  payment: entity(z.object({
    id: text(255).optional().catch(undefined),
    order_id: text(255).optional().catch(undefined),
  })),
});

/** Reads an event. */
export function readEvent(input: EventInput): EventReading {
  if (!input.payload || !("payment" in input.payload)) {
    return { kind: "irrelevant", razorpayOrderId: undefined, razorpayPaymentId: undefined };
  }
  const mentioned = mention.safeParse(input.payload).data?.payment.entity;
  const ids = { razorpayOrderId: mentioned?.order_id, razorpayPaymentId: mentioned?.id };
  if (!ABOUT_MONEY.test(input.event)) return { kind: "irrelevant", ...ids };
  const { data, error } = event.safeParse(input);
  if (error) return { kind: "unreadable", ...ids, error };
  const report = reportOf(data);
  // Other things that are sold with the same Razorpay account may cost nothing, or more than ours can.
  const amounts = [report.payment.amount, ...report.reversals.map((part) => part.amount_paise)];
  const mayBeOurs = report.payment.amount > 0 &&
    amounts.every((amount) => amount <= MAX_AMOUNT_PAISE);
  return mayBeOurs ? { kind: "report", ...ids, report } : { kind: "irrelevant", ...ids };
}

function reportOf({ payload, created_at }: z.infer<typeof event>): PaymentReport {
  const reportedAt = created_at ? new Date(created_at * 1000) : new Date();
  return {
    payment: payload.payment.entity,
    reversals: [
      ...(payload.refund ? [refundReversal(payload.refund.entity)] : []),
      ...(payload.dispute ? [disputeReversal(payload.dispute.entity, reportedAt)] : []),
    ],
    receipt: payload.order?.entity.receipt ?? payload.payment_link?.entity.reference_id ??
      undefined,
  };
}
