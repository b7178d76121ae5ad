/**
 * Rate limits that are counted in a call of their own.
 * @module
 */

import { z } from "zod";
import { procedure } from "shared/database/rpc.ts";

/** Counts a wrong secret. Returns the seconds that the address should wait, or 0. */
export const countWrongSecret = procedure("count_wrong_secret", () => z.int());

/** Deletes counters whose time is over, at most 10,000. Returns how many. */
export const deleteExpiredRateCounters = procedure("delete_expired_rate_counters", () => z.int());
