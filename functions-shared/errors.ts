/**
 * Every error that a caller can receive: its code, its HTTP status and its sentence.
 *
 * The code is stable and meant for machines; the sentence is for people and may name the field.
 * @module
 */

/** Status and default sentence of each error code. */
export const ERRORS = {
  INVALID_REQUEST: { status: 400, message: "The request is not valid" },
  MISSING_FIELD: { status: 400, message: "A required field is missing" },
  INVALID_JSON: { status: 400, message: "The request body must be a JSON object" },
  INVALID_SIGNATURE: { status: 400, message: "Invalid payment signature" },
  ORDER_MISMATCH: { status: 400, message: "The payment does not belong to this order" },
  MISSING_BOT_SECRET: { status: 401, message: "Missing x-bot-secret header" },
  INVALID_BOT_SECRET: { status: 401, message: "Invalid bot secret" },
  PROOF_REQUIRED: {
    status: 401,
    message: "Prove the phone number: sign in, or open the link from the chat",
  },
  INVALID_PROOF: {
    status: 401,
    message: "The session or link is not valid any more; sign in again or ask for a new link",
  },
  INVALID_SECRET_KEY: {
    status: 401,
    message: "This function needs the project's secret key in the apikey header",
  },
  INVALID_SESSION: {
    status: 401,
    message: "The session is not valid any more; sign in again",
  },
  INVALID_WEBHOOK_SIGNATURE: { status: 401, message: "Invalid webhook signature" },
  NOT_THE_OWNER: { status: 403, message: "This account belongs to another phone number" },
  ORIGIN_NOT_ALLOWED: { status: 403, message: "Pages of this origin may not act for an operator" },
  SECOND_FACTOR_REQUIRED: { status: 403, message: "Sign in with a second factor" },
  NOT_AN_OPERATOR: { status: 403, message: "This account is not an operator's, or is disabled" },
  NOT_ALLOWED: { status: 403, message: "This is up to an operator with the role owner" },
  ACCOUNT_FROZEN: {
    status: 403,
    message: "This account is frozen. Please contact support.",
  },
  NOT_FOUND: { status: 404, message: "There is nothing at this address" },
  USER_NOT_FOUND: { status: 404, message: "User not found" },
  PACKAGE_NOT_FOUND: { status: 404, message: "Package not found" },
  EVENT_NOT_FOUND: { status: 404, message: "Event not found" },
  ORDER_NOT_FOUND: { status: 404, message: "Order not found" },
  PAYMENT_NOT_FOUND: { status: 404, message: "Payment not found" },
  ACTION_NOT_FOUND: { status: 404, message: "There is no such action, or it is no longer offered" },
  HOLD_NOT_FOUND: { status: 404, message: "Nothing is reserved under this reference_id" },
  METHOD_NOT_ALLOWED: { status: 405, message: "This method is not allowed here" },
  REFERENCE_REUSED: {
    status: 409,
    message: "This reference_id was used before for another request",
  },
  REFERENCE_HELD: {
    status: 409,
    message: "Credits are reserved under this reference_id; capture or release them",
  },
  TOO_MANY_HOLDS: {
    status: 409,
    message: "This user has too many open reservations; capture or release one first",
  },
  CAPTURE_EXCEEDS_HOLD: {
    status: 409,
    message: "This is more than was reserved; nothing was charged",
  },
  HOLD_RELEASED: { status: 409, message: "This reservation was released; nothing was charged" },
  HOLD_EXPIRED: {
    status: 409,
    message: "This reservation has expired and the credits do not suffice; nothing was charged",
  },
  HOLD_CAPTURED: { status: 409, message: "This reference_id was charged and cannot be released" },
  USER_IN_USE: {
    status: 409,
    message:
      "Credits of this user are reserved, or a payment is under way; try again when it is over",
  },
  NOT_ENOUGH_CREDITS: {
    status: 409,
    message: "The account does not have as many credits that are not reserved; nothing was changed",
  },
  MERGED_BEFORE: {
    status: 409,
    message: "One of these accounts was merged into another one before",
  },
  PAYMENT_NOT_CAPTURED: { status: 409, message: "No money of this payment has arrived" },
  REFUND_EXCEEDS_PAYMENT: {
    status: 409,
    message: "This is more than is left of the payment; nothing was refunded",
  },
  REFUND_REFUSED: { status: 409, message: "Razorpay refused the refund" },
  BODY_TOO_LARGE: { status: 413, message: "The request body is too large" },
  RATE_LIMITED: { status: 429, message: "Too many requests, please try again later" },
  INTERNAL: { status: 500, message: "Something went wrong on our side" },
  GATEWAY_ERROR: {
    status: 502,
    message: "The payment gateway rejected the request or sent an invalid response",
  },
  GATEWAY_UNAVAILABLE: {
    status: 503,
    message: "The payment gateway does not answer, please try again",
  },
  UNAVAILABLE: { status: 503, message: "The service is not available, please try again" },
} as const satisfies Record<string, { status: number; message: string }>;

/** A key of {@linkcode ERRORS}. */
export type ErrorCode = keyof typeof ERRORS;

/**
 * Ends a request with one of the {@linkcode ERRORS}.
 *
 * `message` reaches the caller, `cause` only the log.
 */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly code: ErrorCode;
  /** Extra response headers, such as `allow`. */
  readonly headers: Record<string, string>;

  constructor(
    code: ErrorCode,
    { message = ERRORS[code].message, cause, headers = {} }: {
      message?: string;
      cause?: unknown;
      headers?: Record<string, string>;
    } = {},
  ) {
    super(message, { cause });
    this.code = code;
    this.headers = headers;
  }
}

/** Returns the error for a caller over a limit, who may try again after `seconds`. */
export function rateLimited(seconds: number): RequestError {
  return new RequestError("RATE_LIMITED", { headers: { "retry-after": String(seconds) } });
}
