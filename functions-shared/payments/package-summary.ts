/**
 * The package of an order, as responses show it: with the figures of the order, which stay the same
 * when the package changes.
 * @module
 */

import type { PlacedOrder } from "shared/database/orders.ts";

/** Returns the `package` of a response. `price` is in rupees, exact to the paisa. */
export function summarizePackage(
  id: string,
  { package_name: name, credits, amount_paise }: PlacedOrder,
): { id: string; name: string; credits: number; price: number } {
  return { id, name, credits, price: amount_paise / 100 };
}
