/**
 * The error responses of Razorpay's API.
 *
 * The texts come from Razorpay's documentation (api/orders, api/payments, api/refunds, errors) and
 * from reports of its users. Callers should branch on the HTTP status and not on the texts: the
 * sources differ in some of them.
 * @module
 */

/** The `error` object of a response. Every key besides `code` and `description` may be absent. */
interface ErrorDetails {
  readonly code: "BAD_REQUEST_ERROR" | "GATEWAY_ERROR" | "SERVER_ERROR";
  readonly description: string;
  readonly source?: string | null;
  readonly step?: string | null;
  readonly reason?: string | null;
  readonly metadata?: Record<string, string> | [];
  readonly field?: string;
}

/** A response other than 200. `details` is null if Razorpay sends no error object. */
export class RazorpayError extends Error {
  override readonly name = "RazorpayError";

  constructor(readonly status: number, readonly details: ErrorDetails | null) {
    super(details?.description ?? `HTTP ${status}`);
  }

  /** The body of the response. */
  get body(): Record<string, unknown> {
    return this.details === null ? {} : { error: this.details };
  }
}

/** 400 with the keys that Razorpay's validation sets. */
export function badRequest(
  description: string,
  details: Partial<Omit<ErrorDetails, "description">> = {},
): RazorpayError {
  return new RazorpayError(400, {
    code: "BAD_REQUEST_ERROR",
    description,
    source: "business",
    step: "payment_initiation",
    reason: "input_validation_failed",
    metadata: {},
    ...details,
  });
}

/** Fields that a route does not know. Razorpay rejects them instead of ignoring them. */
export function extraFields(fields: readonly [string, ...string[]]): RazorpayError {
  return badRequest(`${fields.join(", ")} is/are not required and should not be sent`, {
    reason: "extra_field_sent",
    field: fields[0],
  });
}

/** A malformed identifier. */
export function invalidId(id: string): RazorpayError {
  return badRequest(`${id} is not a valid id`);
}

/** A well-formed identifier that does not exist. */
export function unknownId(): RazorpayError {
  return badRequest("The id provided does not exist");
}

/** Razorpay's table of errors says 400; the real API responds with 401. */
export function authenticationFailed(): RazorpayError {
  return new RazorpayError(401, {
    code: "BAD_REQUEST_ERROR",
    description: "Authentication failed",
  });
}

/** A path or method that the API does not have. */
export function unknownRoute(): RazorpayError {
  return badRequest("The requested URL was not found on the server.", {
    source: "NA",
    step: "NA",
    reason: "NA",
  });
}

/** A request to the stand-in that must not come from a web page. Not one of Razorpay's errors. */
export function refused(status: 403 | 415 | 421, description: string): RazorpayError {
  return new RazorpayError(status, { code: "BAD_REQUEST_ERROR", description });
}

/** The rate limit. Razorpay documents neither a number nor `Retry-After`. */
export function tooManyRequests(): RazorpayError {
  return new RazorpayError(429, { code: "BAD_REQUEST_ERROR", description: "Too many requests" });
}

/** A failure inside Razorpay. */
export function serverError(): RazorpayError {
  return new RazorpayError(500, {
    code: "SERVER_ERROR",
    description: "The server encountered an error. The incident has been reported to admins.",
    metadata: {},
  });
}
