/**
 * Establishes who calls a function for operators: the holder of the project's secret key, or an operator
 * who has signed in with Supabase Auth.
 * @module
 */

import { bearerToken } from "shared/auth/caller.ts";
import { isSession, operatorSession } from "shared/auth/session.ts";
import { isOneOf } from "shared/auth/signature.ts";
import type { Operation, OperatorRole } from "shared/contract/operation.ts";
import { findOperator } from "shared/database/operator-sessions.ts";
import { consoleOrigin, secondFactor, supabaseSecretKeys } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";

/** An operator who has signed in. */
export interface SignedInOperator {
  /** The user of Supabase Auth. */
  readonly id: string;
  readonly name: string;
  readonly role: OperatorRole;
}

/** Who acts, and what they may do. */
export interface ActingOperator {
  /** Undefined for the holder of the secret key. */
  readonly id: string | undefined;
  /**
   * For the record: from the operators' table, or what the holder of the secret key says. Empty where
   * the function does not ask.
   */
  readonly name: string;
  readonly role: OperatorRole;
}

/**
 * Authorizes the caller of a function for operators. Returns who has signed in, or `undefined` for the
 * holder of the secret key, who may be a scheduler.
 *
 * Customers have sessions of the same project, so a valid one proves nothing by itself: the operators'
 * table is asked at every call.
 *
 * @throws {RequestError} `INVALID_SECRET_KEY` for a caller with neither, and where only the secret key
 * will do; `INVALID_SESSION`, `ORIGIN_NOT_ALLOWED`, `SECOND_FACTOR_REQUIRED`, `NOT_AN_OPERATOR` or
 * `NOT_ALLOWED` for a session that does not suffice; `UNAVAILABLE` when it cannot be checked now.
 */
export async function requireOperator(
  { operatorRole }: Pick<Operation, "operatorRole">,
  headers: Headers,
): Promise<SignedInOperator | undefined> {
  if (await hasSecretKey(headers)) return undefined;
  const token = bearerToken(headers);
  if (operatorRole === undefined || token === undefined || !isSession(token)) {
    throw new RequestError("INVALID_SECRET_KEY");
  }
  // Only browsers send an origin. A page that got hold of a session must not use it from elsewhere.
  const origin = headers.get("origin");
  if (origin !== null && origin !== consoleOrigin()) throw new RequestError("ORIGIN_NOT_ALLOWED");

  const session = await operatorSession(token);
  if (session === undefined) throw new RequestError("INVALID_SESSION");
  if (secondFactor() === "required" && !session.hasSecondFactor) {
    throw new RequestError("SECOND_FACTOR_REQUIRED");
  }
  const { userId, sessionId } = session;
  const found = await findOperator({ user_id: userId, session_id: sessionId });
  switch (found.outcome) {
    case "session_ended":
      throw new RequestError("INVALID_SESSION");
    case "not_an_operator":
      throw new RequestError("NOT_AN_OPERATOR");
    case "found":
      if (operatorRole === "owner" && found.role !== "owner") throw new RequestError("NOT_ALLOWED");
      return { id: userId, name: found.name, role: found.role };
  }
}

/** Returns whether the request carries the project's secret key, in `apikey` or as a bearer token. */
export async function hasSecretKey(headers: Headers): Promise<boolean> {
  const keys = supabaseSecretKeys();
  const bearer = bearerToken(headers);
  return await isOneOf(headers.get("apikey") ?? "", keys) || await isOneOf(bearer ?? "", keys);
}

/**
 * Returns who acts: who has signed in, or else whom the parsed request names, because the secret key
 * says nothing about it.
 */
export function actingOperator(
  signedIn: SignedInOperator | undefined,
  { operator }: Record<string, unknown>,
): ActingOperator {
  if (signedIn !== undefined) return signedIn;
  return { id: undefined, name: typeof operator === "string" ? operator : "", role: "owner" };
}
