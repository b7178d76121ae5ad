/**
 * The log: one JSON line per request, never with a phone number, a secret, a signature or a body.
 *
 * What happened is shown by the figures and the outcome in the response, and by a package's name.
 * @module
 */

import type { Operation } from "shared/contract/operation.ts";
import { ConfigurationError } from "shared/environment.ts";
import type { Reply } from "shared/http/reply.ts";

/** Logs one request. Failures on our side have level `error`; mistakes of the caller do not. */
export function logRequest(
  { operation, request, requestId, reply, durationMs }: {
    operation: Operation;
    request: Request;
    requestId: string;
    reply: Reply;
    durationMs: number;
  },
): void {
  const cause = rootOf(reply.error);
  // A failing gateway and a configuration that locks everyone out are for the operator to fix,
  // whatever the caller is told.
  const ours = reply.httpStatus >= 500 || reply.httpStatus < 400 && cause !== undefined ||
    cause instanceof ConfigurationError;
  const level = ours ? "error" : "info";
  console[level](JSON.stringify({
    time: new Date().toISOString(),
    level,
    function: operation.name,
    method: request.method,
    http_status: reply.httpStatus,
    status: reply.body.status,
    code: reply.body.code,
    duration_ms: durationMs,
    request_id: requestId,
    user_id: reply.userId,
    replayed: "idempotent-replayed" in (reply.headers ?? {}) || undefined,
    event: reply.event,
    ...told(reply.body.data),
    cause: ours ? withoutNumbers(String(cause)) : undefined,
  }));
}

/** The response fields that the log repeats. None of them identifies anybody. */
const TOLD = [
  "outcome",
  "payment",
  "remaining_credits",
  "reserved_credits",
  "captured_credits",
  "released_credits",
  "late",
  "credits",
  "credits_added",
  "checked",
  "settled",
  "flagged",
  "failed",
  "holds_expired",
  "handed_out",
  "delivered",
  "low_balance",
];

function told(data: unknown): Record<string, unknown> {
  if (typeof data !== "object" || data === null) return {};
  const fields = Object.entries(data).filter(([name]) => TOLD.includes(name));
  const { package: bought } = data as { package?: { name?: unknown } };
  return { ...Object.fromEntries(fields), package: bought?.name };
}

/** Logs a failure that the response to the request does not show. */
export function logFailure(functionName: string, error: unknown): void {
  console.error(JSON.stringify({
    time: new Date().toISOString(),
    level: "error",
    function: functionName,
    cause: withoutNumbers(String(rootOf(error))),
  }));
}

/** Logs what somebody may want to change, although nothing has failed. */
export function logWarning(message: string): void {
  console.warn(JSON.stringify({ time: new Date().toISOString(), level: "warn", message }));
}

/** Returns the innermost cause of an error. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}

/** Hides numbers: a database error may quote its input, and phone numbers must not reach the log. */
export function withoutNumbers(text: string): string {
  return text.replace(/\+?[0-9]{7,}/g, "(number)");
}
