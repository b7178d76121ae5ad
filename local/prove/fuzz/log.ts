/**
 * Watches what this process logs, which must not hold anything private.
 * @module
 */

import { inspect } from "node:util";
import { parseJson } from "../../system/json.ts";

/** A log that is being watched. */
export interface WatchedLog {
  /** From now on, no line may hold this. */
  keepPrivate(value: string): void;
  /** How many lines there were. */
  readonly lines: number;
  /** How many of them say that something could not be reached, which is no fault as long as they are few. */
  readonly outages: number;
  /** Returns what was wrong with the lines since the last call, a sentence each. */
  takeFaults(): string[];
  /** Lets `act` print what is no part of the log. */
  aside(act: () => void): void;
  /** Lets the process log again as before. */
  stop(): void;
}

const METHODS = ["log", "debug", "info", "warn", "error"] as const;

/** A UUID, or the id of a trace, whose digits are random. */
const RANDOM_ID = /[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}/gi;

/** What may be a number, a secret, a token or a signature, as long as none of them is split. */
const WORD = /[A-Za-z0-9_-]{10,}/g;

/**
 * Starts to watch; lines are not printed. `secrets` are searched for as they are, and whatever is
 * registered later as a word of its own, because there are many of those.
 */
export function watchLog(secrets: readonly string[]): WatchedLog {
  const usual = Object.fromEntries(METHODS.map((method) => [method, console[method]]));
  const words = new Set<string>();
  let lines = 0;
  let outages = 0;
  let faults: string[] = [];
  const record = (...parts: unknown[]) => {
    lines++;
    const line = parts.map((part) => typeof part === "string" ? part : inspect(part)).join(" ");
    const fault = faultOf(line);
    if (fault !== undefined) faults.push(`${fault}: ${line.slice(0, 500)}`);
  };
  const faultOf = (line: string): string | undefined => {
    if (secrets.some((secret) => line.includes(secret))) return "the log holds a secret";
    if (line.match(WORD)?.some((word) => words.has(word))) return "the log holds a private value";
    if (CONTRADICTION.test(line)) return undefined;
    const json = logLine(line);
    if (json === undefined) return "the log has a line that is no request's";
    const strings = Object.values(json).filter((value) => typeof value === "string");
    const numbers = strings.filter((text) => /[0-9]{7}/.test(text.replaceAll(RANDOM_ID, "")));
    if (numbers.length > 0) return "the log holds what may be a phone number";
    if (json.http_status === 503) outages++;
    return json.level === "info" || json.http_status === 503 || isUnreadableWebhook(json)
      ? undefined
      : "the log has an error";
  };
  const watch = () => {
    for (const method of METHODS) console[method] = record;
  };
  watch();
  let isWatching = true;
  return {
    keepPrivate(value) {
      words.add(value);
    },
    get lines() {
      return lines;
    },
    get outages() {
      return outages;
    },
    takeFaults() {
      const taken = faults;
      faults = [];
      return taken;
    },
    aside(act) {
      Object.assign(console, usual);
      try {
        act();
      } finally {
        if (isWatching) watch();
      }
    },
    stop() {
      isWatching = false;
      Object.assign(console, usual);
    },
  };
}

/**
 * A signed event that names a payment of another order, which Razorpay never sends. It is refused, and both
 * the embedded Data API and the function log why.
 */
const CONTRADICTION = /payment pay_\w+ belongs to another order/;

/** A signed event that is not in Razorpay's documented shape: the cause is what the schema says. */
function isUnreadableWebhook({ function: name, cause }: Record<string, unknown>): boolean {
  return name === "razorpay-webhook" && String(cause).startsWith("[\n");
}

/** Reads a line of the functions' log, and returns undefined for any other line. */
function logLine(line: string): Record<string, unknown> | undefined {
  const value = parseJson(line);
  return typeof value === "object" && value !== null && "function" in value
    ? { ...value }
    : undefined;
}
