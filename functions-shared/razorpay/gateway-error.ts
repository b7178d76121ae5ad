/**
 * The one error of the gateway, in a file of its own so that code which only handles the error does
 * not load the `razorpay` package.
 * @module
 */

/** Razorpay gave no usable response. The requested action may or may not have happened. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";

  /**
   * `unavailable`: no response, a rate limit or a failure at Razorpay. `denied`: Razorpay does not
   * accept our key. `refused`: Razorpay understood the request and rejected it. `invalid`: the
   * response is not what the API documents.
   */
  readonly kind: "unavailable" | "denied" | "refused" | "invalid";
  /** What Razorpay said, for operators. */
  readonly reason: string;

  constructor(kind: GatewayError["kind"], reason: string) {
    super(`Razorpay ${kind}: ${reason}`);
    this.kind = kind;
    this.reason = reason;
  }
}

/** For `catch`: returns a GatewayError, and throws anything else. */
export function onlyGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  throw error;
}
