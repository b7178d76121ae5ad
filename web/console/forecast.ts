/**
 * What an act will do, in numbers, by the rules that the database follows. The operator sees it before
 * anything happens.
 * @module
 */

import type { Payment } from "./functions.ts";

/** What an account has, and owes. */
export interface Account {
  readonly credits: number;
  readonly reserved_credits: number;
  readonly debt_credits: number;
}

/** What can be taken of an account: reserved credits stay where they are. */
function availableCredits({ credits, reserved_credits }: Account): number {
  return Math.max(0, credits - reserved_credits);
}

/** What an account can spend. */
export function remainingCredits(account: Account): number {
  return Math.max(0, availableCredits(account) - account.debt_credits);
}

/** The account once its debt is paid as far as it can be, as after everything that adds credits. */
function withDebtPaid(account: Account): Account {
  const paid = Math.min(account.debt_credits, availableCredits(account));
  return {
    ...account,
    credits: account.credits - paid,
    debt_credits: account.debt_credits - paid,
  };
}

/** After credits were given. */
export function afterGiving(account: Account, credits: number): Account {
  return withDebtPaid({ ...account, credits: account.credits + credits });
}

/** After credits were taken; what cannot be taken becomes a debt. */
export function afterTaking(account: Account, credits: number): Account {
  const taken = Math.min(credits, availableCredits(account));
  return {
    ...account,
    credits: account.credits - taken,
    debt_credits: account.debt_credits + credits - taken,
  };
}

/** After a reservation was ended. */
export function afterReleasing(account: Account, credits: number): Account {
  return withDebtPaid({
    ...account,
    reserved_credits: Math.max(0, account.reserved_credits - credits),
  });
}

/** After one account was merged into another one. */
export function afterMerging(from: Account, into: Account): Account {
  return withDebtPaid({
    credits: from.credits + into.credits,
    reserved_credits: from.reserved_credits + into.reserved_credits,
    debt_credits: from.debt_credits + into.debt_credits,
  });
}

/** Razorpay refunds at least a rupee. */
export const MIN_REFUND_PAISE = 100;

/** What can still be refunded of a payment. A refund that is under way counts as made. */
export function refundablePaise(
  { amount_paise, reversals }: Pick<Payment, "amount_paise" | "reversals">,
): number {
  const counted = reversals.filter(({ kind, status, is_money_gone }) =>
    kind === "refund" ? status !== "failed" : is_money_gone
  );
  return Math.max(
    0,
    amount_paise - counted.reduce((sum, { amount_paise }) => sum + amount_paise, 0),
  );
}

/**
 * The credits that a refund will take: in proportion to the money, with the running total rounded down,
 * so that parts that add up to the whole take exactly the credits of the order.
 */
export function creditsOfRefund(
  { amount_paise, credits_granted, reversals }: Payment,
  refundPaise: number,
): number {
  const before = amount_paise - refundablePaise({ amount_paise, reversals });
  const due = (paise: number) =>
    Math.floor(credits_granted * Math.min(amount_paise, paise) / amount_paise);
  return due(before + refundPaise) - due(before);
}
