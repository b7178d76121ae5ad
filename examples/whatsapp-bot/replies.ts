/**
 * What the bot says, through WhatsApp's Graph API.
 * @module
 */

import type { Settings } from "./settings.ts";

const TIMEOUT_MS = 15_000;

/** WhatsApp has refused a message, and would refuse it again. */
export class RefusedMessage extends Error {}

/** Sends text messages. */
export class Replies {
  readonly #url: string;
  readonly #headers: Record<string, string>;

  constructor({ graphUrl, phoneNumberId, accessToken }: Settings) {
    this.#url = `${graphUrl}/${phoneNumberId}/messages`;
    this.#headers = {
      authorization: `Bearer ${accessToken}`,
      "content-type": "application/json",
    };
  }

  /**
   * Sends a text. A reply quotes the message that it answers, because messages may arrive in any order.
   *
   * @throws {RefusedMessage} if there is no use in trying again.
   */
  async send(to: string, text: string, inReplyTo?: string): Promise<void> {
    const response = await fetch(this.#url, {
      method: "POST",
      headers: this.#headers,
      body: JSON.stringify({
        messaging_product: "whatsapp",
        to,
        type: "text",
        text: { body: text },
        ...(inReplyTo !== undefined && { context: { message_id: inReplyTo } }),
      }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const answer = await response.text();
    if (response.ok) return;
    const reason = `WhatsApp answers ${response.status}: ${errorIn(answer)}`;
    const isFinal = response.status < 500 && response.status !== 429;
    throw isFinal ? new RefusedMessage(reason) : new Error(reason);
  }
}

/** The error's code and sentence, and not the whole answer, which may name the customer. */
function errorIn(answer: string): string {
  try {
    const { code, message } = JSON.parse(answer).error;
    return `${code} ${message}`;
  } catch {
    return "no error that the bot can read";
  }
}
