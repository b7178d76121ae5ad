/**
 * Who is asking to read an account, and what proves it.
 *
 * A page proves a phone number with a session of Supabase Auth or with a link token from the chat.
 * The bot and the operator may read anyone; so may everybody where FRONTEND_ACCESS is `public`.
 * @module
 */

import { bearerToken, isOperator, requireBot } from "shared/auth/caller.ts";
import { sessionClaims } from "shared/auth/session.ts";
import { frontendAccess, isOpenToEverybody } from "shared/environment.ts";
import { RequestError } from "shared/errors.ts";
import { readLinkToken } from "shared/auth/link-token.ts";

/**
 * Somebody who may read no account, every account, or their own. `trusted` are the bot and the
 * operator, `anyone` is everybody where accounts are public.
 */
export type Principal =
  | { readonly kind: "nobody" | "anyone" | "trusted" }
  | {
    readonly kind: "owner";
    /** E.164. */
    readonly phoneNumber: string | undefined;
    readonly userId: string | undefined;
  };

/**
 * Whom a request proves to be; `nobody` where it tries to prove nothing.
 *
 * @throws {RequestError} `INVALID_PROOF` for a session or token that does not hold, or the bot's
 * errors for a wrong secret: whoever tries to prove something should hear that it failed.
 */
export async function principalOf(headers: Headers): Promise<Principal> {
  if (headers.has("x-bot-secret")) {
    await requireBot(headers);
    return { kind: "trusted" };
  }
  if (await isOperator(headers)) return { kind: "trusted" };
  if (frontendAccess() === "public") return { kind: "anyone" };

  const linkToken = headers.get("x-access-token");
  if (linkToken !== null) return await linkOwner(linkToken);
  const session = bearerToken(headers);
  return session === undefined ? { kind: "nobody" } : await sessionOwner(session);
}

/** Whether the account of this phone number is the principal's to read. */
export function ownsPhoneNumber(principal: Principal, phoneNumber: string): boolean {
  return principal.kind === "owner"
    ? principal.phoneNumber === phoneNumber
    : principal.kind !== "nobody";
}

async function linkOwner(token: string): Promise<Principal> {
  const owner = await readLinkToken(token);
  if (owner === undefined) throw new RequestError("INVALID_PROOF");
  return { kind: "owner", ...owner };
}

async function sessionOwner(token: string): Promise<Principal> {
  if (isPublishableKey(token)) return { kind: "nobody" };
  const claims = await sessionClaims(token);
  const phone = claims?.role === "authenticated" ? claims.phone : undefined;
  if (typeof phone !== "string" || phone === "") throw new RequestError("INVALID_PROOF");
  // Supabase Auth writes the number without its plus sign.
  return { kind: "owner", phoneNumber: `+${phone.replace(/^\+/, "")}`, userId: undefined };
}

/**
 * Where nobody is signed in, supabase-js may send its key in the same header: a visitor, who tries to
 * prove nothing. A legacy key is a token that claims the role `anon`.
 */
function isPublishableKey(token: string): boolean {
  if (token.startsWith("sb_publishable_")) return true;
  try {
    const [, payload = ""] = token.split(".");
    return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))).role === "anon";
  } catch {
    return false;
  }
}

/** Said once per worker, at its start: somebody opened a project to everybody, or forgot to close it. */
export function warnOfPublicAccess(): void {
  if (isOpenToEverybody()) {
    console.warn(JSON.stringify({
      time: new Date().toISOString(),
      level: "warn",
      message: "FRONTEND_ACCESS is public: anybody who knows a phone number can read its account",
    }));
  }
}
