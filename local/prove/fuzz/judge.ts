/**
 * Says what is wrong with the answers to a request.
 * @module
 */

import { parseJson } from "../../system/json.ts";
import {
  type Behind,
  brokenGuarantees,
  envelope,
  leaks,
  type ReceivedAnswer,
} from "../answers/guarantees.ts";
import type { Attempt } from "./requests.ts";
import { mayCall, mayReadOfEverybody, type SecondFactor } from "./rights.ts";
import type { Exchange } from "./socket.ts";
import { identitiesOf, type World } from "./world.ts";

/** What the answers to a request say. */
export interface Verdict {
  readonly faults: readonly string[];
  /** The kind of each answer of a function: `bot-deduct 200 SUCCESS`. */
  readonly kinds: readonly string[];
  /** The kinds of those that say that something cannot be reached just now, and when to try again. */
  readonly outages: readonly string[];
}

/** The settings that the answers of a part of a run depend on. */
export interface Settings extends Behind {
  readonly secondFactor: SecondFactor;
}

/** With a larger body, a connection may be reset before its answer has been read. */
const LARGE_BODY_BYTES = 8 * 1024;

/**
 * What Razorpay gets for a signed event about a payment that is not in its documented shape, so that it
 * sends it again. The log says whether that was the cause.
 */
const UNREADABLE_WEBHOOK = "razorpay-webhook 500 INTERNAL";

/** More than the server reads of the headers of a request. */
const LARGE_HEAD_BYTES = 50_000;

/** How a server that also speaks HTTP/2 begins its part of a connection. */
// deno-lint-ignore no-control-regex
const HTTP2_SETTINGS = /^\0\0.\x04/s;

/** An answer that a server has begun. */
const BEGINNING = /^HTTP\/1\.[01] \d{3} /;

/** What the gateway refuses without a function, in place of the platform. */
const GATEWAY_REFUSALS = [
  "404 NOT_FOUND Requested function was not found",
  "404 NOT_FOUND Nothing is served here.",
  "405 METHOD_NOT_ALLOWED Nothing here supports this method.",
  "421 MISDIRECTED_REQUEST This stack serves the hosts 127.0.0.1 and localhost only.",
];

/** Judges the answer of a function. */
function judge(
  attempt: Attempt,
  answer: ReceivedAnswer,
  settings: Settings,
  world: World,
): Verdict {
  const { operation, method, hasPathField, headers } = attempt;
  const text = textOf(attempt);
  const origin = headers.find(([name]) => name === "origin")?.[1];
  const sent = { operation, method, hasPathField, origin, text };
  const code = envelope.safeParse(parseJson(answer.text)).data;
  const isOutage = answer.httpStatus === 503 && answer.headers.has("retry-after");
  const kind = `${operation.name} ${answer.httpStatus} ${code?.code ?? code?.status ?? ""}`.trim();
  return {
    kinds: [kind],
    outages: isOutage ? [kind] : [],
    faults: [
      ...brokenGuarantees(answer, sent, settings),
      // Nothing is down in a run, so nothing may fail, and an outage must be over the next time.
      ...answer.httpStatus >= 500 && kind !== UNREADABLE_WEBHOOK && !isOutage
        ? [`it fails: ${kind}`]
        : [],
      ...isServed(answer) && !mayCall(attempt, world, settings.secondFactor)
        ? [`somebody is served who may not call it: ${kind}`]
        : [],
      ...foreignIdentities(attempt, answer, text, settings, world),
    ],
  };
}

/** Whether a function did what it is there for. */
function isServed({ httpStatus }: ReceivedAnswer): boolean {
  // A preflight gets 204.
  return httpStatus < 300 && httpStatus !== 204;
}

/** Judges what came back, over a connection or to a proper client. */
export function judgeExchange(
  attempt: Attempt,
  { answers, rest, isStuck, isClosed }: Exchange,
  { isMangled }: { readonly isMangled: boolean },
  settings: Settings,
  world: World,
): Verdict {
  const { target } = attempt;
  const faults: string[] = [];
  const kinds: string[] = [];
  const outages: string[] = [];
  if (isStuck) faults.push("the connection was neither answered nor closed");
  // A server that closes a connection with bytes left to read resets it, which cuts off its answer (RFC
  // 9112, section 9.6).
  const mayBeCut = isClosed || isMangled;
  const mayBeNoAnswer = isMangled && HTTP2_SETTINGS.test(rest) || mayBeCut && BEGINNING.test(rest);
  if (rest !== "" && !mayBeNoAnswer) {
    const request = isMangled ? "a broken request" : "a whole request";
    faults.push(`these bytes are no answer to ${request}: ${JSON.stringify(rest.slice(0, 500))}`);
  }
  faults.push(...leaks(rest, settings));
  const head = attempt.headers.reduce((size, [, { length }]) => size + length, target.length);
  const mayBeRefused = isMangled || head > LARGE_HEAD_BYTES;
  const mayBeUnanswered = isMangled || (attempt.body?.length ?? 0) > LARGE_BODY_BYTES;
  if (answers.length === 0 && !mayBeUnanswered) faults.push("there was no answer");
  for (const answer of answers) {
    if (mayBeRefused && isOfGateway(answer)) continue;
    const verdict = judge(attempt, answer, settings, world);
    faults.push(...verdict.faults);
    kinds.push(...verdict.kinds);
    outages.push(...verdict.outages);
  }
  return { faults, kinds, outages };
}

/**
 * Whether the server or the gateway answered a request that is none, by a refusal, or by the list of the
 * functions if what was damaged is the path.
 */
function isOfGateway({ httpStatus, headers, text }: ReceivedAnswer): boolean {
  if (headers.has("x-request-id")) return false;
  if (text === "") return httpStatus >= 400 && httpStatus < 500 || httpStatus === 505;
  const { code, message, functions, ...others } = Object(parseJson(text));
  if (Object.keys(others).length > 0) return false;
  return functions === undefined
    ? GATEWAY_REFUSALS.includes(`${httpStatus} ${code} ${message}`)
    : httpStatus === 200 && code === undefined;
}

/** Everything that was written, as the function reads it. */
function textOf({ target, headers, body }: Attempt): string {
  const written = headers.map(([name, value]) => `${name}: ${value}`);
  return [decoded(target), ...written, new TextDecoder().decode(body)].join("\n");
}

function decoded(target: string): string {
  try {
    return decodeURIComponent(target);
  } catch {
    return target;
  }
}

/** A phone number in India, in digits, or a WhatsApp user id as the customers have them. */
const IDENTITY = /[0-9]{12}|IN\.[0-9a-f]{32}/g;

/** Finds whom customers are in an answer to somebody who neither knows nor may read it. */
function foreignIdentities(
  attempt: Attempt,
  { text }: ReceivedAnswer,
  sent: string,
  { secondFactor }: Settings,
  world: World,
): string[] {
  if (mayReadOfEverybody(attempt, world, secondFactor)) return [];
  const { headers, about } = attempt;
  const presented = headers.map(([, value]) => value.replace(/^Bearer /, ""));
  // People write numbers with spaces and dashes in between, and without the country.
  const digits = sent.replaceAll(/[^0-9]/g, "");
  const isWritten = (identity: string) =>
    identity.startsWith("IN.") ? sent.includes(identity) : digits.includes(identity.slice(2));
  const own = about
    .filter(({ linkToken, session }) => presented.some((v) => v === linkToken || v === session))
    .flatMap(identitiesOf);
  return [...new Set(text.match(IDENTITY))]
    .filter((identity) => world.identities.has(identity))
    .filter((identity) => !own.includes(identity) && !isWritten(identity))
    .map((identity) => `the answer holds the identity of somebody else: ${identity}`);
}
