/**
 * Writes bytes to a connection as they are, and reads what comes back.
 * @module
 */

import { Buffer } from "node:buffer";
import { setTimeout as delay } from "node:timers/promises";
import type { ReceivedAnswer } from "../answers/guarantees.ts";
import type { Wire } from "./bytes.ts";

/** What came back over a connection. */
export interface Exchange {
  readonly answers: readonly ReceivedAnswer[];
  /** Bytes that are no answer, one character each. */
  readonly rest: string;
  /** Whether the connection was neither answered nor closed in time. */
  readonly isStuck: boolean;
  /** Whether nothing more could come from this side, after which a server need not finish an answer. */
  readonly isClosed: boolean;
}

/** A server that waits for the rest of a broken request is told after this time that there is none. */
const PATIENCE_MS = 500;

/** More than the functions work at most: reconcile-payments and deliver-events for a minute. */
export const STUCK_MS = 90_000;

/** Writes to a new connection and reads until it is closed or everything is answered. */
export async function exchange(
  { hostname, port }: { readonly hostname: string; readonly port: number },
  { parts, pauseMs, end, answers: expected, isMangled }: Wire,
): Promise<Exchange> {
  using connection = await Deno.connect({ hostname, port });
  // The server may refuse a request, and close the connection, before all of it is written.
  const writing = writeAll(connection, parts, pauseMs).catch(() => {});
  if (end === "close") void writing.then(() => closeWriting(connection));

  const buffer = new Uint8Array(64 * 1024);
  let received = "";
  let isStuck = false;
  let isClosed = end === "close";
  let isWaiting = isMangled && end === "wait";
  let reading = read(connection, buffer);
  for (;;) {
    const count = await within(isWaiting ? PATIENCE_MS : STUCK_MS, reading);
    if (count === "late" && isWaiting) {
      isWaiting = false;
      isClosed = true;
      await closeWriting(connection);
      continue;
    }
    isStuck = count === "late" && parseAnswers(received).answers.length === 0;
    if (count === "late" || count === null) break;
    // One character for each byte, which no TextDecoder does.
    received += Buffer.from(buffer.subarray(0, count)).toString("latin1");
    const { answers, rest } = parseAnswers(received);
    if (answers.length >= expected && rest === "") break;
    reading = read(connection, buffer);
  }
  return { ...parseAnswers(received), isStuck, isClosed };
}

async function writeAll(
  connection: Deno.Conn,
  parts: Wire["parts"],
  pauseMs: number,
): Promise<void> {
  for (const [index, part] of parts.entries()) {
    if (index > 0) await delay(pauseMs);
    for (let start = 0; start < part.length;) {
      start += await connection.write(part.subarray(start));
    }
  }
}

function closeWriting(connection: Deno.Conn): Promise<void> {
  return connection.closeWrite().catch(() => {});
}

/** Returns null once the connection is closed, however it was. */
function read(connection: Deno.Conn, buffer: Uint8Array): Promise<number | null> {
  return connection.read(buffer).catch(() => null);
}

async function within<Result>(
  timeoutMs: number,
  result: Promise<Result>,
): Promise<Result | "late"> {
  const late = new AbortController();
  try {
    const { signal } = late;
    return await Promise.race([
      result,
      delay(timeoutMs, "late" as const, { signal }).catch(() => "late" as const),
    ]);
  } finally {
    late.abort();
  }
}

const HEAD = /^HTTP\/1\.[01] (\d{3})[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n/;

/** Reads the answers at the beginning of what came back to anything but a HEAD request. */
export function parseAnswers(received: string): { answers: ReceivedAnswer[]; rest: string } {
  const answers: ReceivedAnswer[] = [];
  let rest = received;
  for (;;) {
    const [head, status] = HEAD.exec(rest) ?? [];
    if (head === undefined) return { answers, rest };
    const headers = headersIn(head);
    const after = rest.slice(head.length);
    const hasNoBody = /^(1..|204|304)$/.test(status ?? "");
    const body = hasNoBody ? { text: "", length: 0 } : bodyAt(after, headers);
    if (body === undefined) return { answers, rest };
    rest = after.slice(body.length);
    // Only says that the rest of the request may be sent.
    if (status === "100") continue;
    const text = Buffer.from(body.text, "latin1").toString();
    answers.push({ httpStatus: Number(status), headers, text });
  }
}

function headersIn(head: string): Headers {
  const lines = head.trimEnd().split("\r\n").slice(1);
  return new Headers(lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  }));
}

/** The body at the beginning of a text, and how much of the text it takes; undefined if it is cut. */
function bodyAt(
  text: string,
  headers: Headers,
): { text: string; length: number } | undefined {
  if (headers.get("transfer-encoding") !== "chunked") {
    const length = Number(headers.get("content-length") ?? text.length);
    return text.length < length ? undefined : { text: text.slice(0, length), length };
  }
  let body = "";
  for (let start = 0;;) {
    const [line, digits = ""] = /^([0-9a-f]+)\r\n/i.exec(text.slice(start)) ?? [];
    if (line === undefined) return undefined;
    const size = Number.parseInt(digits, 16);
    const end = start + line.length + size + 2;
    if (text.length < end) return undefined;
    if (size === 0) return { text: body, length: end };
    body += text.slice(start + line.length, end - 2);
    start = end;
  }
}
