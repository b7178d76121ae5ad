/**
 * The one envelope of every answer: `{ status, message, data?, code? }`.
 * @module
 */

import { ERRORS, RequestError } from "shared/errors.ts";

/** What a function answers, before it becomes a `Response`. */
export interface Reply<Data = unknown> {
  /** What went wrong behind an answer; for the log only. */
  readonly error?: unknown;
  /** Whom the answer is about; for the log only. */
  readonly userId?: string;
  readonly httpStatus: number;
  readonly headers?: Record<string, string>;
  readonly body: {
    readonly status: string;
    readonly message: string;
    readonly data?: Data;
    readonly code?: string;
  };
}

/** Seconds after which a caller should repeat a request that met an outage. */
const RETRY_AFTER_SECONDS = "2";

/** 200 with status `SUCCESS`. `replayed` marks the answer to a call that was made before. */
export function success<const Data>(
  message: string,
  data: Data,
  { replayed = false, userId }: { replayed?: boolean; userId?: string } = {},
): Reply<Data> {
  return {
    userId,
    httpStatus: 200,
    headers: replayed ? { "idempotent-replayed": "true" } : {},
    body: { status: "SUCCESS", message, data },
  };
}

/** 200 with status `INSUFFICIENT_CREDITS`: the request was fine, the answer is no. */
export function insufficientCredits<Data>(
  message: string,
  data: Data,
  { userId }: { userId?: string } = {},
): Reply<Data> {
  return { userId, httpStatus: 200, body: { status: "INSUFFICIENT_CREDITS", message, data } };
}

/** 202 with status `PENDING`: nothing is wrong and nothing is done yet; ask again. */
export function pending(message: string, { error }: { error?: unknown } = {}): Reply<never> {
  return {
    error,
    httpStatus: 202,
    headers: { "retry-after": RETRY_AFTER_SECONDS },
    body: { status: "PENDING", message },
  };
}

/** The answer to a request that ended in `error`; an unknown error says nothing about itself. */
export function failure(error: unknown): Reply<never> {
  const known = error instanceof RequestError
    ? error
    : new RequestError("INTERNAL", { cause: error });
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
