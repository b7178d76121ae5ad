/**
 * Which limits a call counts against.
 * @module
 */

import { callerAddress } from "shared/auth/caller-address.ts";
import { hasProven, type Principal } from "shared/auth/principal.ts";

/** The arguments of a limited SQL function. Without `caller_address` nothing is counted. */
export interface Limits {
  readonly caller_address?: string;
  /** Whether the call counts against the owner of the number alone. */
  readonly is_proven?: boolean;
}

/**
 * Returns the limits for a call about a phone number (E.164). The bot and the operator have none. What
 * strangers do never counts against an owner who has proven the number, also where accounts are public.
 */
export function limitsFor(principal: Principal, phoneNumber: string, headers: Headers): Limits {
  if (principal.kind === "trusted") return {};
  return {
    caller_address: callerAddress(headers),
    is_proven: hasProven(principal, phoneNumber),
  };
}
