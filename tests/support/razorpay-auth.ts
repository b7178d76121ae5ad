/**
 * How a caller of Razorpay's API authenticates.
 * @module
 */

/** Returns the `authorization` header of a Razorpay key: HTTP Basic authentication. */
export function basicAuthorization(keyId: string, keySecret: string): string {
  return `Basic ${btoa(`${keyId}:${keySecret}`)}`;
}
