/**
 * Calls to the functions as a bot or a page makes them, and their answers.
 *
 * The functions run in this process, as the hosted runtime would run them: what is called is the
 * `fetch` that the file exports. Every answer is held to what the contract promises of all answers.
 * @module
 */

import { match, ok, strictEqual } from "node:assert/strict";
import { ERRORS } from "shared/errors.ts";
import { z } from "zod";
import botCredits from "../../supabase/functions/bot-credits/index.ts";
import botDeduct from "../../supabase/functions/bot-deduct/index.ts";
import botLink from "../../supabase/functions/bot-link/index.ts";
import createOrder from "../../supabase/functions/create-order/index.ts";
import creditHistory from "../../supabase/functions/credit-history/index.ts";
import users from "../../supabase/functions/users/index.ts";
import verifyPayment from "../../supabase/functions/verify-payment/index.ts";

const FUNCTIONS = {
  "bot-credits": botCredits,
  "bot-deduct": botDeduct,
  "bot-link": botLink,
  "users": users,
  "credit-history": creditHistory,
  "create-order": createOrder,
  "verify-payment": verifyPayment,
};

/** The functions that can be called here. */
export type FunctionName = keyof typeof FUNCTIONS;

const ERROR_CODES = Object.keys(ERRORS) as (keyof typeof ERRORS)[];

const envelope = z.strictObject({
  status: z.string(),
  message: z.string().min(1),
  data: z.record(z.string(), z.unknown()).optional(),
  code: z.enum(ERROR_CODES).optional(),
});

/** An answer, read whole. */
export interface Answer {
  httpStatus: number;
  headers: Headers;
  body: z.infer<typeof envelope>;
}

/** What a call sends beside its method and address. */
export interface CallOptions {
  /** An object goes out as JSON; text, bytes and streams go out as they are. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Bot functions are shown the bot's secret, unless this is false. */
  asBot?: boolean;
  /** The whole address, where it is not simply the path. */
  address?: string;
}

/** Calls the function that the path names. `path` is what follows `/functions/v1/`. */
export async function call(
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const answer = await readAnswer(await send(method, path, options));
  // A secret in a page is no secret, so what the bot calls is closed to pages. What is open to all
  // of them says so to a caller without an origin too.
  const isOpen = !path.startsWith("bot-") && Deno.env.get("ALLOWED_ORIGINS") === "*";
  strictEqual(answer.headers.get("access-control-allow-origin"), isOpen ? "*" : null);
  return answer;
}

/** As {@linkcode call}, for answers that are not in the envelope. */
export async function send(
  method: string,
  path: string,
  { body, headers, asBot = true, address = `http://127.0.0.1/${path}` }: CallOptions = {},
): Promise<Response> {
  const name = /^[a-z-]+/.exec(path)?.[0];
  if (!isFunctionName(name)) throw new TypeError(`${path} names no function`);
  const request = new Request(address, {
    method,
    headers: {
      ...(asBot && name.startsWith("bot-") && { "x-bot-secret": Deno.env.get("BOT_SECRET") ?? "" }),
      ...headers,
    },
    body: bodyOf(body),
  });
  return await FUNCTIONS[name].fetch(request);
}

/** Reads an answer, and fails where it breaks a promise that every answer keeps. */
export async function readAnswer(response: Response): Promise<Answer> {
  const { headers, status: httpStatus } = response;
  match(headers.get("content-type") ?? "", /^application\/json\b/);
  match(headers.get("x-request-id") ?? "", /^[A-Za-z0-9._-]{8,128}$/);
  const body = envelope.parse(await response.json());
  const isError = body.status === "ERROR";
  strictEqual(httpStatus >= 400, isError, `${httpStatus} with status ${body.status}`);
  strictEqual(body.code !== undefined, isError, "errors have a code, and nothing else has");
  if (body.code !== undefined) strictEqual(httpStatus, ERRORS[body.code].status);
  if (isError) strictEqual(body.data, undefined);
  if (body.code !== undefined && httpStatus >= 500) {
    strictEqual(body.message, ERRORS[body.code].message, "failures say nothing about themselves");
  }
  if ([202, 429, 503].includes(httpStatus)) {
    match(headers.get("retry-after") ?? "", /^[1-9][0-9]*$/);
  }
  return { httpStatus, headers, body };
}

/** Fails unless the answer is this error. Without a message, any sentence will do. */
export function expectError(
  { httpStatus, body }: Answer,
  expected: { httpStatus: number; code: string; message?: string | RegExp },
): void {
  strictEqual(`${httpStatus} ${body.code}`, `${expected.httpStatus} ${expected.code}`);
  if (typeof expected.message === "string") strictEqual(body.message, expected.message);
  if (expected.message instanceof RegExp) match(body.message, expected.message);
}

/** Fails unless the answer is a success, and returns its data. */
export function dataOf({ httpStatus, body }: Answer): Record<string, unknown> {
  strictEqual(`${httpStatus} ${body.status}`, "200 SUCCESS", JSON.stringify(body));
  ok(body.data);
  return body.data;
}

function isFunctionName(name: string | undefined): name is FunctionName {
  return name !== undefined && name in FUNCTIONS;
}

function bodyOf(body: unknown): BodyInit | undefined {
  if (body === undefined || typeof body === "string") return body;
  if (body instanceof Uint8Array || body instanceof ReadableStream) return body as BodyInit;
  return JSON.stringify(body);
}
