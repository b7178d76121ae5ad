/**
 * Validates request bodies, with Razorpay's error texts.
 * @module
 */

import type { Notes } from "./entities.ts";
import { badRequest, extraFields } from "./errors.ts";

/** A parsed JSON object of unknown content. */
export type JsonObject = Record<string, unknown>;

const MAX_NOTES = 15;

/** Rejects every field that is not in the list. */
export function allowOnly(body: JsonObject, fields: readonly string[]): void {
  const [first, ...others] = Object.keys(body).filter((field) => !fields.includes(field));
  if (first !== undefined) throw extraFields([first, ...others]);
}

/** Returns a whole number of paise, or undefined if the field is absent. */
export function optionalAmount(body: JsonObject, field: string): number | undefined {
  const amount = body[field];
  if (amount === undefined) return undefined;
  if (typeof amount !== "number" || !Number.isSafeInteger(amount)) {
    throw badRequest(`The ${field} must be an integer.`, { field });
  }
  return amount;
}

/** Returns a whole number of paise. */
export function requiredAmount(body: JsonObject, field: string): number {
  const amount = optionalAmount(body, field);
  if (amount === undefined) throw badRequest(`${field}: is required.`, { field });
  return amount;
}

/** Returns a three-letter currency code, or undefined if the field is absent. */
export function optionalCurrency(body: JsonObject): string | undefined {
  const currency = optionalText(body, "currency");
  if (currency !== undefined && !/^[A-Z]{3}$/.test(currency)) {
    throw badRequest("Currency is not supported", { field: "currency" });
  }
  return currency;
}

/** Returns a text of limited length, or undefined if the field is absent or null. */
export function optionalText(
  body: JsonObject,
  field: string,
  maxLength = Infinity,
): string | undefined {
  const text = body[field];
  if (text === undefined || text === null) return undefined;
  if (typeof text !== "string") {
    throw badRequest(`expected string but provided ${JSON.stringify(text)}`, { field });
  }
  if (text.length > maxLength) {
    throw badRequest(`${field}: the length must be no more than ${maxLength}.`, { field });
  }
  return text;
}

/** Returns a flag (Razorpay also accepts 1 and 0), or undefined if the field is absent. */
export function optionalFlag(body: JsonObject, field: string): boolean | undefined {
  const flag = body[field];
  if (flag === undefined) return undefined;
  if (flag === true || flag === 1) return true;
  if (flag === false || flag === 0) return false;
  throw badRequest(`The ${field} field must be true or false.`, { field });
}

/** Returns a nested object, or undefined if the field is absent or null. */
export function optionalObject(body: JsonObject, field: string): JsonObject | undefined {
  const object = body[field];
  if (object === undefined || object === null) return undefined;
  if (!isObject(object)) throw badRequest(`The ${field} must be an object.`, { field });
  return object;
}

/** Returns at most 15 notes with values of limited length. Absent and empty notes are the same. */
export function notesOf(body: JsonObject, maxValueLength = 256): Notes {
  const notes = body.notes;
  if (notes === undefined || notes === null) return {};
  if (Array.isArray(notes) && notes.length === 0) return {};
  if (!isObject(notes)) throw badRequest("The notes must be an object.", { field: "notes" });
  if (Object.keys(notes).length > MAX_NOTES) {
    throw badRequest(`Number of fields in notes should be less than or equal to ${MAX_NOTES}.`, {
      field: "notes",
    });
  }
  return Object.fromEntries(
    Object.entries(notes).map(([key, value]) => [key, noteValue(value, maxValueLength)]),
  );
}

function noteValue(value: unknown, maxLength: number): string | number | boolean {
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value !== "string") {
    throw badRequest("Notes values themselves should not be an array.", { field: "notes" });
  }
  if (value.length > maxLength) {
    throw badRequest(`Notes value cannot be greater than ${maxLength} characters.`, {
      field: "notes",
    });
  }
  return value;
}

/** Returns whether the value is a JSON object, and neither an array nor null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
