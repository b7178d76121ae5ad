/**
 * What every answer of every function guarantees, whatever was sent: a status and a body that the
 * document has, the envelope, the headers, and no trace of what is behind it.
 * @module
 */

import { z } from "zod";
import type { Operation } from "shared/contract/operation.ts";
import { type ErrorCode, ERRORS } from "shared/errors.ts";
import { parseJson } from "../../system/json.ts";
import { REPOSITORY } from "../../system/settings.ts";
import { undocumented } from "./document.ts";

const ERROR_CODES = Object.keys(ERRORS) as ErrorCode[];

/** The envelope of every answer with a JSON body. */
export const envelope = z.strictObject({
  status: z.string().regex(/^[A-Z_]+$/),
  message: z.string().min(1).max(500),
  data: z.record(z.string(), z.unknown()).optional(),
  code: z.enum(ERROR_CODES).optional(),
});

/** An answer as it arrived. */
export interface ReceivedAnswer {
  readonly httpStatus: number;
  readonly headers: Headers;
  readonly text: string;
}

/** What was sent, and to which function. */
export interface Sent {
  readonly operation: Operation;
  readonly method: string;
  /** Whether the field that may be a segment of the path was one. */
  readonly hasPathField: boolean;
  /** The origin of the page that sent it, if a page did. */
  readonly origin?: string | undefined;
  /** Everything the caller wrote, which an answer may repeat. */
  readonly text: string;
}

/** The settings that answers depend on, and what no answer may hold. */
export interface Behind {
  /** See docs/configuration.md. */
  readonly allowedOrigins: string;
  readonly consoleOrigin: string;
  readonly frontendUrl: string;
  readonly secrets: readonly string[];
}

/** Traces of what is behind the functions, which a message has only if the caller wrote them. */
const INTERNALS =
  /\b(select|insert into|update|delete from|drop table|relation|column|constraint|violates|syntax|plpgsql|postgres(ql)?|pgrst\d*|sqlstate|rpc|deno|node_modules|undefined|NaN|\w*Error|at \S+:\d+)\b/gi;

/** Every header that an answer may have. Another one would say what serves it. */
const HEADERS = new Set([
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
  "access-control-expose-headers",
  "access-control-max-age",
  "allow",
  "cache-control",
  "connection",
  "content-disposition",
  "content-length",
  "content-type",
  "date",
  "idempotent-replayed",
  "location",
  "retry-after",
  "transfer-encoding",
  "vary",
  "x-content-type-options",
  "x-request-id",
]);

/** Says which of the guarantees an answer breaks. */
export function brokenGuarantees(answer: ReceivedAnswer, sent: Sent, behind: Behind): string[] {
  return [
    ...leaks(`${answer.text}\n${[...answer.headers].join("\n")}`, behind),
    ...wrongHeaders(answer, sent, behind),
    ...wrongBody(answer, sent, behind),
  ];
}

/** Says what there is in received text that must not be in any. */
export function leaks(received: string, { secrets }: Behind): string[] {
  return [
    ...secrets.filter((secret) => received.includes(secret)).map(() => "the answer holds a secret"),
    ...received.includes(REPOSITORY) ? ["the answer holds a path of the server"] : [],
  ];
}

function wrongHeaders(
  { headers }: ReceivedAnswer,
  { operation, origin }: Sent,
  behind: Behind,
): string[] {
  const faults = [...headers.keys()]
    .filter((name) => !HEADERS.has(name))
    .map((name) => `the header ${name} is not documented`);
  if (!/^[A-Za-z0-9._-]{8,128}$/.test(headers.get("x-request-id") ?? "")) {
    faults.push("x-request-id is missing or malformed");
  }
  const expected: Record<string, string | null> = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "access-control-allow-origin": allowedOrigin(operation, origin, behind),
  };
  for (const [name, value] of Object.entries(expected)) {
    if (headers.get(name) !== value) faults.push(`${name} is ${headers.get(name)}, not ${value}`);
  }
  return faults;
}

/**
 * The origin whose pages may read an answer. A secret in a page is no secret, so whatever takes one is
 * closed to pages; what operators may call with a session is for the console.
 */
function allowedOrigin(
  { caller, operatorRole }: Operation,
  origin: string | undefined,
  { allowedOrigins, consoleOrigin }: Behind,
): string | null {
  if (caller === "owner" || caller === "anyone") {
    if (allowedOrigins === "*") return "*";
    return origin !== undefined && allowedOrigins.split(",").includes(origin) ? origin : null;
  }
  return operatorRole !== undefined && origin === consoleOrigin ? consoleOrigin : null;
}

function wrongBody(answer: ReceivedAnswer, sent: Sent, { frontendUrl }: Behind): string[] {
  const { httpStatus, headers, text } = answer;
  const { operation, method } = sent;
  if (method === "OPTIONS") return httpStatus === 204 && text === "" ? [] : ["no preflight answer"];
  if (operation.redirects && httpStatus === 303) {
    const location = headers.get("location") ?? "";
    const isOurs = location.startsWith(`${frontendUrl}#`) && text === "";
    return isOurs ? [] : [`a browser is sent to ${location}`];
  }
  const { name, pathField } = operation;
  const path = sent.hasPathField && pathField ? `/${name}/{${pathField}}` : `/${name}`;
  if (method === "HEAD") {
    return [400, 404, 405].includes(httpStatus) && text === ""
      ? []
      : [`HEAD got ${httpStatus} ${text}`];
  }
  const type = headers.get("content-type") ?? "";
  if (operation.fileType !== undefined && type.startsWith(operation.fileType)) {
    return undocumented(path, operation.method, { httpStatus, headers, body: text });
  }
  const faults = brokenEnvelope(answer);
  if (faults.length > 0) return faults;
  const body = envelope.parse(JSON.parse(text));
  const written = sent.text.toLowerCase();
  const internal = Array.from(body.message.matchAll(INTERNALS), ([word]) => word)
    .filter((word) => !written.includes(word.toLowerCase()));
  return [
    ...internal.map((word) => `${word} in: ${body.message}`),
    ...undocumented(path, operation.method, { httpStatus, headers, body }),
  ];
}

/** Says in what an answer breaks the promises of the envelope, which every answer with JSON keeps. */
export function brokenEnvelope({ httpStatus, headers, text }: ReceivedAnswer): string[] {
  const parsed = envelope.safeParse(parseJson(text));
  if (!parsed.success) return [`the body is not in the envelope: ${text.slice(0, 500)}`];
  const { status, message, data, code } = parsed.data;
  const isError = status === "ERROR";
  const is = (name: string, pattern: RegExp) => pattern.test(headers.get(name) ?? "");
  const promises: [kept: boolean, broken: string][] = [
    [is("content-type", /^application\/json\b/), "the type is not JSON"],
    [httpStatus >= 400 === isError, `${httpStatus} with status ${status}`],
    [(code !== undefined) === isError, "errors have a code, and nothing else has"],
    [code === undefined || httpStatus === ERRORS[code].status, `${code} with ${httpStatus}`],
    [!isError || data === undefined, "an error has data"],
    [
      code === undefined || httpStatus < 500 || message === ERRORS[code].message,
      `a failure says something about itself: ${message}`,
    ],
    [
      ![202, 429, 503].includes(httpStatus) || is("retry-after", /^[1-9][0-9]*$/),
      "retry-after is missing",
    ],
  ];
  return promises.filter(([kept]) => !kept).map(([, broken]) => broken);
}
