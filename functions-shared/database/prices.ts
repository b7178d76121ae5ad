/**
 * What actions cost, and what is for sale.
 * @module
 */

import { botPrices } from "shared/contract/bot-prices.ts";
import { oneRow, procedure } from "shared/database/rpc.ts";

/** Returns the price list in the shape of the contract: the SQL function builds it. */
export const listPrices = procedure("list_prices", () => oneRow(botPrices.data));
