/**
 * What every answer of every function keeps, whatever was sent: a status that the document names, the
 * envelope, and not a word about what is behind it.
 * @module
 */

import { match, ok, strictEqual } from "node:assert/strict";
import { z } from "zod";
import type { Operation } from "shared/contract/operation.ts";
import { ERRORS } from "shared/errors.ts";
import type { Backend } from "./backend.ts";

const Document = z.object({
  paths: z.record(
    z.string(),
    z.record(z.string(), z.object({ responses: z.record(z.string(), z.unknown()) })),
  ),
});

const { paths: PATHS } = Document.parse(
  JSON.parse(await Deno.readTextFile(new URL("../../openapi.json", import.meta.url))),
);

const envelope = z.strictObject({
  status: z.string().regex(/^[A-Z_]+$/),
  message: z.string().min(1).max(500),
  data: z.record(z.string(), z.unknown()).optional(),
  code: z.string().optional(),
});

/** Traces of what is behind the functions. */
const INSIDES =
  /\b(select|insert into|update|delete from|drop table|relation|column|constraint|violates|syntax|plpgsql|postgres(ql)?|pgrst\d*|sqlstate|rpc|deno|node_modules|undefined|NaN|\w*Error|at \S+:\d+)\b/gi;

/** What was sent, and who it was sent to. */
export interface Sent {
  readonly operation: Operation;
  readonly method: string;
  /** All that the caller wrote, for what an answer may repeat. */
  readonly text: string;
}

/** An answer that keeps the promises. */
export interface KeptAnswer {
  readonly httpStatus: number;
  readonly headers: Headers;
  readonly body: z.infer<typeof envelope>;
}

/** Reads an answer, and fails where it breaks one of the promises. */
export async function expectPromises(
  answer: Response,
  { operation, method, text: sent }: Sent,
  { environment, secrets }: Backend,
): Promise<KeptAnswer | undefined> {
  const { status: httpStatus, headers } = answer;
  const text = await answer.text();
  match(headers.get("x-request-id") ?? "", /^[A-Za-z0-9._-]{8,128}$/);
  const isForPages = operation.caller === "owner" || operation.caller === "anyone";
  strictEqual(headers.get("access-control-allow-origin"), isForPages ? "*" : null);

  const said = `${text}\n${[...headers].join("\n")}`;
  const hidden = [
    environment.DATABASE_URL,
    secrets.secretKey,
    secrets.jwtSecret,
    secrets.sessionKey.d,
    secrets.botSecret,
    secrets.razorpayKeySecret,
    secrets.razorpayWebhookSecret,
  ];
  for (const secret of hidden) ok(!said.includes(secret), "an answer holds a secret");
  if (method === "OPTIONS") {
    strictEqual(`${httpStatus} ${text}`, "204 ");
    return undefined;
  }

  match(headers.get("content-type") ?? "", /^application\/json\b/);
  const { responses } = PATHS[`/${operation.name}`][operation.method.toLowerCase()];
  ok(String(httpStatus) in responses, `${operation.name} answers ${httpStatus}, says nowhere`);
  if (method === "HEAD") {
    strictEqual(`${httpStatus} ${text}`, "405 ");
    return undefined;
  }
  const body = envelope.parse(JSON.parse(text));
  strictEqual(body.status === "ERROR", httpStatus >= 400);
  if (body.code !== undefined) {
    strictEqual(
      Object.entries(ERRORS).find(([code]) => code === body.code)?.[1].status,
      httpStatus,
    );
  }
  for (const [word] of body.message.matchAll(INSIDES)) {
    ok(sent.toLowerCase().includes(word.toLowerCase()), `${word} in: ${body.message}`);
  }
  return { httpStatus, headers, body };
}
