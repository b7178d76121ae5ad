/**
 * Identifies who is asking to read an account, and by what proof.
 *
 * A page proves a phone number with a session of Supabase Auth or with a link token from the chat.
 * The bot and the operator may read any account; so may everyone if FRONTEND_ACCESS is `public`, where
 * a proof still sets its owner apart from strangers.
 * @module
 */

import { bearerToken, requireBot } from "shared/auth/caller.ts";
import { readLinkToken } from "shared/auth/link-token.ts";
import { hasSecretKey } from "shared/auth/operator.ts";
import { isPublishableKey, sessionPhoneNumber } from "shared/auth/session.ts";
import { frontendAccess, isOpenToEverybody } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";
import { logWarning } from "shared/http/log.ts";

/**
 * The principal of a request: it may read no account (`nobody`), its own (`owner`) or every one.
 * `trusted` is the bot or the operator, `public` is any caller while accounts are public.
 */
export type Principal =
  | { readonly kind: "nobody" | "trusted" }
  | {
    readonly kind: "public";
    /** The number that the caller has proven anyway, in E.164, and the user of the caller's link. */
    readonly phoneNumber: string | undefined;
    readonly userId: string | undefined;
  }
  | Owner;

interface Owner {
  readonly kind: "owner";
  /** E.164. */
  readonly phoneNumber: string | undefined;
  readonly userId: string | undefined;
}

/**
 * Returns the principal of a request; `nobody` if it carries no proof.
 *
 * @throws {RequestError} `INVALID_PROOF` for an invalid session or token, and the bot's errors for a
 * wrong secret: a caller who presents a proof should be told that it failed. While accounts are public,
 * an invalid session or token is ignored. `UNAVAILABLE` when Auth would have to be asked about a
 * session and cannot answer now.
 */
export async function principalOf(headers: Headers): Promise<Principal> {
  if (headers.has("x-bot-secret")) {
    await requireBot(headers);
    return { kind: "trusted" };
  }
  if (await hasSecretKey(headers)) return { kind: "trusted" };
  if (frontendAccess() === "public") {
    const owner = await ownerOf(headers).catch(ignoreInvalidProof);
    return { kind: "public", phoneNumber: owner?.phoneNumber, userId: owner?.userId };
  }
  return await ownerOf(headers) ?? { kind: "nobody" };
}

/** Returns whether the principal has proven this phone number (E.164) with a session or a link. */
export function hasProven(principal: Principal, phoneNumber: string): boolean {
  return (principal.kind === "owner" || principal.kind === "public") &&
    principal.phoneNumber === phoneNumber;
}

/** Returns whether the principal may read the account of this phone number (E.164). */
export function ownsPhoneNumber(principal: Principal, phoneNumber: string): boolean {
  return principal.kind === "owner"
    ? hasProven(principal, phoneNumber)
    : principal.kind !== "nobody";
}

/** Returns whose link token or session the headers have; `undefined` if they have neither. */
async function ownerOf(headers: Headers): Promise<Owner | undefined> {
  const linkToken = headers.get("x-access-token");
  if (linkToken !== null) return await linkOwner(linkToken);
  const session = bearerToken(headers);
  return session === undefined ? undefined : await sessionOwner(session);
}

function ignoreInvalidProof(error: unknown): undefined {
  if (error instanceof RequestError && error.code === "INVALID_PROOF") return undefined;
  throw error;
}

async function linkOwner(token: string): Promise<Owner> {
  const owner = await readLinkToken(token);
  if (owner === undefined) throw new RequestError("INVALID_PROOF");
  return { kind: "owner", ...owner };
}

async function sessionOwner(token: string): Promise<Owner | undefined> {
  if (isPublishableKey(token)) return undefined;
  const phoneNumber = await sessionPhoneNumber(token);
  if (phoneNumber === undefined) throw new RequestError("INVALID_PROOF");
  return { kind: "owner", phoneNumber, userId: undefined };
}

/** Logs a warning, once per worker when it starts, if a hosted project's accounts are public. */
export function warnOfPublicAccess(): void {
  if (isOpenToEverybody()) {
    logWarning("FRONTEND_ACCESS is public: anyone who knows a phone number can read its account");
  }
}
