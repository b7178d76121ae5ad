/**
 * Ids in Razorpay's form that no entity has.
 * @module
 */

import { randomBytes } from "node:crypto";

/** The id of an order that nobody made. */
export const newOrderId = (): string => `order_${randomPart()}`;

/** The id of a payment that nobody made. */
export const newPaymentId = (): string => `pay_${randomPart()}`;

/** The id of an event, as Razorpay sends it in a header. */
export const newEventId = (): string => randomPart();

/** The id of a key for live payments; the stand-in's own keys are test keys. */
export const newLiveKeyId = (): string => `rzp_live_${randomPart()}`;

function randomPart(): string {
  return randomBytes(7).toString("hex");
}
