/**
 * The one envelope of every response: `{ status, message, data?, code? }`.
 * @module
 */

import { ERRORS, RequestError } from "shared/errors.ts";
import { GatewayError } from "shared/razorpay/gateway-error.ts";

/** What a function replies, before it becomes a `Response`. */
export interface Reply<Data = unknown> {
  /** What went wrong behind the reply; for the log only. */
  readonly error?: unknown;
  /** The user that the reply is about; for the log only. */
  readonly userId?: string | undefined;
  /** The name of Razorpay's event that the reply is about; for the log only. */
  readonly event?: string | undefined;
  readonly httpStatus: number;
  readonly headers?: Record<string, string>;
  /** Sent in place of the body, which is then for the log only. */
  readonly file?: { readonly contentType: string; readonly text: string };
  readonly body: {
    readonly status: string;
    readonly message: string;
    readonly data?: Data;
    readonly code?: string;
  };
}

/** Seconds after which a caller should repeat a request that hit an outage. */
const RETRY_AFTER_SECONDS = "2";

/** 200 with status `SUCCESS`. `replayed` marks the reply to a repeated call. */
export function success<const Data>(
  message: string,
  data: Data,
  { replayed = false, userId, event }: {
    replayed?: boolean;
    userId?: string | undefined;
    event?: string;
  } = {},
): Reply<Data> {
  return {
    userId,
    event,
    httpStatus: 200,
    headers: replayed ? { "idempotent-replayed": "true" } : {},
    body: { status: "SUCCESS", message, data },
  };
}

/** 200 with a CSV file to save. */
export function csvFile(
  name: string,
  text: string,
  { userId }: { userId?: string } = {},
): Reply<never> {
  return {
    userId,
    httpStatus: 200,
    headers: { "content-disposition": `attachment; filename="${name}"` },
    file: { contentType: "text/csv; charset=utf-8", text },
    body: { status: "SUCCESS", message: name },
  };
}

/**
 * 303: sends the browser to `page`, with `data` in the fragment, which stays out of the logs of the
 * page's host. The body is empty; `code` is for the log only.
 */
export function redirect<const Data extends Record<string, string | undefined>>(
  page: URL,
  data: Data,
  { userId, error, code }: {
    userId?: string | undefined;
    error?: unknown;
    code?: string | undefined;
  } = {},
): Reply<Data> {
  const given = Object.entries(data).filter((field): field is [string, string] =>
    field[1] !== undefined
  );
  const url = new URL(page);
  url.hash = "";
  return {
    userId,
    error,
    httpStatus: 303,
    // Also without data there is a fragment: a browser would otherwise keep that of the address it had.
    headers: { location: `${url.href}#${new URLSearchParams(given)}` },
    file: { contentType: "text/plain; charset=utf-8", text: "" },
    body: {
      status: code === undefined ? "SUCCESS" : "ERROR",
      message: "The browser is sent to the page",
      data,
      ...(code !== undefined && { code }),
    },
  };
}

/** 200 with status `INSUFFICIENT_CREDITS`: a valid request that the balance does not cover. */
export function insufficientCredits<Data>(
  message: string,
  data: Data,
  { userId }: { userId?: string } = {},
): Reply<Data> {
  return { userId, httpStatus: 200, body: { status: "INSUFFICIENT_CREDITS", message, data } };
}

/** 202 with status `PENDING`: nothing is wrong, and nothing is done yet; the caller should ask again. */
export function pending(message: string, { error }: { error?: unknown } = {}): Reply<never> {
  return {
    error,
    httpStatus: 202,
    headers: { "retry-after": RETRY_AFTER_SECONDS },
    body: { status: "PENDING", message },
  };
}

/** Returns the reply to a request that ended in `error`. An unexpected error reveals no details. */
export function failure(error: unknown): Reply<never> {
  const known = requestErrorOf(error);
  const { status: httpStatus } = ERRORS[known.code];
  const headers = httpStatus === 503
    ? { "retry-after": RETRY_AFTER_SECONDS, ...known.headers }
    : known.headers;
  return {
    error,
    httpStatus,
    headers,
    body: { status: "ERROR", message: known.message, code: known.code },
  };
}

function requestErrorOf(error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  if (error instanceof GatewayError) {
    return new RequestError(
      error.kind === "unavailable" ? "GATEWAY_UNAVAILABLE" : "GATEWAY_ERROR",
    );
  }
  return new RequestError("INTERNAL");
}
