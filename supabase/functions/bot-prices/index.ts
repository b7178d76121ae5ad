/**
 * GET /bot-prices: the bot asks what actions cost, and which packages are for sale.
 * @module
 */

import { botPrices } from "shared/contract/bot-prices.ts";
import { listPrices } from "shared/database/prices.ts";
import { endpoint } from "shared/endpoint.ts";
import { success } from "shared/http/reply.ts";

export default endpoint(botPrices, async () => {
  return success(botPrices.successMessage, await listPrices({}));
});
