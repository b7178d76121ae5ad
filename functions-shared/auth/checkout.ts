/**
 * Authenticates what Razorpay Checkout hands to a browser after a payment.
 * @module
 */

import { verifySignature } from "shared/auth/signature.ts";
import { razorpayCredentials } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";

/** What Checkout returns. The signature proves that the payment belongs to the order, and no more. */
export interface SignedCheckout {
  readonly razorpay_order_id: string;
  readonly razorpay_payment_id: string;
  readonly razorpay_signature: string;
}

/** @throws {RequestError} `INVALID_SIGNATURE` unless Razorpay signed the order and the payment. */
export async function requireCheckout(
  { razorpay_order_id, razorpay_payment_id, razorpay_signature }: SignedCheckout,
): Promise<void> {
  const isSigned = await verifySignature({
    message: `${razorpay_order_id}|${razorpay_payment_id}`,
    signature: razorpay_signature,
    secret: razorpayCredentials().keySecret,
  });
  if (!isSigned) throw new RequestError("INVALID_SIGNATURE");
}
