/**
 * Reads accounts as a page does, with any proof of who owns them.
 * @module
 */

import type postgres from "postgres";
import { z } from "zod";
import { type Answer, call, dataOf } from "./calls.ts";

/** The headers of a request. */
export type RequestHeaders = Record<string, string>;

export const PROOF_REQUIRED = { httpStatus: 401, code: "PROOF_REQUIRED" };
export const INVALID_PROOF = { httpStatus: 401, code: "INVALID_PROOF" };
export const NOT_THE_OWNER = { httpStatus: 403, code: "NOT_THE_OWNER" };

/** Asks for the profile of a phone number. */
export function profile(phone: string, headers?: RequestHeaders): Promise<Answer> {
  return call("GET", `users/${phone}`, { headers });
}

/** Asks for the history of a user id. */
export function history(userId: string, headers?: RequestHeaders): Promise<Answer> {
  return call("GET", `credit-history/${userId}`, { headers });
}

/** Creates the user of a phone number, as the bot does, and returns its id. */
export async function newUser(phone: string): Promise<string> {
  const headers = { "x-bot-secret": z.string().parse(Deno.env.get("BOT_SECRET")) };
  return z.string().parse(dataOf(await profile(phone, headers)).id);
}

/** Returns whether anybody has the phone number. */
export async function isKnown(sql: postgres.Sql, phone: string): Promise<boolean> {
  const found = await sql`
    select from public.identities where kind = 'phone' and value = ${phone}`;
  return found.length > 0;
}
