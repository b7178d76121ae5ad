/**
 * What the bot is told, on its way to the bot's addresses.
 * @module
 */

import { z } from "zod";
import { procedure } from "shared/database/rpc.ts";

/** Gives new events to the addresses. Returns how many, at most `batch_size`. */
export const handOutEvents = procedure("hand_out_events", () => z.int());

const claimedDelivery = z.object({
  event_id: z.uuid(),
  address_id: z.int(),
  lease_token: z.uuid(),
  type: z.string(),
  created_at: z.string(),
  user_id: z.uuid().nullable(),
  phone_number: z.string().nullable(),
  whatsapp_user_id: z.string().nullable(),
  credits: z.int().nullable(),
  remaining_credits: z.int().nullable(),
  sequence_number: z.int().nullable(),
  order_id: z.uuid().nullable(),
  package_id: z.string().nullable(),
  reference_id: z.string().nullable(),
  data: z.record(z.string(), z.unknown()),
});

/** An event that is to be sent to an address now. */
export type ClaimedDelivery = z.infer<typeof claimedDelivery>;

/** Claims deliveries to one address, which end with {@linkcode finishEventDelivery}. */
export const claimEventDeliveries = procedure(
  "claim_event_deliveries",
  () => z.array(claimedDelivery),
);

/** Stores what became of an attempt, and plans the next one. */
export const finishEventDelivery = procedure(
  "finish_event_delivery",
  () => z.enum(["delivered", "failed", "dead", "paused", "lease_lost"]),
);
