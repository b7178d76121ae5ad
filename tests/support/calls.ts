/**
 * Calls to the functions as a bot, a page, Razorpay or an operator makes them, and their responses.
 *
 * The functions run in this process, as the hosted runtime would run them: what is called is the
 * `fetch` that the file exports. Every response is checked for what the contract promises of all
 * responses.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { z } from "zod";
import type { Operation } from "shared/contract/operation.ts";
import { OPERATIONS } from "shared/contract/operations.ts";
import { brokenEnvelope, envelope } from "../../local/prove/answers/guarantees.ts";
import adjustCredits from "../../supabase/functions/adjust-credits/index.ts";
import botCapture from "../../supabase/functions/bot-capture/index.ts";
import botCredits from "../../supabase/functions/bot-credits/index.ts";
import botDeduct from "../../supabase/functions/bot-deduct/index.ts";
import botLink from "../../supabase/functions/bot-link/index.ts";
import botPaymentLink from "../../supabase/functions/bot-payment-link/index.ts";
import botPrices from "../../supabase/functions/bot-prices/index.ts";
import botRelease from "../../supabase/functions/bot-release/index.ts";
import botReserve from "../../supabase/functions/bot-reserve/index.ts";
import checkBooks from "../../supabase/functions/check-books/index.ts";
import createOrder from "../../supabase/functions/create-order/index.ts";
import creditHistory from "../../supabase/functions/credit-history/index.ts";
import deliverEvents from "../../supabase/functions/deliver-events/index.ts";
import eraseUser from "../../supabase/functions/erase-user/index.ts";
import endHold from "../../supabase/functions/end-hold/index.ts";
import exportStatement from "../../supabase/functions/export-statement/index.ts";
import findCustomer from "../../supabase/functions/find-customer/index.ts";
import forgiveDebt from "../../supabase/functions/forgive-debt/index.ts";
import freezeUser from "../../supabase/functions/freeze-user/index.ts";
import getOperator from "../../supabase/functions/get-operator/index.ts";
import getCustomer from "../../supabase/functions/get-customer/index.ts";
import listActionsTaken from "../../supabase/functions/list-actions-taken/index.ts";
import listAttention from "../../supabase/functions/list-attention/index.ts";
import listEntries from "../../supabase/functions/list-entries/index.ts";
import mergeUsers from "../../supabase/functions/merge-users/index.ts";
import paymentReturn from "../../supabase/functions/payment-return/index.ts";
import razorpayWebhook from "../../supabase/functions/razorpay-webhook/index.ts";
import reconcilePayments from "../../supabase/functions/reconcile-payments/index.ts";
import refundPayment from "../../supabase/functions/refund-payment/index.ts";
import resendEvents from "../../supabase/functions/resend-events/index.ts";
import salesReport from "../../supabase/functions/sales-report/index.ts";
import settleOrder from "../../supabase/functions/settle-order/index.ts";
import unfreezeUser from "../../supabase/functions/unfreeze-user/index.ts";
import users from "../../supabase/functions/users/index.ts";
import verifyPayment from "../../supabase/functions/verify-payment/index.ts";

const FUNCTIONS = {
  "bot-credits": botCredits,
  "bot-deduct": botDeduct,
  "bot-reserve": botReserve,
  "bot-capture": botCapture,
  "bot-release": botRelease,
  "bot-prices": botPrices,
  "users": users,
  "credit-history": creditHistory,
  "create-order": createOrder,
  "verify-payment": verifyPayment,
  "payment-return": paymentReturn,
  "bot-payment-link": botPaymentLink,
  "bot-link": botLink,
  "razorpay-webhook": razorpayWebhook,
  "reconcile-payments": reconcilePayments,
  "deliver-events": deliverEvents,
  "get-operator": getOperator,
  "settle-order": settleOrder,
  "erase-user": eraseUser,
  "find-customer": findCustomer,
  "get-customer": getCustomer,
  "list-entries": listEntries,
  "adjust-credits": adjustCredits,
  "forgive-debt": forgiveDebt,
  "freeze-user": freezeUser,
  "unfreeze-user": unfreezeUser,
  "refund-payment": refundPayment,
  "merge-users": mergeUsers,
  "end-hold": endHold,
  "resend-events": resendEvents,
  "export-statement": exportStatement,
  "list-actions-taken": listActionsTaken,
  "sales-report": salesReport,
  "list-attention": listAttention,
  "check-books": checkBooks,
};

/** A function of the API. */
export type FunctionName = keyof typeof FUNCTIONS;

/** Every function of the API. */
export const FUNCTION_NAMES = Object.keys(FUNCTIONS) as FunctionName[];

deepStrictEqual(
  FUNCTION_NAMES.toSorted(),
  OPERATIONS.map(({ name }) => name).sort(),
  "tests/support/calls.ts and functions-shared/contract/operations.ts list different functions",
);

/** A response, read whole. */
export interface Answer {
  httpStatus: number;
  headers: Headers;
  body: z.infer<typeof envelope>;
}

/** What a call sends besides its method and address. */
export interface CallOptions {
  /** An object is sent as JSON; text, bytes and streams are sent as they are. */
  body?: unknown;
  headers?: Record<string, string> | undefined;
  /** The bot's functions receive the bot's secret, unless this is false. */
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
  // Where every origin is allowed, a caller without an origin is told so too.
  const isOpen = isForPages(operationOf(nameIn(path))) && Deno.env.get("ALLOWED_ORIGINS") === "*";
  strictEqual(answer.headers.get("access-control-allow-origin"), isOpen ? "*" : null);
  return answer;
}

/** As {@linkcode call}, for responses that are not in the envelope. */
export async function send(
  method: string,
  path: string,
  { body, headers, asBot = true, address = `http://127.0.0.1/${path}` }: CallOptions = {},
): Promise<Response> {
  const name = nameIn(path);
  const isBots = operationOf(name).caller === "bot";
  const request = new Request(address, {
    method,
    headers: {
      ...(isBots && asBot && { "x-bot-secret": Deno.env.get("BOT_SECRET") ?? "" }),
      ...headers,
    },
    body: bodyOf(body),
  });
  return await FUNCTIONS[name].fetch(request);
}

/** What the operator and the scheduler authenticate with. */
export function operatorHeaders(): Record<"apikey", string> {
  const keys = z.object({ default: z.string() })
    .parse(JSON.parse(Deno.env.get("SUPABASE_SECRET_KEYS") ?? ""));
  return { apikey: keys.default };
}

/**
 * Whether pages may call a function. A secret in a page is no secret, so whatever takes one is closed
 * to pages.
 */
export function isForPages({ caller }: Pick<Operation, "caller">): boolean {
  return caller === "owner" || caller === "anyone";
}

/** Reads a response, and fails if it breaks a promise that every response keeps. */
export async function readAnswer(response: Response): Promise<Answer> {
  return parseAnswer(response, await response.text());
}

/** As {@linkcode readAnswer}, for a response whose body has been read already. */
export function parseAnswer(
  { headers, status: httpStatus }: Pick<Response, "headers" | "status">,
  text: string,
): Answer {
  match(headers.get("x-request-id") ?? "", /^[A-Za-z0-9._-]{8,128}$/);
  strictEqual(headers.get("cache-control"), "no-store");
  strictEqual(headers.get("x-content-type-options"), "nosniff");
  deepStrictEqual(brokenEnvelope({ httpStatus, headers, text }), []);
  const body = envelope.parse(JSON.parse(text));
  return { httpStatus, headers, body };
}

/** Fails unless the response is this error. Without a message, any sentence will do. */
export function expectError(
  { httpStatus, body }: Answer,
  expected: { httpStatus: number; code: string; message?: string | RegExp },
): void {
  strictEqual(`${httpStatus} ${body.code}`, `${expected.httpStatus} ${expected.code}`);
  if (typeof expected.message === "string") strictEqual(body.message, expected.message);
  if (expected.message instanceof RegExp) match(body.message, expected.message);
}

/** Fails unless the response is a success, and returns its data. */
export function dataOf({ httpStatus, body }: Answer): Record<string, unknown> {
  strictEqual(`${httpStatus} ${body.status}`, "200 SUCCESS", JSON.stringify(body));
  ok(body.data);
  return body.data;
}

function nameIn(path: string): FunctionName {
  const name = /^[a-z-]+/.exec(path)?.[0];
  if (!isFunctionName(name)) throw new TypeError(`${path} names no function`);
  return name;
}

function isFunctionName(name: string | undefined): name is FunctionName {
  return name !== undefined && name in FUNCTIONS;
}

/** The contract of a function. */
export function operationOf(name: FunctionName): Operation {
  const operation = OPERATIONS.find((operation) => operation.name === name);
  ok(operation);
  return operation;
}

function bodyOf(body: unknown): BodyInit | null {
  if (body === undefined) return null;
  if (typeof body === "string") return body;
  if (body instanceof Uint8Array || body instanceof ReadableStream) return body as BodyInit;
  return JSON.stringify(body);
}
