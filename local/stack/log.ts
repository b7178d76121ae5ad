/**
 * What a running stack prints: the functions' lines of JSON as they are, or a short line for people in
 * a terminal.
 * @module
 */

import { inspect, styleText } from "node:util";
import { withoutNumbers } from "shared/http/log.ts";
import { z } from "zod";
import { parseJson } from "../system/json.ts";
import type { LogFormat } from "../system/settings.ts";
import { SCHEDULER_REQUEST_ID } from "./scheduler.ts";

/** A line of the functions' log, as functions-shared/http/log.ts writes it. */
const logLine = z.object({
  time: z.iso.datetime(),
  level: z.string(),
  function: z.string().default("functions"),
  http_status: z.int().optional(),
  status: z.string().optional(),
  code: z.string().optional(),
  duration_ms: z.number().optional(),
  request_id: z.string().optional(),
  replayed: z.boolean().optional(),
  event: z.string().optional(),
  outcome: z.string().optional(),
  remaining_credits: z.int().optional(),
  reserved_credits: z.int().optional(),
  captured_credits: z.int().optional(),
  released_credits: z.int().optional(),
  late: z.boolean().optional(),
  credits: z.int().optional(),
  payment: z.string().optional(),
  credits_added: z.int().optional(),
  package: z.string().optional(),
  checked: z.int().optional(),
  settled: z.int().optional(),
  flagged: z.int().optional(),
  failed: z.int().optional(),
  holds_expired: z.int().optional(),
  handed_out: z.int().optional(),
  delivered: z.int().optional(),
  message: z.string().optional(),
  cause: z.string().optional(),
});

type LogLine = z.infer<typeof logLine>;

/** What the embedded Data API prints when a request fails: the error of the database. */
const databaseError = z.object({ code: z.string(), message: z.string() });

const WIDEST_NAME = "reconcile-payments".length;

/** Prints in this format from now on whatever this process writes with `console`. */
export function logAs(format: LogFormat, { color }: { color: boolean }): void {
  for (const method of ["log", "info", "warn", "error"] as const) {
    const write = console[method].bind(console);
    console[method] = (...parts: unknown[]) => {
      const text = printed(parts, format, color);
      if (text !== undefined) write(text);
    };
  }
}

/** Returns what to print for the arguments of a call of `console`; undefined for nothing. */
export function printed(
  parts: readonly unknown[],
  format: LogFormat,
  color: boolean,
): string | undefined {
  const line = lineOf(parts);
  if (line === undefined) {
    return parts.map((part) => typeof part === "string" ? part : inspect(part)).join(" ");
  }
  if (isIdleRun(line)) return undefined;
  if (format === "pretty") return forPeople(line, color);
  // The functions' own lines have more fields than are read here.
  return typeof parts[0] === "string" ? parts[0] : JSON.stringify(line);
}

function lineOf(parts: readonly unknown[]): LogLine | undefined {
  const [only] = parts;
  if (parts.length !== 1) return undefined;
  if (typeof only === "string") return logLine.safeParse(parseJson(only)).data;
  const error = databaseError.safeParse(only).data;
  return error && {
    time: new Date().toISOString(),
    level: "error",
    function: "data-api",
    cause: withoutNumbers(`${error.code} ${error.message}`),
  };
}

/** Returns whether the scheduler has called and there was nothing to do, as almost always. */
function isIdleRun(line: LogLine): boolean {
  const counts = line.function === "deliver-events"
    ? [line.handed_out, line.delivered, line.failed]
    : [line.checked, line.settled, line.flagged, line.failed, line.holds_expired];
  return line.request_id === SCHEDULER_REQUEST_ID && line.status === "SUCCESS" &&
    counts.every((count) => count === 0);
}

/** For example `12:03:04 bot-deduct         200   12 ms  2 credits left`, in local time. */
function forPeople(line: LogLine, color: boolean): string {
  const style = (format: Parameters<typeof styleText>[0], text: string) =>
    color ? styleText(format, text, { validateStream: false }) : text;
  const time = new Date(line.time).toTimeString().slice(0, 8);
  const status = String(line.http_status ?? "").padStart(3);
  const duration = line.duration_ms === undefined ? "" : `${line.duration_ms} ms`;
  return [
    style("dim", time),
    line.function.padEnd(WIDEST_NAME),
    style(statusColor(line), status),
    style("dim", duration.padStart(7)),
    ` ${happened(line)}`,
  ].join(" ").trimEnd();
}

function statusColor({ level, http_status: status = 500 }: LogLine): "green" | "yellow" | "red" {
  if (level === "error") return "red";
  return status < 400 ? "green" : "yellow";
}

function happened(line: LogLine): string {
  const runs = (["checked", "settled", "flagged", "delivered", "failed"] as const)
    .filter((name) => line[name])
    .map((name) => `${line[name]} ${name}`);
  const word = line.status === "SUCCESS" || line.status === "ERROR" ? undefined : line.status;
  return [
    line.event,
    line.outcome,
    line.payment,
    line.code ?? word,
    line.package,
    credits(line.credits_added, "added"),
    credits(line.captured_credits, "captured"),
    credits(line.released_credits, "released"),
    credits(line.remaining_credits, "left"),
    credits(line.reserved_credits || undefined, "reserved"),
    credits(line.remaining_credits === undefined ? line.credits : undefined, ""),
    ...runs,
    line.holds_expired ? `${line.holds_expired} holds expired` : undefined,
    line.late ? "late" : undefined,
    line.replayed ? "replayed" : undefined,
    line.message,
    line.cause,
  ].filter((part) => part !== undefined).join(", ");
}

function credits(count: number | undefined, what: string): string | undefined {
  if (count === undefined) return undefined;
  return `${count} ${count === 1 ? "credit" : "credits"} ${what}`.trimEnd();
}
