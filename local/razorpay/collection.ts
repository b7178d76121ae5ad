/**
 * Lists, as Razorpay's API returns them.
 * @module
 */

import { badRequest } from "./errors.ts";

const DEFAULT_COUNT = 10;
const MAX_COUNT = 100;

/**
 * Returns a page of a list, newest first, by the parameters `from`, `to` (Unix seconds), `count`
 * and `skip`. Entries younger than the lag are left out.
 *
 * @throws {RazorpayError} 400 for an invalid parameter.
 */
export function page<Entry extends { created_at: number }>(
  entries: Iterable<Entry>,
  query: URLSearchParams,
  { lagMs }: { readonly lagMs: number },
): Entry[] {
  const from = wholeNumber(query, "from", 0);
  const to = wholeNumber(query, "to", Number.MAX_SAFE_INTEGER);
  const count = wholeNumber(query, "count", DEFAULT_COUNT);
  const skip = wholeNumber(query, "skip", 0);
  if (count < 1 || count > MAX_COUNT) {
    throw badRequest(`The count must be between 1 and ${MAX_COUNT}.`, { field: "count" });
  }
  const listedUntil = (Date.now() - lagMs) / 1000;
  return [...entries]
    .filter(({ created_at }) => created_at >= from && created_at <= Math.min(to, listedUntil))
    .reverse()
    .slice(skip, skip + count);
}

/** Wraps a list in its envelope. Payment links have one of their own. */
export function collection(items: readonly unknown[]): Record<string, unknown> {
  return { entity: "collection", count: items.length, items };
}

function wholeNumber(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name);
  if (text === null || text === "") return fallback;
  if (!/^\d{1,15}$/.test(text)) {
    throw badRequest(`The ${name} must be an integer.`, { field: name });
  }
  return Number(text);
}
