/**
 * GET /users/:phone_number: a page shows a user's profile.
 * @module
 */

import { callerAddress } from "shared/auth/caller-address.ts";
import { hasProven, ownsPhoneNumber } from "shared/auth/principal.ts";
import { users } from "shared/contract/users.ts";
import { getProfile } from "shared/database/credits.ts";
import { endpoint } from "shared/endpoint.ts";
import { RequestError } from "shared/errors.ts";
import { success } from "shared/http/reply.ts";
import { summarizePendingOrders } from "shared/payments/package-summary.ts";

export default endpoint(users, async ({ phone_number }, { headers, principal }) => {
  // Checked before the database is asked, so that a stranger does not learn which numbers are users.
  if (!ownsPhoneNumber(principal, phone_number)) throw new RequestError("NOT_THE_OWNER");
  const isStranger = principal.kind === "public" && !hasProven(principal, phone_number);
  const user = await getProfile({
    phone_number,
    link_user_id: principal.kind === "owner" ? principal.userId : undefined,
    // A proven number creates one user; numbers that anyone could make up are limited.
    caller_address: isStranger ? callerAddress(headers) : undefined,
    with_pending_orders: !isStranger,
  });
  if (user.outcome === "link_is_void") throw new RequestError("INVALID_PROOF");
  return success(
    users.successMessage,
    {
      id: user.user_id,
      phone_number,
      credits: user.credits,
      remaining_credits: user.remaining_credits,
      reserved_credits: user.reserved_credits,
      created_at: user.created_at,
      ...(user.is_frozen && { frozen: true }),
      ...summarizePendingOrders(user.pending_orders),
    },
    { userId: user.user_id },
  );
});
