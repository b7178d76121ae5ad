/**
 * CORS headers, on errors too: without them a browser hides the response from the page, and an error
 * of this API would look like a broken network.
 * @module
 */

import type { Operation } from "shared/contract/operation.ts";
import { allowedOrigins, consoleOrigin } from "shared/environment.ts";

/**
 * What supabase-js sends (`corsHeaders` of @supabase/supabase-js 2.119.1, plus `x-region`, which
 * that list omits) and what this API adds.
 */
const ALLOWED_HEADERS = [
  "authorization",
  "x-client-info",
  "apikey",
  "content-type",
  "x-retry-count",
  "traceparent",
  "tracestate",
  "baggage",
  "x-region",
  "idempotency-key",
  "x-access-token",
  "x-request-id",
].join(", ");

const EXPOSED_HEADERS = ["x-request-id", "retry-after", "idempotent-replayed"].join(", ");

/**
 * Returns the headers that let a page of an allowed origin read the response. Functions for the bot,
 * the scheduler and Razorpay allow no origin: a secret in a page is no secret. What operators may call
 * with a session allows the console, and no page of customers.
 */
export function corsHeaders(operation: Operation, origin: string | null): Record<string, string> {
  const allowed = allowedFor(operation);
  if (allowed === undefined) return {};
  const exposed = { "access-control-expose-headers": EXPOSED_HEADERS };
  if (allowed.includes("*")) return { "access-control-allow-origin": "*", ...exposed };
  // The response depends on the origin, and a cache in between has to know.
  if (origin === null || !allowed.includes(origin)) return { vary: "Origin" };
  return { "access-control-allow-origin": origin, vary: "Origin", ...exposed };
}

/** Returns the origins whose pages may call a function; undefined where none ever may. */
function allowedFor({ caller, operatorRole }: Operation): string[] | undefined {
  if (caller === "owner" || caller === "anyone") return allowedOrigins();
  if (operatorRole === undefined) return undefined;
  const origin = consoleOrigin();
  return origin === undefined ? [] : [origin];
}

/**
 * Returns the headers of the response to a preflight request. Without the origin among them, a browser
 * does not send the request.
 */
export function preflight(operation: Operation, origin: string | null): Record<string, string> {
  return {
    ...corsHeaders(operation, origin),
    "access-control-allow-methods": `${operation.method}, OPTIONS`,
    "access-control-allow-headers": ALLOWED_HEADERS,
    "access-control-max-age": "86400",
  };
}
