/**
 * Reads the events of Razorpay's webhook that can move credits: those that carry a payment.
 * @module
 */

import { z } from "zod";
import type { Reversal } from "shared/database/orders.ts";
import { dispute, type GatewayPayment, payment, refund } from "shared/razorpay/entities.ts";
import { disputeReversal, refundReversal } from "shared/payments/settlement.ts";

/** What an event says. */
export interface EventReport {
  readonly payment: GatewayPayment;
  /** The refund or dispute that the event is about. */
  readonly reversals: Reversal[];
  /** The receipt of the order, where the event has it. */
  readonly receipt: string | undefined;
}

/** The fields of an event that are read. */
export interface EventInput {
  readonly payload?: Record<string, unknown> | null;
  readonly created_at?: number | null;
}

const entity = <Entity extends z.ZodType>(schema: Entity) => z.object({ entity: schema });

const event = z.object({
  created_at: z.int().nullish(),
  payload: z.object({
    payment: entity(payment),
    refund: entity(refund).optional(),
    dispute: entity(dispute).optional(),
    order: entity(z.object({ receipt: z.string().nullish() })).optional(),
    payment_link: entity(z.object({ reference_id: z.string().nullish() })).optional(),
  }),
});

/**
 * The report in an event, or `undefined` where it is not about a payment.
 *
 * @throws {z.ZodError} when it is about a payment and cannot be understood: better sent again than
 * forgotten.
 */
export function readEvent(input: EventInput): EventReport | undefined {
  if (!input.payload || !("payment" in input.payload)) return undefined;
  const { payload, created_at } = event.parse(input);
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

const mention = z.object({
  payment: entity(z.object({
    id: z.string().optional().catch(undefined),
    order_id: z.string().optional().catch(undefined),
  })),
});

/** The ids by which an operator finds an event, also one that cannot be understood. */
export function idsIn({ payload }: EventInput): {
  razorpayOrderId: string | undefined;
  razorpayPaymentId: string | undefined;
} {
  const payment = mention.safeParse(payload).data?.payment.entity;
  return { razorpayOrderId: payment?.order_id, razorpayPaymentId: payment?.id };
}
