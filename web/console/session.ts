/**
 * The operator's session: made by Supabase Auth, kept for this tab alone, and given up when nobody has
 * touched the page for a while.
 * @module
 */

import { AuthClient, type AuthError, type SupportedStorage } from "@supabase/auth-js";
import type { Configuration } from "../common/configuration.ts";

/** How long a page may stay untouched. */
export const IDLE_MS = 15 * 60_000;

const SESSION = "credits-console";
const LEAVING = "credits-console-leaving";
const LAST_USE = "credits-console-last-use";

/** Auth said no, in its own words. */
export class SignInError extends Error {
  override readonly name = "SignInError";
}

/** What an authenticator app needs to know. */
export interface Enrollment {
  readonly factorId: string;
  /** The address of a picture of the code. */
  readonly qrCode: string;
  readonly secret: string;
}

/** Sessions of operators. */
export interface Session {
  /**
   * Whose turn at the tab it is: another number with every sign-in and sign-out. What was begun in one
   * turn must not go on in the next, with the session of somebody else.
   */
  turn(): number;
  /** A token that has not expired, or undefined where nobody is signed in. */
  token(): Promise<string | undefined>;
  /** A token that was made just now, in place of one that was refused. */
  freshToken(): Promise<string | undefined>;
  /** @throws {SignInError} */
  signIn(email: string, password: string): Promise<void>;
  /** Ends this session. The tab forgets it at once, even if Auth is slow or cannot be reached. */
  signOut(): Promise<void>;
  /** The id of the operator's authenticator app; undefined where none has been set up. */
  verifiedFactor(): Promise<string | undefined>;
  /** Begins to set up an authenticator app. */
  enroll(): Promise<Enrollment>;
  /**
   * Proves the second factor with a code of the app.
   *
   * @throws {SignInError}
   */
  verify(factorId: string, code: string): Promise<void>;
  /** @throws {SignInError} */
  changePassword(password: string): Promise<void>;
  /** Notes that somebody is there. */
  touch(): void;
  /** How long nobody has been there. */
  idleMs(): number;
}

/** Opens the sessions of a project. */
export function openSession({ supabase_url, publishable_key }: Configuration): Session {
  const options = {
    url: new URL("/auth/v1", supabase_url).href,
    headers: { apikey: publishable_key },
    // What follows the "#" of an address is a view of the console.
    detectSessionInUrl: false,
  };
  const idleMs = () => Date.now() - Number(sessionStorage.getItem(LAST_USE) ?? 0);
  const tokenOf = (
    { data: { session } }: { data: { session: { access_token: string } | null } },
  ) => session?.access_token;
  let turn = 0;
  let auth = openAuth();

  /** A client for this turn. What it learns later, such as that its session has ended, changes nothing. */
  function openAuth() {
    const own = turn;
    return new AuthClient({
      ...options,
      storageKey: SESSION,
      storage: {
        getItem: (name) => turn === own ? sessionStorage.getItem(name) : null,
        setItem(name, value) {
          if (turn === own) sessionStorage.setItem(name, value);
        },
        removeItem(name) {
          if (turn === own) sessionStorage.removeItem(name);
        },
      },
    });
  }

  function beginTurn(): void {
    const former = auth;
    turn++;
    auth = openAuth();
    void former.dispose();
  }

  return {
    turn: () => turn,
    async token() {
      return tokenOf(await auth.getSession());
    },
    async freshToken() {
      return tokenOf(await auth.refreshSession());
    },
    async signIn(email, password) {
      beginTurn();
      refuse((await auth.signInWithPassword({ email, password })).error);
    },
    async signOut() {
      beginTurn();
      const session = sessionStorage.getItem(SESSION);
      sessionStorage.clear();
      if (session === null) return;
      // By a client of its own: it may have to refresh the session first, and whoever has signed in to
      // the tab by then keeps theirs.
      const leaving = new AuthClient({
        ...options,
        storageKey: LEAVING,
        storage: storageOf(LEAVING, session),
        autoRefreshToken: false,
      });
      await leaving.signOut({ scope: "local" });
      await leaving.dispose();
    },
    async verifiedFactor() {
      const { data, error } = await auth.mfa.listFactors();
      refuse(error);
      return data?.totp[0]?.id;
    },
    async enroll() {
      const { data: factors } = await auth.mfa.listFactors();
      // Left behind by somebody who did not finish; their secret is not shown a second time.
      for (const { id, status } of factors?.all ?? []) {
        if (status === "unverified") await auth.mfa.unenroll({ factorId: id });
      }
      const { data, error } = await auth.mfa.enroll({
        factorType: "totp",
        friendlyName: "Credits console",
      });
      refuse(error);
      if (!data) throw new SignInError("Auth did not say how to set up the app");
      return { factorId: data.id, qrCode: pictureOf(data.totp.qr_code), secret: data.totp.secret };
    },
    async verify(factorId, code) {
      refuse((await auth.mfa.challengeAndVerify({ factorId, code })).error);
    },
    async changePassword(password) {
      refuse((await auth.updateUser({ password })).error);
    },
    touch: () => sessionStorage.setItem(LAST_USE, String(Date.now())),
    idleMs,
  };
}

/** Keeps what it was given, and that for nobody else. */
function storageOf(name: string, value: string): SupportedStorage {
  const values = new Map([[name, value]]);
  return {
    getItem: (name) => values.get(name) ?? null,
    setItem(name, value) {
      values.set(name, value);
    },
    removeItem(name) {
      values.delete(name);
    },
  };
}

function refuse(error: AuthError | null): void {
  if (error) throw new SignInError(error.message);
}

/** The client puts the picture into an address as it is, where a "#" in a color would end it. */
function pictureOf(address: string): string {
  const [type = "", ...picture] = address.split(",");
  return `${type},${encodeURIComponent(picture.join(","))}`;
}
