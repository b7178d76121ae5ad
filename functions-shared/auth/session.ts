/**
 * Sessions of Supabase Auth, as the functions accept them.
 * @module
 */

import { isAuthRetryableFetchError } from "@supabase/supabase-js";
import { z } from "zod";
import { decodeBase64url } from "shared/auth/base64url.ts";
import { client } from "shared/database/rpc.ts";
import { sessionIssuer, sessionKeys } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";
import { asDialed } from "shared/old-spelling.ts";

/** For how long, and for how many tokens, a refusal by Auth is remembered. */
const REFUSAL_MS = 60_000;
const MAX_REFUSALS = 1_000;

/**
 * What a token claims that proves who somebody is: a user who signed in here, not anonymously, and not
 * through somebody else's app, whose tokens from Supabase's OAuth server have a `client_id`.
 * `private.session_user_id` has the same rule.
 *
 * Source: Supabase docs, "JWT claims reference" and "OAuth 2.1 server: token security".
 */
const signedIn = z.lazy(() =>
  z.looseObject({
    aud: z.literal("authenticated"),
    role: z.literal("authenticated"),
    is_anonymous: z.literal(false).nullish(),
    client_id: z.null().optional(),
    nbf: z.number().optional(),
    iss: z.unknown().optional(),
  })
);

/** What a token has to claim besides to prove a phone number. */
const phoneClaims = z.lazy(() => z.object({ phone: z.string().min(1) }));

/** What a token has to claim besides to be an operator's. Where Auth has no levels, it claims none. */
const operatorClaims = z.lazy(() =>
  z.object({
    sub: z.uuid(),
    session_id: z.uuid().nullish(),
    aal: z.string().nullish(),
  })
);

/**
 * Returns the phone number (E.164) that a session's token proves, or `undefined` if it proves none.
 *
 * @throws {RequestError} `UNAVAILABLE` when Auth would have to be asked and cannot answer now.
 */
export async function sessionPhoneNumber(token: string): Promise<string | undefined> {
  const { data: claims } = phoneClaims.safeParse(await claimsOfSession(token));
  // Supabase Auth writes the number without its plus sign, and as it was spelled when signing in.
  return claims && asDialed(`+${claims.phone.replace(/^\+/, "")}`);
}

/** A session that may be an operator's. */
export interface OperatorSession {
  /** The user of Supabase Auth. */
  readonly userId: string;
  readonly sessionId: string | undefined;
  readonly hasSecondFactor: boolean;
}

/**
 * Returns what a session's token says about who signed in, and how; `undefined` if it is not valid.
 *
 * @throws {RequestError} `UNAVAILABLE` when Auth would have to be asked and cannot answer now.
 */
export async function operatorSession(token: string): Promise<OperatorSession | undefined> {
  const { data: claims } = operatorClaims.safeParse(await claimsOfSession(token));
  return claims && {
    userId: claims.sub,
    sessionId: claims.session_id ?? undefined,
    hasSecondFactor: claims.aal === "aal2",
  };
}

/** Returns whether a bearer token has the form of a session's, and is not what visitors send. */
export function isSession(token: string): boolean {
  return token.split(".").length === 3 && !isPublishableKey(token);
}

/**
 * When nobody is signed in, supabase-js may send its publishable key in the same header. That is a
 * visitor without a proof. A legacy key is a token that claims the role `anon`.
 */
export function isPublishableKey(token: string): boolean {
  if (token.startsWith("sb_publishable_")) return true;
  try {
    const [, payload = ""] = token.split(".");
    return JSON.parse(decodeBase64url(payload)).role === "anon";
  } catch {
    return false;
  }
}

/** Returns the claims of a valid session of a user who signed in, and undefined for any other token. */
async function claimsOfSession(token: string): Promise<unknown> {
  const { data: claims } = signedIn.safeParse(await verifiedClaims(token));
  if (claims === undefined) return undefined;
  const issuer = sessionIssuer();
  if (issuer !== undefined && claims.iss !== issuer) return undefined;
  if (claims.nbf !== undefined && claims.nbf * 1000 > Date.now()) return undefined;
  return claims;
}

/**
 * Returns the claims of a valid token. Where the project's keys are known, they decide: a token signed
 * with another key is refused here, because anybody could make up enough of them to keep Auth busy.
 * Auth is asked about a token of the legacy shared secret, where the keys list one, and about every
 * token where no key is known.
 */
async function verifiedClaims(token: string): Promise<unknown> {
  const jwks = sessionKeys();
  const { alg, kid } = headerOf(token) ?? {};
  if (alg === undefined) return undefined;
  if (jwks.keys.length === 0) return await claimsByAuth(token);
  if (alg.startsWith("HS")) {
    return jwks.keys.some(({ kty }) => kty === "oct") ? await claimsByAuth(token) : undefined;
  }
  const isKnown = jwks.keys.some((key) => key.kid !== undefined && key.kid === kid);
  return isKnown ? await claimsOf(token, { jwks }) : undefined;
}

const refusals = new Map<string, number>();

/** As {@linkcode claimsOf}, but remembers for a while what Auth has refused. */
async function claimsByAuth(token: string): Promise<unknown> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  const name = new Uint8Array(digest).join();
  if ((refusals.get(name) ?? 0) > Date.now()) return undefined;
  const claims = await claimsOf(token);
  if (claims !== undefined) return claims;
  // A map is iterated in the order of insertion.
  for (const oldest of refusals.keys()) {
    if (refusals.size < MAX_REFUSALS) break;
    refusals.delete(oldest);
  }
  refusals.delete(name);
  refusals.set(name, Date.now() + REFUSAL_MS);
  return undefined;
}

async function claimsOf(
  token: string,
  options: { jwks?: ReturnType<typeof sessionKeys> } = {},
): Promise<unknown> {
  // getClaims throws on a token that it cannot decode, and returns an error for an invalid one.
  const result = await client().auth.getClaims(token, options).catch(() => undefined);
  const error = result?.error;
  // Auth is overloaded, and has not refused the token.
  if (isAuthRetryableFetchError(error) || error?.status === 429) {
    throw new RequestError("UNAVAILABLE", { cause: error });
  }
  return result?.data?.claims;
}

const tokenHeader = z.object({ alg: z.string(), kid: z.string().optional() });

function headerOf(token: string): z.infer<typeof tokenHeader> | undefined {
  try {
    return tokenHeader.safeParse(JSON.parse(decodeBase64url(token.split(".", 1)[0] ?? ""))).data;
  } catch {
    return undefined;
  }
}
