/**
 * Ids in Razorpay's form that no entity has.
 * @module
 */

import { randomBytes } from "node:crypto";

/** An id that no entity of this kind has. */
export const newId = (kind: "order" | "pay" | "rfnd" | "disp" | "plink"): string =>
  `${kind}_${randomPart()}`;

/** The id of an order that nobody made. */
export const newOrderId = (): string => newId("order");

/** The id of a payment that nobody made. */
export const newPaymentId = (): string => newId("pay");

/** The id of an event, as Razorpay sends it in a header. */
export const newEventId = (): string => randomPart();

/** The id of a key for live payments; the stand-in's own keys are test keys. */
export const newLiveKeyId = (): string => `rzp_live_${randomPart()}`;

function randomPart(): string {
  return randomBytes(7).toString("hex");
}
