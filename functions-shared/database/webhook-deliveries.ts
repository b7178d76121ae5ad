/**
 * Deliveries of Razorpay's webhook.
 * @module
 */

import { z } from "zod";
import { nothing, procedure } from "shared/database/rpc.ts";

/** Stores a delivery before it is handled. Returns its number. */
export const receiveWebhook = procedure("receive_webhook", () => z.int());

/** Stores what became of a delivery. */
export const finishWebhook = procedure("finish_webhook", nothing);
