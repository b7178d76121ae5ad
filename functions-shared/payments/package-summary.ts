/**
 * What a buyer is told of a package: the figures of the order, which stay when the package changes.
 * @module
 */

import type { PlacedOrder } from "shared/database/orders.ts";

/** The `package` of an answer. `price` is in rupees, exact to the paisa. */
export function packageSummary(
  id: string,
  { package_name: name, credits, amount_paise }: PlacedOrder,
): { id: string; name: string; credits: number; price: number } {
  return { id, name, credits, price: amount_paise / 100 };
}
