/**
 * Asks Razorpay about one order, whatever a webhook did or did not say.
 * @module
 */

import type { PaymentGateway } from "shared/razorpay/gateway.ts";
import {
  refundReversal,
  settle,
  type SettlementOutcome,
  toReceipt,
} from "shared/payments/settlement.ts";

/** The ids by which Razorpay may know an order. */
export interface CheckableOrder {
  readonly orderId: string;
  readonly razorpayOrderId: string | null;
  readonly paymentLinkId: string | null;
}

/**
 * Books every payment that Razorpay has for an order, and its refunds; answers what each led to.
 *
 * @throws {GatewayError} when Razorpay cannot be asked.
 */
export async function checkOrder(
  { gateway, order }: {
    gateway: PaymentGateway;
    order: CheckableOrder;
  },
): Promise<SettlementOutcome[]> {
  const razorpayOrderId = order.razorpayOrderId ?? await orderOfLink(gateway, order.paymentLinkId);
  if (razorpayOrderId === undefined) return [];

  const outcomes: SettlementOutcome[] = [];
  for (const payment of await gateway.fetchOrderPayments(razorpayOrderId)) {
    // Asked for each time: a refund that failed leaves no trace in the payment.
    const mayHaveRefunds = payment.status === "captured" || payment.status === "refunded";
    const refunds = mayHaveRefunds ? await gateway.fetchRefunds(payment.id) : [];
    outcomes.push(
      await settle({
        payment: { ...payment, order_id: razorpayOrderId },
        reversals: refunds.map(refundReversal),
        receipt: () => Promise.resolve(toReceipt(order.orderId)),
      }),
    );
  }
  return outcomes;
}

/** A payment link has no Razorpay order until somebody starts to pay it. */
async function orderOfLink(gateway: PaymentGateway, paymentLinkId: string | null) {
  if (paymentLinkId === null) return undefined;
  return (await gateway.fetchPaymentLink(paymentLinkId)).order_id ?? undefined;
}
