/**
 * The erasure of a person, and of what is kept for a time only.
 * @module
 */

import { z } from "zod";
import { hashIdentity } from "shared/database/identity-hash.ts";
import { nothing, oneRow, procedure } from "shared/database/rpc.ts";

const erasure = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.enum(["erased", "replayed"]),
    erased_user_id: z.uuid(),
    erased_at: z.string(),
    auth: z.enum(["none", "deleted", "left"]),
  }),
  z.object({ outcome: z.literal("hashes_needed"), identities: z.array(z.string()) }),
  z.object({ outcome: z.enum(["user_not_found", "user_in_use"]) }),
]);

/** Longer than its statement_timeout, because a long history takes its time. */
const ERASURE_TIMEOUT_MS = 35_000;

const erase = procedure("erase_user", () => oneRow(erasure), { timeoutMs: ERASURE_TIMEOUT_MS });

/** How often an identity may join the account while it is being erased. */
const MAX_CALLS = 5;

/** Erases a person. The database names the identities, and gets their hashes in a second call. */
export async function eraseUser(
  request: {
    user_id: string;
    operator: string;
    operator_id: string | undefined;
    reason: string;
  },
): Promise<Exclude<z.infer<typeof erasure>, { outcome: "hashes_needed" }>> {
  let hashes: Record<string, string> = {};
  for (let call = 1; call <= MAX_CALLS; call++) {
    const result = await erase({ ...request, identity_hashes: hashes });
    if (result.outcome !== "hashes_needed") return result;
    hashes = Object.fromEntries(
      await Promise.all(
        result.identities.map(async (identity) => [identity, await hashIdentity(identity)]),
      ),
    );
  }
  throw new Error("The account keeps getting new identities while it is being erased");
}

/** Has PostgreSQL replace its samples of the columns that name people. */
export const refreshSamples = procedure("refresh_samples", nothing);

/** Deletes deliveries of Razorpay's webhook whose time is over, at most 1,000. Returns how many. */
export const deleteOldWebhooks = procedure("delete_old_webhooks", () => z.int());

/** Deletes events whose time is over, at most 1,000. Returns how many. */
export const deleteOldEvents = procedure("delete_old_events", () => z.int());

/** Deletes holds that ended long ago without a charge, at most 1,000. Returns how many. */
export const deleteOldHolds = procedure("delete_old_holds", () => z.int());
