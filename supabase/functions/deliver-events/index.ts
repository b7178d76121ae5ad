/**
 * POST /deliver-events: a scheduler has the bot told of what has happened.
 *
 * The database hands out what is due, each delivery with a lease to one run only, and decides what an
 * answer means. So runs may overlap. What an interrupted run had claimed is sent again after 30 seconds;
 * until then it counts toward the ten deliveries that an address may have under way.
 * @module
 */

import { deliverEvents } from "shared/contract/deliver-events.ts";
import {
  type ClaimedDelivery,
  claimEventDeliveries,
  finishEventDelivery,
  handOutEvents,
} from "shared/database/events.ts";
import { endpoint } from "shared/endpoint.ts";
import { eventAddresses, eventSecrets } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";
import { eventMessage } from "shared/events/message.ts";
import { send, Signer } from "shared/events/send.ts";
import { success } from "shared/http/reply.ts";

/** How many events are handed out at once, and how many are sent to one address at once. */
const HAND_OUT_BATCH_SIZE = 500;
const SEND_BATCH_SIZE = 10;

/** The platform ends a call after 150 seconds without a response; the slowest batch fits in the rest. */
const TIME_BUDGET_MS = 60_000;

/**
 * The platform also ends a worker after 2 seconds of processor time for a request
 * (https://supabase.com/docs/guides/functions/limits), and what was sent last would be sent again. A
 * delivery takes about 3 milliseconds of the embedded stack with its database's interface and the
 * receiver, of which this function is a part.
 */
const MAX_DELIVERIES = 500;

/** How long to wait before an answer is stored again, where the database was away for a moment. */
const STORE_AGAIN_AFTER_MS = [500, 2_000, 4_000];

export default endpoint(deliverEvents, async (_input) => {
  const urls = eventAddresses();
  // Nothing is ever sent unsigned, so without a secret nothing is claimed.
  const signer = new Signer(urls.length > 0 ? eventSecrets() : []);
  const deadline = performance.now() + TIME_BUDGET_MS;
  const totals = { handed_out: 0, delivered: 0, failed: 0 };

  let handedOut: number;
  do {
    handedOut = await handOutEvents({ urls, batch_size: HAND_OUT_BATCH_SIZE });
    totals.handed_out += handedOut;
  } while (handedOut === HAND_OUT_BATCH_SIZE && performance.now() < deadline);

  // An address that is slow or broken keeps no other one waiting.
  const runs = await Promise.allSettled(urls.map(deliverTo));
  for (const run of runs) if (run.status === "rejected") throw run.reason;
  return success(deliverEvents.successMessage, totals);

  async function deliverTo(url: string): Promise<void> {
    const maxDeliveries = MAX_DELIVERIES / urls.length;
    let claimed = 0;
    let batch: ClaimedDelivery[];
    do {
      batch = await claimEventDeliveries({ url, batch_size: SEND_BATCH_SIZE });
      const sent = await Promise.allSettled(batch.map((delivery) => deliver(url, delivery)));
      for (const one of sent) if (one.status === "rejected") throw one.reason;
      claimed += batch.length;
    } while (batch.length > 0 && claimed < maxDeliveries && performance.now() < deadline);
  }

  async function deliver(url: string, delivery: ClaimedDelivery): Promise<void> {
    const { event_id, address_id, lease_token } = delivery;
    const answer = await send(url, { id: event_id, message: eventMessage(delivery), signer });
    const outcome = await store({ event_id, address_id, lease_token, ...answer });
    if (outcome === "delivered") totals.delivered++;
    // Another run has the delivery now, or this one stored the result and did not hear of it.
    else if (outcome !== "lease_lost") totals.failed++;
  }
});

/** Stores the result of an attempt, also if the database is away for a moment: else it would be sent again. */
async function store(
  attempt: Parameters<typeof finishEventDelivery>[0],
): ReturnType<typeof finishEventDelivery> {
  for (const waitMs of STORE_AGAIN_AFTER_MS) {
    try {
      return await finishEventDelivery(attempt);
    } catch (error) {
      if (!(error instanceof RequestError && error.code === "UNAVAILABLE")) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  return await finishEventDelivery(attempt);
}
