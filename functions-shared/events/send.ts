/**
 * Sends signed messages as the Standard Webhooks specification says
 * (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md, version 1.0.0).
 * @module
 */

import { Webhook } from "standardwebhooks";

/** How long an address may take. A claim of the database lasts longer. */
const TIMEOUT_MS = 15_000;

/** A date in the year 9999 would not fit into the database, which says how much of `Retry-After` counts. */
const MAX_RETRY_AFTER_SECONDS = 2_147_483_647;

/** What an address answered, or why there was no answer. */
export type Answer =
  | { readonly http_status: number; readonly retry_after_seconds: number | undefined }
  | { readonly error: string };

/** Signs messages, with each of the secrets. During a rotation, either of two verifies. */
export class Signer {
  readonly #webhooks: readonly Webhook[];

  constructor(secrets: readonly string[]) {
    this.#webhooks = secrets.map((secret) => new Webhook(secret));
  }

  /** Returns the headers that a message is sent with now. */
  headers(id: string, message: string): Record<string, string> {
    const now = new Date();
    return {
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
      "webhook-signature": this.#webhooks.map((webhook) => webhook.sign(id, now, message)).join(
        " ",
      ),
    };
  }
}

/** Sends a message once, and returns what became of it. */
export async function send(
  url: string,
  { id, message, signer }: { id: string; message: string; signer: Signer },
): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "whatsapp-credits",
        ...signer.headers(id, message),
      },
      body: message,
      // A message is for this address only; whoever moves it changes EVENTS_URL.
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    // Only the status counts, so that no answer is too long or too slow.
    await response.body?.cancel().catch(() => {});
    return {
      http_status: response.status,
      retry_after_seconds: secondsUntil(response.headers.get("retry-after")),
    };
  } catch (error) {
    const isTimeout = error instanceof DOMException && error.name === "TimeoutError";
    return { error: isTimeout ? `no answer within ${TIMEOUT_MS / 1000} seconds` : causeOf(error) };
  }
}

/** Reads `Retry-After`: seconds, or a date. Anything else says nothing. */
function secondsUntil(retryAfter: string | null): number | undefined {
  if (retryAfter === null) return undefined;
  const seconds = /^[0-9]+$/.test(retryAfter)
    ? Number(retryAfter)
    : Math.ceil((Date.parse(retryAfter) - Date.now()) / 1000);
  return Number.isNaN(seconds)
    ? undefined
    : Math.min(Math.max(seconds, 0), MAX_RETRY_AFTER_SECONDS);
}

/** What fetch says after the address: `client error (Connect): tcp connect error: ...`. */
function causeOf(error: unknown): string {
  const { cause = error } = error instanceof Error ? error : {};
  return /client error .*/.exec(String(cause))?.[0].slice(0, 200) ?? "the connection failed";
}
