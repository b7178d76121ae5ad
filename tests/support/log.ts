/**
 * What the functions log, for tests to read.
 * @module
 */

import { z } from "zod";
import { OPERATIONS } from "shared/contract/operations.ts";

/** The line of a request, with every field that it may have. */
export const logLine = z.strictObject({
  time: z.iso.datetime(),
  level: z.enum(["info", "error"]),
  function: z.enum(OPERATIONS.map(({ name }) => name)),
  method: z.string(),
  http_status: z.int(),
  status: z.string(),
  code: z.string().optional(),
  duration_ms: z.int().min(0),
  request_id: z.string(),
  user_id: z.uuid().optional(),
  replayed: z.boolean().optional(),
  event: z.string().regex(/^[a-z_]+(\.[a-z_]+)+$/).optional(),
  package: z.enum(["Starter", "Popular", "Pro"]).optional(),
  payment: z.enum(["paid", "pending", "failed"]).optional(),
  outcome: z.string().regex(/^[a-z_]+$/).optional(),
  remaining_credits: z.int().optional(),
  reserved_credits: z.int().optional(),
  captured_credits: z.int().optional(),
  released_credits: z.int().optional(),
  late: z.literal(true).optional(),
  credits: z.int().optional(),
  credits_added: z.int().optional(),
  checked: z.int().optional(),
  settled: z.int().optional(),
  flagged: z.int().optional(),
  failed: z.int().optional(),
  holds_expired: z.int().optional(),
  handed_out: z.int().optional(),
  delivered: z.int().optional(),
  low_balance: z.literal(true).optional(),
  cause: z.string().optional(),
});

/** See {@linkcode logLine}. */
export type LogLine = z.infer<typeof logLine>;

/** The lines that are logged while `act` runs, at any level. They are not printed. */
export async function logOf(act: () => Promise<unknown>): Promise<string[]> {
  const lines: string[] = [];
  const usual = { ...console };
  const record = (...parts: unknown[]) => void lines.push(parts.join(" "));
  Object.assign(console, { log: record, debug: record, info: record, warn: record, error: record });
  try {
    await act();
  } finally {
    Object.assign(console, usual);
  }
  return lines;
}
