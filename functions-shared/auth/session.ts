/**
 * Sessions of Supabase Auth, as the functions accept them.
 * @module
 */

import { isAuthRetryableFetchError } from "@supabase/supabase-js";
import { client } from "shared/database/rpc.ts";
import { sessionKeys } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";

/**
 * Returns the claims of a session's token, or `undefined` if the token is not valid. A token signed
 * with one of the project's public keys is verified here; only one signed with the legacy shared
 * secret takes a round trip to Auth.
 *
 * @throws {RequestError} `UNAVAILABLE` when Auth would have to be asked and cannot answer now.
 */
export async function sessionClaims(token: string): Promise<Record<string, unknown> | undefined> {
  const { auth } = client();
  const options = { jwks: sessionKeys() };
  // getClaims throws on a token that it cannot decode, and returns an error for an invalid one.
  const result = await auth.getClaims(token, options).catch(() => undefined);
  if (isAuthRetryableFetchError(result?.error)) {
    throw new RequestError("UNAVAILABLE", { cause: result.error });
  }
  return result?.data?.claims;
}
