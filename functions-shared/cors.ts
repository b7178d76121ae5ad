/**
 * CORS headers, on every answer: a browser that misses them hides the answer from the page, and an
 * error of ours would look like a broken network.
 * @module
 */

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
  "x-bot-secret",
  "x-request-id",
].join(", ");

const EXPOSED_HEADERS = ["x-request-id", "retry-after", "idempotent-replayed"].join(", ");

/** The headers that let a page of any origin read the answer. */
export function corsHeaders(): Record<string, string> {
  return {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": EXPOSED_HEADERS,
  };
}

/** The answer to a preflight request. */
export function preflight(methods: string): Record<string, string> {
  return {
    ...corsHeaders(),
    "access-control-allow-methods": methods,
    "access-control-allow-headers": ALLOWED_HEADERS,
    "access-control-max-age": "86400",
  };
}
