/**
 * What commands print, with everything replaced that differs from run to run: addresses, ids, times
 * and secrets.
 * @module
 */

import { createHash } from "node:crypto";
import type { StackEnvironment } from "../stack/environment.ts";

const ID = /(\border_|\bpay_|\bplink_|\/rzp\/)([A-Za-z0-9]{7,14})\b/g;
const UUID = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g;
const TIME = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?/g;
const SECRET = /("razorpay_signature":"|"key_id":"rzp_test_|"token":"|access_token=)[^"&]+/g;

/** When the story of the docs begins. */
const BEGINNING = Date.parse("2026-11-23T07:30:00Z");
const QUARTER_HOUR_MS = 15 * 60 * 1000;

/**
 * Returns a function that makes a text stable. It is used for one run's texts, from first to last: an
 * id that comes again is replaced by the same one.
 *
 * Ids are replaced by others that look like them. Times keep their distance from the start, rounded to
 * a quarter of an hour.
 */
export function stabilizer(environment: StackEnvironment): (text: string) => string {
  const beginning = Date.now();
  const seen: string[] = [];
  const numberOf = (id: string) => {
    if (!seen.includes(id)) seen.push(id);
    return seen.indexOf(id);
  };
  return (text) =>
    text
      .replaceAll(environment.SUPABASE_URL, "http://127.0.0.1:54321")
      .replaceAll(environment.RAZORPAY_API_URL, "http://127.0.0.1:54323")
      .replaceAll(environment.FRONTEND_URL, "http://127.0.0.1:54324/")
      .replaceAll(SECRET, "$1...")
      .replaceAll(ID, (id, prefix: string, { length }: string) => {
        return prefix + digest(numberOf(id), "base64").replaceAll(/[+/=]/g, "").slice(0, length);
      })
      .replaceAll(UUID, (id) => {
        const digits = digest(numberOf(id), "hex");
        return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-4$3-8$4-$5");
      })
      .replaceAll(TIME, (time) => {
        const elapsed = Date.parse(`${time}Z`) - beginning;
        const rounded = Math.round(elapsed / QUARTER_HOUR_MS) * QUARTER_HOUR_MS;
        return new Date(BEGINNING + rounded).toISOString().slice(0, "2026-11-23T07:30:00".length);
      });
}

function digest(number: number, encoding: "base64" | "hex"): string {
  return createHash("sha256").update(`id ${number} of the story`).digest(encoding);
}
