/**
 * Phone numbers that no other test uses.
 * @module
 */

import { randomInt } from "node:crypto";
import { keepPrivate } from "./private-values.ts";

const used = new Set<string>();

/** A valid Indian mobile number in E.164 that this process has not returned before. */
export function newPhoneNumber(): string {
  const number = `+9198${String(randomInt(100_000_000)).padStart(8, "0")}`;
  if (used.has(number)) return newPhoneNumber();
  used.add(number);
  keepPrivate(number);
  return number;
}
