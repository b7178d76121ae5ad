/**
 * What every response of every function guarantees, whatever was sent: a status that the document
 * names, the envelope, and no trace of what is behind it.
 * @module
 */

import { match, ok, strictEqual } from "node:assert/strict";
import { z } from "zod";
import type { Operation } from "shared/contract/operation.ts";
import type { Backend } from "./backend.ts";
import { type Answer, isForPages, parseAnswer } from "./calls.ts";

const document = z.object({
  paths: z.record(
    z.string(),
    z.record(z.string(), z.object({ responses: z.record(z.string(), z.unknown()) })),
  ),
});

const { paths: PATHS } = document.parse(
  JSON.parse(await Deno.readTextFile(new URL("../../openapi.json", import.meta.url))),
);

/** Traces of what is behind the functions. */
const INTERNALS =
  /\b(select|insert into|update|delete from|drop table|relation|column|constraint|violates|syntax|plpgsql|postgres(ql)?|pgrst\d*|sqlstate|rpc|deno|node_modules|undefined|NaN|\w*Error|at \S+:\d+)\b/gi;

/** What was sent, and to which function. */
export interface Sent {
  readonly operation: Operation;
  readonly method: string;
  /** Everything the caller wrote, which a response may repeat. */
  readonly text: string;
}

/**
 * Reads a response, and fails if it breaks one of the guarantees. Returns nothing for a response
 * without a body.
 */
export async function expectGuarantees(
  response: Response,
  { operation, method, text: sent }: Sent,
  { environment, secrets }: Backend,
): Promise<Answer | undefined> {
  const { status: httpStatus, headers } = response;
  const text = await response.text();
  match(headers.get("x-request-id") ?? "", /^[A-Za-z0-9._-]{8,128}$/);
  strictEqual(headers.get("access-control-allow-origin"), isForPages(operation) ? "*" : null);

  const received = `${text}\n${[...headers].join("\n")}`;
  const hidden = [
    environment.DATABASE_URL,
    secrets.secretKey,
    secrets.jwtSecret,
    secrets.sessionKey.d,
    secrets.botSecret,
    secrets.razorpayKeySecret,
    secrets.razorpayWebhookSecret,
    secrets.eventsSecret,
  ];
  for (const secret of hidden) ok(!received.includes(secret), "a response holds a secret");
  if (method === "OPTIONS") {
    strictEqual(`${httpStatus} ${text}`, "204 ");
    return undefined;
  }

  match(headers.get("content-type") ?? "", /^application\/json\b/);
  const responses = PATHS[`/${operation.name}`]?.[operation.method.toLowerCase()]?.responses ?? {};
  ok(
    String(httpStatus) in responses,
    `${operation.name} returned ${httpStatus}, which openapi.json does not list`,
  );
  if (method === "HEAD") {
    strictEqual(`${httpStatus} ${text}`, "405 ");
    return undefined;
  }
  const answer = parseAnswer(response, text);
  for (const [word] of answer.body.message.matchAll(INTERNALS)) {
    ok(sent.toLowerCase().includes(word.toLowerCase()), `${word} in: ${answer.body.message}`);
  }
  return answer;
}
