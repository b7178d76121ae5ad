/**
 * Disputes API: https://razorpay.com/docs/api/disputes/
 *
 * Disputes come from banks, so only the control routes open and advance them.
 * @module
 */

import type { Account } from "./account.ts";
import { collection, page } from "./collection.ts";
import {
  type Dispute,
  disputeEntity,
  type DisputeStatus,
  nowSeconds,
  type Payment,
} from "./entities.ts";
import { announce } from "./events.ts";
import { newId } from "./ids.ts";
import { route } from "./route.ts";

const RESPONSE_SECONDS = 7 * 24 * 3_600;

export const disputeRoutes = [
  route("GET", "/v1/disputes", ({ account, query }) => {
    return collection(
      page(account.state.disputes.values(), query, account.listing).map(disputeEntity),
    );
  }),
  route("GET", "/v1/disputes/:id", ({ account, param }) => {
    return disputeEntity(account.dispute(param("id")));
  }),
];

/** The steps that Razorpay sends events for. `action_required` leaves the status `open`. */
export type DisputeStep = Exclude<DisputeStatus, "open"> | "action_required";

/** Opens a dispute: a customer's bank asks for the money back. */
export function openDispute(
  account: Account,
  payment: Payment,
  { amount, phase, reason_code }: Pick<Dispute, "amount" | "phase" | "reason_code">,
): Dispute {
  const createdAt = nowSeconds();
  const dispute: Dispute = {
    id: newId("disp"),
    payment_id: payment.id,
    amount,
    currency: payment.currency,
    amount_deducted: 0,
    reason_code,
    respond_by: createdAt + RESPONSE_SECONDS,
    status: "open",
    phase,
    created_at: createdAt,
  };
  account.state.disputes.set(dispute.id, dispute);
  announce(account, "payment.dispute.created", dispute.id);
  return dispute;
}

/** Advances a dispute by a step. By default, only a lost one costs the merchant money. */
export function advanceDispute(
  account: Account,
  dispute: Dispute,
  { step, amountDeducted }: {
    readonly step: DisputeStep;
    readonly amountDeducted: number | undefined;
  },
): void {
  dispute.status = step === "action_required" ? "open" : step;
  dispute.amount_deducted = amountDeducted ?? (step === "lost" ? dispute.amount : 0);
  announce(account, `payment.dispute.${step}`, dispute.id);
}
