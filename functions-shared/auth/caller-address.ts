/**
 * Where a request comes from, for limits only. Any of it can be forged where nothing in front of the
 * functions sets it, so no limit rests on it alone, and nothing else does.
 * @module
 */

/** The address that the platform's edge saw, else the last hop that says so, else one for all. */
export function callerAddress(headers: Headers): string {
  const lastHop = headers.get("x-forwarded-for")?.split(",").at(-1);
  return (headers.get("cf-connecting-ip") ?? lastHop ?? "").trim().slice(0, 64) || "unknown";
}
