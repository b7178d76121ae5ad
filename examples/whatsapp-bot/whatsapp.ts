/**
 * What WhatsApp sends to the bot's webhook: who it is from, and what is in it.
 * @module
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";

/** A text that a customer has written. */
export interface Text {
  readonly id: string;
  /** The customer's number, without a plus. */
  readonly from: string;
  readonly text: string;
}

/** Whatever else a request holds, such as news of what the bot has sent, is not read. */
const notification = z.object({
  entry: z.array(z.object({
    changes: z.array(z.object({
      value: z.object({
        metadata: z.object({ phone_number_id: z.string() }).optional(),
        messages: z.array(z.unknown()).default([]),
      }),
    })),
  })),
});

const message = z.object({
  id: z.string().min(1),
  from: z.string().min(1),
  type: z.literal("text"),
  text: z.object({ body: z.string() }),
});

/** Returns what the bot has to answer when its webhook is set up, or undefined to a stranger. */
export function challengeIn(query: URLSearchParams, verifyToken: string): string | undefined {
  const isKnown = query.get("hub.mode") === "subscribe" &&
    query.get("hub.verify_token") === verifyToken;
  return isKnown ? query.get("hub.challenge") ?? undefined : undefined;
}

/** Returns whether WhatsApp has signed these bytes: `sha256=` and the HMAC in hex. */
export function isSigned(body: Uint8Array, signature: string, appSecret: string): boolean {
  const right = createHmac("sha256", appSecret).update(body).digest();
  const given = Buffer.from(/^sha256=([0-9a-f]{64})$/.exec(signature)?.[1] ?? "", "hex");
  return given.length === right.length && timingSafeEqual(given, right);
}

/**
 * Returns the texts in a request, which may hold several, of several customers. What is not a text, or
 * is for another number of the same account, is left out.
 *
 * @throws {z.ZodError} if it is no notification at all.
 */
export function textsIn(body: string, phoneNumberId: string): Text[] {
  return notification.parse(JSON.parse(body)).entry
    .flatMap(({ changes }) => changes)
    .filter(({ value }) => value.metadata?.phone_number_id === phoneNumberId)
    .flatMap(({ value }) => value.messages)
    .flatMap((item) => {
      const { data } = message.safeParse(item);
      return data ? [{ id: data.id, from: data.from, text: data.text.body }] : [];
    });
}
