/**
 * Settlements by the SQL function alone, for tests of what several calls of it do to each other.
 * @module
 */

import type postgres from "postgres";
import { PACKAGES } from "./payment-harness.ts";

/** The row that a settlement returns. */
export interface Settlement {
  outcome: string;
  credits_added: number | null;
  remaining_credits: number | null;
}

/** Reports that a payment for a starter package was captured on an order of Razorpay. */
export function settlePayment(
  sql: postgres.ISql,
  orderId: string,
  paymentId: string,
): Promise<postgres.RowList<Settlement[]>> {
  return sql<Settlement[]>`
    select outcome, credits_added, remaining_credits from public.settle_payment(
      razorpay_order_id => ${orderId},
      razorpay_payment_id => ${paymentId},
      payment_status => 'captured',
      amount_paise => ${PACKAGES.starter.amountPaise},
      currency => 'INR'
    )`;
}
