/**
 * Secrets and signatures for tests.
 *
 * They come from node:crypto, not from the code under test, so that a mistake in that code cannot
 * sign what it then accepts.
 * @module
 */

import { createHmac, randomBytes } from "node:crypto";

/** A random secret as long as the bot's. */
export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** HMAC-SHA256 in hex, which signs Razorpay's webhooks and checkouts, and the bot's links. */
export function sign(message: string | Uint8Array, secret: string): string {
  return hmac(message, secret).toString("hex");
}

/** What Razorpay signs of a checkout: the order and the payment. */
export function signCheckout(orderId: string, paymentId: string, secret: string): string {
  return sign(`${orderId}|${paymentId}`, secret);
}

/** The header in which Razorpay signs the body of a webhook. */
export function webhookSignature(
  body: string | Uint8Array,
  secret: string,
): Record<"x-razorpay-signature", string> {
  return { "x-razorpay-signature": sign(body, secret) };
}

/** A part of a token: JSON in base64url. */
export function encodePart(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

/**
 * A JSON Web Token. `signature` makes the last part of the first two, so that a test may also forge
 * it; {@linkcode hs256} makes a valid one.
 */
export function jsonWebToken(
  header: Record<string, unknown>,
  payload: Record<string, unknown>,
  signature: (text: string) => string,
): string {
  const text = `${encodePart(header)}.${encodePart(payload)}`;
  return `${text}.${signature(text)}`;
}

/** Signs tokens with a shared secret, as the algorithm HS256 does. */
export function hs256(secret: string): (text: string) => string {
  return (text) => hmac(text, secret).toString("base64url");
}

function hmac(message: string | Uint8Array, secret: string): Buffer {
  return createHmac("sha256", secret).update(message).digest();
}
