/**
 * Whose account the page shows, and what proves it: the token of the bot's link, or a session of
 * Supabase Auth. Both arrive behind the "#" of the address and leave it at once, so that nobody copies
 * them with it.
 * @module
 */

import { isRefusal } from "../common/backend.ts";
import type { Configuration } from "../common/configuration.ts";
import { session as tab, shared } from "../common/storage.ts";

/** What the page sends to prove who is asking. */
export interface Proof {
  /** The header that carries the token. */
  readonly headers: Readonly<Record<string, string>>;
  /** The account of a link. A session names a phone number only. */
  readonly userId?: string;
  /** E.164; missing for somebody who is known by a WhatsApp id alone. */
  readonly phoneNumber?: string;
  /** When the token ends, if the token says so. A browser's clock may be wrong about that. */
  readonly expiresAt?: Date;
}

/** What payment-return says about a payment. Anybody can write such an address, so it proves nothing. */
export interface Return {
  readonly payment: "paid" | "pending" | "failed";
  readonly orderId: string;
}

/** What the page was opened with. */
export interface Opening {
  readonly proof: Proof | undefined;
  readonly returned: Return | undefined;
}

/** The parts of a proof as an address has them. */
type Fields = Readonly<Record<string, string>>;

const STORED_PROOF = "proof";

/** Reads the address and takes the token out of it; without one, reads what was kept before. */
export function readOpening(configuration: Configuration): Opening {
  const fields = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  if (fields.access_token || fields.payment) {
    history.replaceState(null, "", location.pathname + location.search);
  }
  if (fields.access_token) {
    // And nothing else of what Auth hands over: the token that renews a session outlives the tab.
    const { access_token, user_id, phone_number } = fields;
    tab.write(STORED_PROOF, { access_token, user_id, phone_number });
  }
  return {
    proof: parseProof(fields) ?? parseProof(tab.read<Fields>(STORED_PROOF)) ??
      parseProof(storedSession(configuration)),
    returned: parseReturn(fields),
  };
}

/** Returns whether only a new link or a new sign-in helps after an error. */
export function hasEnded(error: unknown): boolean {
  return isRefusal(error, ["PROOF_REQUIRED", "INVALID_PROOF", "NOT_THE_OWNER"]);
}

/** The session that supabase-js keeps for other pages of this origin. */
function storedSession({ supabase_url }: Configuration): Fields | undefined {
  const [project] = new URL(supabase_url).hostname.split(".");
  return shared.read<Fields>(`sb-${project}-auth-token`);
}

function parseProof(fields: Fields | undefined): Proof | undefined {
  const token = fields?.access_token;
  if (!fields || !token) return undefined;
  const { user_id, phone_number } = fields;
  if (user_id) {
    return {
      headers: { "x-access-token": token },
      userId: user_id,
      ...(phone_number && { phoneNumber: phone_number }),
      ...expiry(claimsOf(token, 0)?.expires_at),
    };
  }
  const claims = claimsOf(token, 1);
  // Supabase Auth leaves out the plus.
  const digits = String(claims?.phone ?? "").replace(/^\+/, "");
  if (!digits) return undefined;
  return {
    headers: { authorization: `Bearer ${token}` },
    phoneNumber: `+${digits}`,
    ...expiry(claims?.exp),
  };
}

function expiry(seconds: unknown): Pick<Proof, "expiresAt"> {
  return typeof seconds === "number" ? { expiresAt: new Date(seconds * 1000) } : {};
}

/** Reads what a token says about itself, which only the backend can verify. */
function claimsOf(token: string, part: number): Record<string, unknown> | undefined {
  try {
    const text = token.split(".")[part] ?? "";
    return JSON.parse(atob(text.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return undefined;
  }
}

function parseReturn({ payment, order = "" }: Fields): Return | undefined {
  if (payment !== "paid" && payment !== "pending" && payment !== "failed") return undefined;
  return { payment, orderId: order };
}
