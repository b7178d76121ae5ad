/**
 * Razorpay's identifiers: a prefix, an underscore and 14 letters and digits, case-sensitive.
 * @module
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH = 14;

/** What an identifier can name. */
export type IdPrefix = "acc" | "order" | "pay" | "card" | "rfnd" | "plink" | "disp";

/** Makes an identifier such as `order_RB58MiP5SPFYyM`. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${randomText(LENGTH)}`;
}

/** Makes a webhook event id, which is the one identifier without a prefix. */
export function newEventId(): string {
  return randomText(LENGTH);
}

/** Says whether the text has the form of an identifier with this prefix. */
export function isId(prefix: IdPrefix, text: string): boolean {
  return new RegExp(`^${prefix}_[A-Za-z0-9]{${LENGTH}}$`).test(text);
}

/** Random letters and digits. */
export function randomText(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}

/** Random digits, such as a bank's reference number. */
export function randomDigits(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => String(byte % 10)).join("");
}
