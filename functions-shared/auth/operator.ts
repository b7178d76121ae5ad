/**
 * Establishes who calls a function for operators.
 * @module
 */

import { bearerToken } from "shared/auth/caller.ts";
import { isOneOf } from "shared/auth/signature.ts";
import { supabaseSecretKeys } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";

/**
 * Authorizes the operator and the scheduler by the project's secret key, in `apikey` or as a bearer
 * token.
 *
 * @throws {RequestError} `INVALID_SECRET_KEY`.
 */
export async function requireOperator(headers: Headers): Promise<void> {
  if (!await isOperator(headers)) throw new RequestError("INVALID_SECRET_KEY");
}

/** Returns whether the request carries the project's secret key. */
export async function isOperator(headers: Headers): Promise<boolean> {
  const keys = supabaseSecretKeys();
  const bearer = bearerToken(headers);
  return await isOneOf(headers.get("apikey") ?? "", keys) || await isOneOf(bearer ?? "", keys);
}

/**
 * Returns who acts, for the record: `operator` of the parsed request, because the secret key says
 * nothing about it. Empty where the function does not ask.
 */
export function operatorOf({ operator }: Record<string, unknown>): string {
  return typeof operator === "string" ? operator : "";
}
