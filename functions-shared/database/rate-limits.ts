/**
 * What is counted apart from any work.
 * @module
 */

import { rpc } from "shared/database/rpc.ts";

/** Counts a wrong secret; answers the seconds for which the address should wait, or 0. */
export async function countFailedSecret(limitedAddress: string): Promise<number> {
  return await rpc("count_failed_secret", { limited_address: limitedAddress });
}
