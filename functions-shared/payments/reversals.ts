/**
 * Refunds and disputes as the database records them.
 * @module
 */

import type { GatewayDispute, GatewayRefund } from "shared/razorpay/entities.ts";

/** Money that was returned, or may be. The fields are those of `private.record_reversal`. */
export type Reversal = {
  readonly id: string;
  readonly kind: "refund" | "dispute";
  readonly status: string;
  readonly amount_paise: number;
  readonly is_money_gone: boolean;
  /** ISO 8601. */
  readonly reported_at: string;
};

/** Returns the record of a refund. The money is gone once Razorpay has processed it. */
export function refundReversal(refund: GatewayRefund): Reversal {
  return {
    id: refund.id,
    kind: "refund",
    status: refund.status,
    amount_paise: refund.amount,
    is_money_gone: refund.status === "processed",
    reported_at: new Date(refund.created_at * 1000).toISOString(),
  };
}

/**
 * Returns the record of a dispute, as of the event that reported it. The money is gone when the
 * dispute is lost, and comes back if it is won after all.
 */
export function disputeReversal(dispute: GatewayDispute, reportedAt: Date): Reversal {
  const deducted = dispute.amount_deducted ?? 0;
  return {
    id: dispute.id,
    kind: "dispute",
    status: dispute.status,
    amount_paise: deducted || dispute.amount,
    is_money_gone: dispute.status === "lost" || dispute.status === "closed" && deducted > 0,
    reported_at: reportedAt.toISOString(),
  };
}
