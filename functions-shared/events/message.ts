/**
 * The body of an event, as `functions-shared/contract/events.ts` describes it.
 * @module
 */

import type { ClaimedDelivery } from "shared/database/events.ts";

/** Returns the body of the request that tells of an event. */
export function eventMessage(event: ClaimedDelivery): string {
  const { type, created_at, event_id, phone_number, whatsapp_user_id, data } = event;
  return JSON.stringify({
    type,
    timestamp: new Date(created_at).toISOString(),
    data: {
      event_id,
      user_id: event.user_id,
      // What is not known is left out.
      phone_number: phone_number ?? undefined,
      whatsapp_user_id: whatsapp_user_id ?? undefined,
      credits: event.credits,
      remaining_credits: event.remaining_credits,
      sequence_number: event.sequence_number,
      order_id: event.order_id ?? undefined,
      package_id: event.package_id ?? undefined,
      reference_id: event.reference_id ?? undefined,
      ...data,
    },
  });
}
