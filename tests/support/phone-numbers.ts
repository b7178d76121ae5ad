/**
 * Phone numbers that no other test uses.
 * @module
 */

import { randomPhoneNumber } from "../../local/system/phone-number.ts";
import { keepPrivate } from "./private-values.ts";

const used = new Set<string>();

/** A valid Indian mobile number in E.164 that this process has not returned before. */
export function newPhoneNumber(): string {
  const number = randomPhoneNumber();
  if (used.has(number)) return newPhoneNumber();
  used.add(number);
  keepPrivate(number);
  return number;
}
