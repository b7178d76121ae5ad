/**
 * The network address of a caller, used for rate limits only. Where no proxy sets these headers, a
 * caller can forge them, so no limit relies on the address alone and nothing else uses it.
 * @module
 */

/**
 * Returns the address that the platform's edge saw, else the one reported by the last proxy, else
 * `unknown`, which all such callers share.
 */
export function callerAddress(headers: Headers): string {
  const lastHop = headers.get("x-forwarded-for")?.split(",").at(-1);
  return (headers.get("cf-connecting-ip") ?? lastHop ?? "").trim().slice(0, 64) || "unknown";
}
