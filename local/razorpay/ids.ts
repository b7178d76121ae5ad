/**
 * Razorpay's identifiers: a prefix, an underscore and 14 letters and digits, case-sensitive.
 * @module
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH = 14;

/** The prefixes, one per kind of entity. */
export type IdPrefix = "acc" | "order" | "pay" | "card" | "rfnd" | "plink" | "disp";

/** Creates an identifier such as `order_RB58MiP5SPFYyM`. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${randomText(LENGTH)}`;
}

/** Creates a webhook event id, the only identifier without a prefix. */
export function newEventId(): string {
  return randomText(LENGTH);
}

/** Returns whether the text has the form of an identifier with this prefix. */
export function isId(prefix: IdPrefix, text: string): boolean {
  return new RegExp(`^${prefix}_[A-Za-z0-9]{${LENGTH}}$`).test(text);
}

/** Returns random letters and digits. */
export function randomText(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => ALPHABET.charAt(byte % ALPHABET.length)).join("");
}

/** Returns random digits, for example for a bank's reference number. */
export function randomDigits(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => String(byte % 10)).join("");
}
