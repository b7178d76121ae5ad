/**
 * The field `pending_orders` of an account.
 * @module
 */

import { z } from "zod";
import { timestamp } from "shared/contract/fields.ts";
import { packageSummary } from "shared/contract/package.ts";

/** The orders on which a payment is under way. */
export const pendingOrders = z.array(z.object({
  order_id: z.string().describe("Razorpay's id, as `create-order` returned it."),
  package: packageSummary,
  created_at: timestamp,
})).optional().describe(
  "Orders on which a payment is under way: somebody tried to pay, and it neither failed nor succeeded. " +
    "Newest first. Left out for a reader who has not proven that the account is theirs.",
);
