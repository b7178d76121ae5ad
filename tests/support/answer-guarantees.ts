/**
 * What every response of every function guarantees, whatever was sent.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { Operation } from "shared/contract/operation.ts";
import { brokenGuarantees } from "../../local/prove/answers/guarantees.ts";
import type { Backend } from "./backend.ts";
import { type Answer, parseAnswer } from "./calls.ts";

/** What was sent, and to which function. */
export interface Sent {
  readonly operation: Operation;
  readonly method: string;
  /** Everything the caller wrote, which a response may repeat. */
  readonly text: string;
}

/**
 * Reads a response, and fails if it breaks one of the guarantees. Returns nothing for a response
 * without a body.
 */
export async function expectGuarantees(
  response: Response,
  sent: Sent,
  { environment, secrets }: Backend,
): Promise<Answer | undefined> {
  const { status: httpStatus, headers } = response;
  const text = await response.text();
  const behind = {
    allowedOrigins: "*",
    consoleOrigin: environment.CONSOLE_ORIGIN,
    frontendUrl: environment.FRONTEND_URL,
    secrets: [
      environment.DATABASE_URL,
      secrets.secretKey,
      secrets.jwtSecret,
      secrets.sessionKey.d,
      secrets.botSecret,
      secrets.razorpayKeySecret,
      secrets.razorpayWebhookSecret,
      secrets.eventsSecret,
    ],
  };
  const answer = { httpStatus, headers, text };
  deepStrictEqual(brokenGuarantees(answer, { ...sent, hasPathField: false }, behind), []);
  if (sent.method === "OPTIONS") return undefined;
  if (sent.method === "HEAD") {
    strictEqual(httpStatus, 405);
    return undefined;
  }
  return parseAnswer(response, text);
}
