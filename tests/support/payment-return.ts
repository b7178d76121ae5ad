/**
 * The browser of a customer whom Razorpay Checkout sends to payment-return, and back to the page.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { type CallOptions, send } from "./calls.ts";

/** What the page is told. */
export interface Return {
  payment: string | undefined;
  order: string | undefined;
}

/** The page of a stack whose FRONTEND_URL is not set. */
export const PAGE = "http://127.0.0.1:54324/";

/** Posts a form as Checkout does, and reads what the page is told. Other bodies are sent as they are. */
export async function comeBack(
  body: Record<string, string> | string | Uint8Array | ReadableStream<Uint8Array> | undefined,
  { page = PAGE, headers }: { page?: string; headers?: Record<string, string> } = {},
): Promise<Return> {
  const isForm = typeof body === "object" && !(body instanceof Uint8Array) &&
    !(body instanceof ReadableStream);
  const options: CallOptions = {
    body: isForm ? String(new URLSearchParams(body)) : body,
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
  };
  return readReturn(await send("POST", "payment-return", options), page);
}

/** Reads a redirect, and fails if it leads anywhere but to `page` or breaks a promise of every response. */
export async function readReturn(response: Response, page = PAGE): Promise<Return> {
  const { status, headers } = response;
  strictEqual(status, 303);
  strictEqual(await response.text(), "");
  strictEqual(headers.get("cache-control"), "no-store");
  strictEqual(headers.get("x-content-type-options"), "nosniff");
  match(headers.get("x-request-id") ?? "", /^[A-Za-z0-9._-]{8,128}$/);
  for (const [name] of headers) ok(!/^(access-control|set-cookie)/.test(name), name);
  const [address, fragment, ...rest] = (headers.get("location") ?? "").split("#");
  strictEqual(address, page);
  ok(fragment !== undefined);
  deepStrictEqual(rest, []);
  const fields = Object.fromEntries(new URLSearchParams(fragment));
  const { payment, order, ...others } = fields;
  deepStrictEqual(others, {});
  ok(payment === undefined || ["paid", "pending", "failed"].includes(payment), payment);
  ok(order === undefined || /^order_[A-Za-z0-9]{14}$/.test(order), order);
  return { payment, order };
}
