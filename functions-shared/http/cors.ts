/**
 * CORS headers, on errors too: without them a browser hides the response from the page, and an error
 * of this API would look like a broken network.
 * @module
 */

import type { Operation } from "shared/contract/operation.ts";
import { allowedOrigins } from "shared/environment.ts";

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
 * the operator and Razorpay allow no origin: a secret in a page is no secret.
 */
export function corsHeaders({ caller }: Operation, origin: string | null): Record<string, string> {
  if (caller !== "owner" && caller !== "anyone") return {};
  const allowed = allowedOrigins();
  const exposed = { "access-control-expose-headers": EXPOSED_HEADERS };
  if (allowed.includes("*")) return { "access-control-allow-origin": "*", ...exposed };
  // The response depends on the origin, and a cache in between has to know.
  if (origin === null || !allowed.includes(origin)) return { vary: "Origin" };
  return { "access-control-allow-origin": origin, vary: "Origin", ...exposed };
}

/** Returns the headers of the response to a preflight request. */
export function preflight(operation: Operation, origin: string | null): Record<string, string> {
  return {
    ...corsHeaders(operation, origin),
    "access-control-allow-methods": `${operation.method}, OPTIONS`,
    "access-control-allow-headers": ALLOWED_HEADERS,
    "access-control-max-age": "86400",
  };
}
