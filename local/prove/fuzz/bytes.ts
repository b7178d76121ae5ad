/**
 * Requests as bytes on a connection, and what is done to them on the way: broken request lines, cut
 * bodies, wrong lengths, nonsense in chunks, floods of headers, slow bytes, and bytes from nowhere.
 * @module
 */

import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { Attempt } from "./requests.ts";

/** What is written to one connection. */
export interface Wire {
  /** Written one after the other, with a pause in between. */
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
  readonly pauseMs: number;
  /** Whether the writing side is closed at once, or stays open for as long as an answer may take. */
  readonly end: "close" | "wait";
  /** How many answers may come; after them, nothing is read any more. */
  readonly answers: number;
  /** Whether the server may refuse it, or close the connection, without asking a function. */
  readonly isMangled: boolean;
}

/** A request in parts. Text has one character for each byte. */
interface Message {
  line: string;
  headers: string[];
  body: string;
}

/** Something that is done to a request on its way. */
export type Damage = (attempt: Attempt, host: string) => Wire;

const CRLF = "\r\n";

function messageOf({ method, target, headers, body }: Attempt, host: string): Message {
  return {
    line: `${method} ${target} HTTP/1.1`,
    headers: [
      `host: ${host}`,
      "connection: close",
      ...headers.map(([name, value]) => `${name}: ${value}`),
      ...body === undefined ? [] : [`content-length: ${body.length}`],
    ],
    body: body === undefined ? "" : textOf(body),
  };
}

/** Bytes as text of as many characters, and back. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

const written = ({ line, headers, body }: Message) => [line, ...headers, "", body].join(CRLF);

const wire = (text: string, options: Partial<Wire> = {}): Wire => ({
  parts: [bytesOf(text)],
  pauseMs: 0,
  end: "wait",
  answers: 1,
  isMangled: true,
  ...options,
});

/** Changes parts of a request before it is written. */
function changed(change: (message: Message) => void): Damage {
  return (attempt, host) => {
    const message = messageOf(attempt, host);
    change(message);
    return wire(written(message));
  };
}

const withLine = (change: (line: string, message: Message) => string): Damage =>
  changed((message) => {
    message.line = change(message.line, message);
  });

const withHeaders = (...headers: string[]): Damage =>
  changed((message) => {
    message.headers.push(...headers);
  });

/** Says something else about the length of the body. */
const withLength = (...lengths: string[]): Damage =>
  changed((message) => {
    message.headers = message.headers.filter((header) => !/^content-length:/.test(header));
    message.headers.push(...lengths);
  });

const LINES: readonly Damage[] = [
  withLine((line) => line.replace(/ HTTP.*/, "")),
  withLine((line) => line.replace(/1\.1$/, "1.0")),
  withLine((line) => line.replace(/1\.1$/, "0.9")),
  withLine((line) => line.replace(/1\.1$/, "2.0")),
  withLine((line) => line.replace(/1\.1$/, "1.1 ")),
  withLine((line) => line.replace("HTTP", "http")),
  withLine((line) => line.replaceAll(" ", "  ")),
  withLine((line) => line.replaceAll(" ", "\t")),
  withLine((line) => line.toLowerCase().replace("http/", "HTTP/")),
  withLine((line) => line.replace(/^\S+/, "CONNECT")),
  withLine((line) => line.replace(/^\S+/, "TRACE")),
  withLine((line) => line.replace(/^\S+/, "G\u00cbT")),
  withLine((line) => line.replace(/^\S+/, "")),
  withLine((line) => line.replace(/^\S+/, "A".repeat(20_000))),
  withLine((line) => line.replace(/ \S+/, " *")),
  withLine((line) => line.replace(/ \S+/, " nowhere")),
  withLine((line) => line.replace(/ \//, " //elsewhere.example/")),
  withLine((line) => line.replace(/ \//, " http://elsewhere.example/")),
  withLine((line) => line.replace(/ \S+/, "$&\u0000")),
  withLine((line) => line.replace(/ \S+/, "$&\u00ff")),
  withLine((line) => line.replace(/ \S+/, "$&\\..\\%5c")),
  withLine((line) => line.replace(/ \S+/, (target) => target + "/x".repeat(60_000))),
  withLine((line) => line.replace("/functions/", "/function/")),
  withLine((line) => line.replace(/\/v1\/[^/? ]+/, "/v1/no-function")),
  withLine((line) => `${CRLF}${CRLF}${line}`),
  withLine((line) => `${line}\n${line}`),
];

const HEADERS: readonly Damage[] = [
  withHeaders("no colon"),
  withHeaders(": no name"),
  withHeaders("a name: value"),
  withHeaders("name : value"),
  withHeaders("x-folded: one", " two"),
  withHeaders("x-null: a\u0000b"),
  withHeaders("x-return: a\rb"),
  withHeaders("x-feed: a\nx-bot-secret: b"),
  withHeaders("n\u00e4me: value"),
  withHeaders("host: elsewhere.example"),
  withHeaders("expect: 100-continue"),
  withHeaders("expect: nonsense"),
  withHeaders("upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13"),
  withHeaders("upgrade: h2c", "connection: upgrade, http2-settings", "http2-settings: AAMAAABk"),
  withHeaders("content-encoding: gzip"),
  withHeaders("x-bot-secret: guess"),
  withHeaders("apikey: guess"),
  withHeaders("authorization: Bearer a.b.c"),
  withHeaders("x-razorpay-signature: 00"),
  withHeaders("content-type: text/html"),
  withHeaders("x-request-id: first-request", "x-request-id: second-request"),
  changed((message) => {
    message.headers = message.headers.filter((header) => !header.startsWith("host:"));
  }),
  changed((message) => {
    message.headers[0] = "host: elsewhere.example";
  }),
  changed((message) => {
    message.headers[0] = "host: [::1";
  }),
  changed((message) => {
    message.headers = message.headers.flatMap((header) => [header, header]);
  }),
];

/** More headers, or longer ones, than anybody needs. */
const floods: fc.Arbitrary<Damage> = fc.tuple(
  fc.constantFrom(60, 99, 100, 101, 2_000),
  fc.constantFrom(1, 60, 4_000),
).map(([count, length]) =>
  withHeaders(...Array.from(
    { length: Math.min(count, Math.ceil(500_000 / length)) },
    (_, index) => `x-${index}: ${"x".repeat(length)}`,
  ))
);

const LENGTHS: readonly Damage[] = [
  withLength("content-length: -1"),
  withLength("content-length: +5"),
  withLength("content-length: 0x10"),
  withLength("content-length: 1e3"),
  withLength("content-length: 99999999999999999999999"),
  withLength("content-length: 18446744073709551615"),
  withLength("content-length: "),
  withLength("content-length: 5, 5"),
  withLength("content-length: 0"),
  withLength("content-length: 1"),
  withLength("content-length: 5", "content-length: 6"),
  withLength("content-length: 5", "transfer-encoding: chunked"),
  withLength("transfer-encoding: identity"),
  withLength("transfer-encoding: gzip, chunked"),
  withLength("transfer-encoding: chunked, chunked"),
  withLength("transfer-encoding : chunked"),
  withLength(),
];

/** A body in chunks, of which each is written by this function. */
const chunked = (
  size: number,
  write: (chunk: string, index: number) => string,
  last = `0${CRLF}${CRLF}`,
  isMangled = true,
): Damage =>
(attempt, host) => {
  const message = messageOf(attempt, host);
  message.headers = message.headers.filter((header) => !/^content-length:/.test(header));
  message.headers.push("transfer-encoding: chunked");
  const chunks = message.body.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
  message.body = chunks.map(write).join("") + last;
  return wire(written(message), { isMangled });
};

const chunk = (text: string) => `${text.length.toString(16)}${CRLF}${text}${CRLF}`;

const chunks: fc.Arbitrary<Damage> = fc.integer({ min: 1, max: 200 }).chain((size) =>
  fc.constantFrom(
    chunked(size, chunk, undefined, false),
    chunked(size, chunk, undefined, false),
    chunked(size, (text) => `${text.length.toString(16)};name="value"${CRLF}${text}${CRLF}`),
    chunked(size, (text) => `${(text.length + 1).toString(16)}${CRLF}${text}${CRLF}`),
    chunked(size, (text) => `${text.length.toString(16)}${text}`),
    chunked(size, (text) => `-${chunk(text)}`),
    chunked(size, (text) => `+${chunk(text)}`),
    chunked(size, (text) => `0x${chunk(text)}`),
    chunked(size, (text, index) => index === 1 ? `FFFFFFFFFFFFFFFF${CRLF}` : chunk(text)),
    chunked(size, (text, index) => index === 1 ? `FFFFFFFFFFFFFFFFF${CRLF}` : chunk(text)),
    chunked(size, (text, index) => index === 1 ? "zz" : chunk(text)),
    chunked(size, chunk, ""),
    chunked(size, chunk, `0${CRLF}`),
    chunked(size, chunk, `0${CRLF}x-trailer: a${CRLF}${CRLF}`),
    chunked(size, chunk, `0${CRLF}${"x".repeat(30_000)}`),
    chunked(size, chunk, `0;${"x".repeat(30_000)}${CRLF}${CRLF}`),
  )
);

/** Written as it should be. */
const whole: Damage = (attempt, host) =>
  wire(written(messageOf(attempt, host)), { isMangled: false });

/** The connection ends somewhere in the request. */
const cut: fc.Arbitrary<Damage> = fc.double({ min: 0, max: 0.999, noNaN: true }).map(
  (share) => (attempt, host) => {
    const text = written(messageOf(attempt, host));
    return wire(text.slice(0, Math.floor(text.length * share)), { end: "close" });
  },
);

/** A few bytes arrive as others. */
const flipped: fc.Arbitrary<Damage> = fc.array(
  fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(255)),
  { minLength: 1, maxLength: 6 },
).map((flips) => (attempt, host) => {
  const bytes = bytesOf(written(messageOf(attempt, host)));
  for (const [share, byte] of flips) bytes[Math.floor(bytes.length * share)] = byte;
  return wire("", { parts: [bytes] });
});

/** The request arrives a few bytes at a time, and takes up to a second. */
const slow: fc.Arbitrary<Damage> = fc.tuple(
  fc.integer({ min: 2, max: 60 }),
  fc.integer({ min: 1, max: 15 }),
).map(([count, pauseMs]) => (attempt, host) => {
  const bytes = bytesOf(written(messageOf(attempt, host)));
  const size = Math.ceil(bytes.length / count);
  const parts = Array.from(
    { length: count },
    (_, index) => bytes.subarray(index * size, (index + 1) * size),
  ).filter(({ length }) => length > 0);
  return wire("", { parts, pauseMs, isMangled: false });
});

/**
 * The end of the body never arrives, until the server gives it up. Each takes as long as the functions
 * wait for a body, so it is not drawn as often as the others.
 */
export const STALLED: Damage = (attempt, host) => {
  const message = messageOf(attempt, host);
  const length = message.body.length + 10;
  message.headers = message.headers.filter((header) => !/^content-length:/.test(header));
  message.headers.push(`content-length: ${length}`);
  return wire(written(message), { isMangled: false });
};

/** Several requests in one go, the first of which say nothing about the connection. */
const pipelined: fc.Arbitrary<Damage> = fc.integer({ min: 2, max: 4 }).map(
  (count) => (attempt, host) => {
    const message = messageOf(attempt, host);
    const last = written(message);
    message.headers.splice(1, 1);
    const text = written(message).repeat(count - 1) + last;
    return wire(text, { answers: count, isMangled: false });
  },
);

const TLS_HELLO = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
const HTTP2_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/** Bytes that no request is behind. */
const nothing: fc.Arbitrary<Damage> = fc.tuple(
  fc.oneof(
    fc.uint8Array({ maxLength: 600 }).map((bytes) => textOf(bytes)),
    fc.constantFrom(
      "",
      CRLF.repeat(500),
      "\0".repeat(100),
      TLS_HELLO,
      HTTP2_PREFACE,
      "GET",
      "GET /",
      "x".repeat(200_000),
      "EHLO example.com\r\n",
    ),
  ),
  fc.constantFrom<Wire["end"]>("close", "wait"),
).map(([text, end]) => () => wire(text, { end }));

/** Any way for a request to arrive over a connection. */
export const anyDamage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 30, arbitrary: fc.constant(whole) },
  { weight: 26, arbitrary: fc.constantFrom(...LINES) },
  { weight: 25, arbitrary: fc.constantFrom(...HEADERS) },
  { weight: 4, arbitrary: floods },
  { weight: 17, arbitrary: fc.constantFrom(...LENGTHS) },
  { weight: 20, arbitrary: chunks },
  { weight: 20, arbitrary: cut },
  { weight: 20, arbitrary: flipped },
  { weight: 6, arbitrary: slow },
  { weight: 8, arbitrary: pipelined },
  { weight: 8, arbitrary: nothing },
);
