/**
 * Orders and their packages, as responses show them: with the figures of the order, which stay the same
 * when the package changes.
 * @module
 */

import type { PlacedOrder } from "shared/database/orders.ts";
import type { PendingOrder } from "shared/database/pending-orders.ts";

interface PackageSummary {
  readonly id: string;
  readonly name: string;
  readonly credits: number;
  /** In rupees, exact to the paisa. */
  readonly price: number;
}

/** Returns the `package` of a response. */
export function summarizePackage(
  id: string,
  { package_name: name, credits, amount_paise }: Pick<
    PlacedOrder,
    "package_name" | "credits" | "amount_paise"
  >,
): PackageSummary {
  return { id, name, credits, price: amount_paise / 100 };
}

/** Returns the fields `pending_orders` of a response; none for a reader who is not shown orders. */
export function summarizePendingOrders(
  orders: readonly PendingOrder[] | null,
): { pending_orders?: { order_id: string; package: PackageSummary; created_at: string }[] } {
  return orders === null ? {} : {
    pending_orders: orders.map((order) => ({
      order_id: order.razorpay_order_id,
      package: summarizePackage(order.package_id, order),
      created_at: order.created_at,
    })),
  };
}
