/**
 * Asks Razorpay about one order, independently of any webhook.
 * @module
 */

import type { ClaimedOrder, Settlement } from "shared/database/orders.ts";
import { refundReversal } from "shared/payments/reversals.ts";
import { settle, toReceipt } from "shared/payments/settlement.ts";
import type { PaymentGateway } from "shared/razorpay/gateway.ts";

/**
 * Settles every payment that Razorpay has for an order, with its refunds, and returns what each led to.
 *
 * @throws {GatewayError} when Razorpay cannot be asked.
 */
export async function checkOrder(
  gateway: PaymentGateway,
  { order_id, razorpay_order_id, razorpay_payment_link_id }: ClaimedOrder,
): Promise<Settlement[]> {
  const razorpayOrderId = razorpay_order_id ??
    await orderOfLink(gateway, razorpay_payment_link_id);
  if (razorpayOrderId === undefined) return [];

  const settlements: Settlement[] = [];
  for (const payment of await gateway.fetchOrderPayments(razorpayOrderId)) {
    // Asked for every time: a refund that failed leaves no trace in the payment.
    const mayHaveRefunds = payment.status === "captured" || payment.status === "refunded";
    const refunds = mayHaveRefunds ? await gateway.fetchRefunds(payment.id) : [];
    settlements.push(
      await settle({
        payment: { ...payment, order_id: razorpayOrderId },
        reversals: refunds.map(refundReversal),
        receipt: toReceipt(order_id),
      }),
    );
  }
  return settlements;
}

/** A payment link has no Razorpay order until the customer starts to pay it. */
async function orderOfLink(gateway: PaymentGateway, paymentLinkId: string | null) {
  if (paymentLinkId === null) return undefined;
  return (await gateway.fetchPaymentLink(paymentLinkId)).order_id ?? undefined;
}
