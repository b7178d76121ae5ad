/**
 * Lists, as Razorpay's API gives them.
 * @module
 */

import { badRequest } from "./errors.ts";

const DEFAULT_COUNT = 10;
const MAX_COUNT = 100;

/**
 * A page of a list, newest first, by `from`, `to` (Unix seconds), `count` and `skip`. Entries younger
 * than the lag are missing from it.
 */
export function page<Entry extends { created_at: number }>(
  entries: Iterable<Entry>,
  query: URLSearchParams,
  { lagMs }: { lagMs: number },
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

/** The envelope of every list but that of payment links. */
export function collection(items: unknown[]): Record<string, unknown> {
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
