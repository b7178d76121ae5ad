/**
 * Orders on which a payment is under way, as the SQL functions that read an account list them. Apart
 * from `orders.ts`, whose schemas these functions do not need.
 * @module
 */

import { z } from "zod";

/** Null where they were not asked for, or are not for the reader. */
export const pendingOrders = z.lazy(() => z.array(pendingOrder).nullable());

const pendingOrder = z.object({
  razorpay_order_id: z.string(),
  package_id: z.string(),
  package_name: z.string(),
  credits: z.int(),
  amount_paise: z.int(),
  created_at: z.string(),
});

/** One order, with the package as it was bought. */
export type PendingOrder = z.infer<typeof pendingOrder>;
