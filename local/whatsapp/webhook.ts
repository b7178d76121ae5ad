/**
 * What WhatsApp sends to a bot's webhook: the question whether it is the right one, and messages.
 * @module
 */

import { createHmac, randomUUID } from "node:crypto";

/** A message that a customer has written. */
export interface Incoming {
  readonly id: string;
  /** The customer's number, without a plus. */
  readonly from: string;
  readonly text: string;
  /** Unix seconds. */
  readonly timestamp: number;
}

/** The app that the webhook belongs to. */
interface App {
  readonly appSecret: string;
  readonly phoneNumberId: string;
}

const TIMEOUT_MS = 10_000;
/** The id of the business account, which no test depends on. */
const ACCOUNT_ID = "100000000000001";

/**
 * Asks a webhook whether it knows the token, as WhatsApp does when it is set up.
 *
 * @throws {Error} if it does not repeat the challenge.
 */
export async function subscribe(url: string, verifyToken: string): Promise<void> {
  const challenge = randomUUID();
  const query = new URLSearchParams({
    "hub.mode": "subscribe",
    "hub.challenge": challenge,
    "hub.verify_token": verifyToken,
  });
  const response = await fetch(`${url}?${query}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (await response.text() !== challenge || !response.ok) {
    throw new Error("The callback URL or verify token could not be validated.");
  }
}

/** Delivers messages in one request, and returns its HTTP status. */
export async function deliver(
  url: string,
  messages: readonly Incoming[],
  { appSecret, phoneNumberId }: App,
): Promise<number> {
  const body = JSON.stringify(notification(messages, phoneNumberId));
  const signature = createHmac("sha256", appSecret).update(body).digest("hex");
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "x-hub-signature-256": `sha256=${signature}` },
    body,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await response.body?.cancel();
  return response.status;
}

/** The body of a request. Each message is a change of its own, as WhatsApp batches them. */
function notification(messages: readonly Incoming[], phone_number_id: string): object {
  const changes = messages.map(({ id, from, text, timestamp }) => ({
    field: "messages",
    value: {
      messaging_product: "whatsapp",
      metadata: { display_phone_number: "15550000000", phone_number_id },
      contacts: [{ profile: { name: "Customer" }, wa_id: from }],
      messages: [{ from, id, timestamp: String(timestamp), type: "text", text: { body: text } }],
    },
  }));
  return { object: "whatsapp_business_account", entry: [{ id: ACCOUNT_ID, changes }] };
}
