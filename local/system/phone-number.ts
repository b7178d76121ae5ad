/**
 * Phone numbers of customers who do not exist.
 * @module
 */

import { randomInt } from "node:crypto";

/** Returns a valid Indian mobile number in E.164 that hardly anybody has used on a stack before. */
export function randomPhoneNumber(): string {
  return `+9198${String(randomInt(100_000_000)).padStart(8, "0")}`;
}
