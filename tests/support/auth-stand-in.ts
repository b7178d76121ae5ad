/**
 * A stand-in for Supabase Auth, with what the embedded Auth lacks: second factors, and sessions signed
 * with a key of the project. It serves the paths that @supabase/auth-js calls, as Auth's own source and
 * openapi.yaml have them, and passes everything else on to a backend. It was never compared with a hosted
 * project.
 *
 * Users and sessions are rows of the backend's database, where Auth has them too.
 * @module
 */

import { Buffer } from "node:buffer";
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import type postgres from "postgres";
import { z } from "zod";
import { sessionKeys } from "../../local/stack/secrets.ts";
import { mintSession } from "../../local/stack/session-token.ts";
import type { Backend } from "./backend.ts";
import { keepPrivate } from "./private-values.ts";

/** A running stand-in. */
export interface AuthStandIn {
  /** Takes the place of `SUPABASE_URL` for a page and for `deno task operator`. */
  readonly url: string;
  /** Makes a user whose address is confirmed. Returns the id. */
  addUser(email: string, password: string): Promise<string>;
  stop(): Promise<void>;
}

const SESSION_SECONDS = 3600;
const CHALLENGE_SECONDS = 300;
const TOTP_SECONDS = 30;

interface Factor {
  readonly id: string;
  readonly secret: string;
  readonly friendlyName: string;
  readonly createdAt: string;
  isVerified: boolean;
}

interface User {
  readonly id: string;
  readonly email: string;
  readonly createdAt: string;
  password: string;
  readonly factors: Map<string, Factor>;
}

interface Session {
  readonly id: string;
  readonly user: User;
  readonly methods: { method: string; timestamp: number }[];
  level: "aal1" | "aal2";
  refreshToken: string;
}

/** Ends a request as Auth does. */
class AuthError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Starts a stand-in in front of a backend. */
export function startAuthStandIn(backend: Backend): AuthStandIn {
  const auth = new Auth(backend);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => auth.answer(request),
  );
  auth.url = `http://127.0.0.1:${server.addr.port}`;
  return {
    url: auth.url,
    addUser: async (email, password) => (await auth.addUser(email, password)).id,
    stop: () => server.shutdown(),
  };
}

/** The code that an authenticator shows for a secret (RFC 6238, as Auth uses it). */
export function totpCode(secret: string, time = Date.now()): string {
  const counter = new DataView(new ArrayBuffer(8));
  counter.setBigUint64(0, BigInt(Math.floor(time / 1000 / TOTP_SECONDS)));
  const digest = createHmac("sha1", fromBase32(secret)).update(counter).digest();
  const number = digest.readUInt32BE(digest.readUInt8(19) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

const credentials = z.object({ email: z.string(), password: z.string() });
const refresh = z.object({ refresh_token: z.string() });
const enrollment = z.object({
  factor_type: z.literal("totp"),
  friendly_name: z.string().nullish(),
});
const verification = z.object({ challenge_id: z.string(), code: z.string() });
const change = z.object({ password: z.string().min(6) });

class Auth {
  url = "";
  readonly #backend: Backend;
  readonly #sql: postgres.Sql;
  readonly #users = new Map<string, User>();
  readonly #sessions = new Map<string, Session>();
  readonly #challenges = new Map<string, { factor: Factor; expiresAt: number }>();

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#sql = backend.sql;
  }

  /** Answers Auth's paths, and passes others on. */
  async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (!url.pathname.startsWith("/auth/v1/")) return await this.#passOn(request, url);
    const headers = {
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET, POST, PUT, DELETE, OPTIONS",
      "access-control-allow-headers": request.headers.get("access-control-request-headers") ?? "",
      "access-control-expose-headers": "x-supabase-api-version",
      "x-supabase-api-version": "2024-01-01",
    };
    if (request.method === "OPTIONS") return new Response(null, { status: 204, headers });
    try {
      const path = url.pathname.slice("/auth/v1".length);
      const answer = await this.#route(`${request.method} ${path}`, url, request);
      return answer === undefined
        ? new Response(null, { status: 204, headers })
        : Response.json(answer, { headers });
    } catch (error) {
      const known = error instanceof AuthError ? error : badRequest(error);
      const { status, code, message } = known;
      return Response.json({ code, message }, { status, headers });
    }
  }

  async addUser(email: string, password: string): Promise<User> {
    if (this.#users.has(email)) {
      const message = "A user with this email address has already been registered";
      throw new AuthError(422, "email_exists", message);
    }
    const user: User = {
      id: randomUUID(),
      email,
      password,
      createdAt: new Date().toISOString(),
      factors: new Map(),
    };
    await this.#sql`
      insert into auth.users (id, email, email_confirmed_at, aud, role, created_at)
      values (${user.id}, ${email}, now(), 'authenticated', 'authenticated', now())`;
    this.#users.set(email, user);
    return user;
  }

  async #passOn(request: Request, url: URL): Promise<Response> {
    const { method, headers, body } = request;
    const forwarded = new Headers(headers);
    forwarded.delete("host");
    const address = new URL(url.pathname + url.search, this.#backend.environment.SUPABASE_URL);
    return await fetch(address, { method, headers: forwarded, body, redirect: "manual" });
  }

  async #route(route: string, url: URL, request: Request): Promise<unknown> {
    const body = async () => await request.json().catch(() => ({}));
    switch (route) {
      case "GET /settings":
        return { external: { email: true, phone: false }, disable_signup: true };
      case "GET /.well-known/jwks.json":
        return { keys: sessionKeys(this.#backend.secrets).filter(({ kty }) => kty === "EC") };
      case "POST /admin/users": {
        if (request.headers.get("apikey") !== this.#backend.environment.SUPABASE_SECRET_KEY) {
          throw new AuthError(403, "not_admin", "User not allowed");
        }
        const { email, password } = credentials.parse(await body());
        return userJson(await this.addUser(email.toLowerCase(), password));
      }
      case "POST /token":
        return url.searchParams.get("grant_type") === "password"
          ? await this.#signIn(credentials.parse(await body()))
          : await this.#refresh(refresh.parse(await body()).refresh_token);
    }
    const session = await this.#sessionOf(request);
    switch (route) {
      case "GET /user":
        return userJson(session.user);
      case "PUT /user":
        session.user.password = change.parse(await body()).password;
        return userJson(session.user);
      case "POST /logout":
        return await this.#signOut(session, url.searchParams.get("scope") ?? "global");
      case "POST /factors":
        return this.#enroll(session, enrollment.parse(await body()));
    }
    const [, id = "", act] = /^(?:POST|DELETE) \/factors\/([^/]+)(?:\/(\w+))?$/.exec(route) ?? [];
    const factor = session.user.factors.get(id);
    if (factor === undefined) throw new AuthError(404, "mfa_factor_not_found", "Factor not found");
    if (act === "challenge") return this.#challenge(factor);
    if (act === "verify") {
      return await this.#verify(session, factor, verification.parse(await body()));
    }
    if (factor.isVerified && session.level !== "aal2") {
      throw new AuthError(422, "insufficient_aal", "AAL2 required to unenroll verified factor");
    }
    session.user.factors.delete(id);
    return { id };
  }

  async #signIn({ email, password }: z.infer<typeof credentials>): Promise<unknown> {
    const user = this.#users.get(email.toLowerCase());
    if (user === undefined || user.password !== password) {
      throw new AuthError(400, "invalid_credentials", "Invalid login credentials");
    }
    const session: Session = {
      id: randomUUID(),
      user,
      level: "aal1",
      methods: [{ method: "password", timestamp: secondsNow() }],
      refreshToken: newRefreshToken(),
    };
    await this.#sql`
      insert into auth.sessions (id, user_id, aal, created_at, updated_at)
      values (${session.id}, ${user.id}, 'aal1', now(), now())`;
    this.#sessions.set(session.id, session);
    return await this.#sessionJson(session);
  }

  async #refresh(token: string): Promise<unknown> {
    const session = [...this.#sessions.values()].find(({ refreshToken }) => refreshToken === token);
    if (session === undefined) {
      const message = "Invalid Refresh Token: Refresh Token Not Found";
      throw new AuthError(400, "refresh_token_not_found", message);
    }
    session.refreshToken = newRefreshToken();
    return await this.#sessionJson(session);
  }

  async #signOut({ id, user }: Session, scope: string): Promise<undefined> {
    await this.#end((session) =>
      scope === "local"
        ? session.id === id
        : session.user === user && (scope === "global" || session.id !== id)
    );
  }

  async #end(isOver: (session: Session) => boolean): Promise<void> {
    for (const session of [...this.#sessions.values()].filter(isOver)) {
      this.#sessions.delete(session.id);
      await this.#sql`delete from auth.sessions where id = ${session.id}`;
    }
  }

  #enroll({ user, level }: Session, { friendly_name }: z.infer<typeof enrollment>): unknown {
    const factors = [...user.factors.values()];
    if (factors.some(({ isVerified }) => isVerified) && level !== "aal2") {
      throw new AuthError(403, "insufficient_aal", "AAL2 required to enroll a new factor");
    }
    const friendlyName = friendly_name ?? "";
    if (factors.some((factor) => factor.friendlyName === friendlyName)) {
      const message =
        `A factor with the friendly name "${friendlyName}" for this user already exists`;
      throw new AuthError(422, "mfa_factor_name_conflict", message);
    }
    const secret = toBase32(randomBytes(20));
    keepPrivate(secret);
    const createdAt = new Date().toISOString();
    const factor = { id: randomUUID(), secret, friendlyName, createdAt, isVerified: false };
    user.factors.set(factor.id, factor);
    const uri = `otpauth://totp/${new URL(this.url).host}:${encodeURIComponent(user.email)}` +
      `?algorithm=SHA1&digits=6&issuer=${new URL(this.url).host}&period=30&secret=${secret}`;
    return {
      id: factor.id,
      type: "totp",
      friendly_name: friendlyName,
      totp: { qr_code: PICTURE, secret, uri },
    };
  }

  #challenge(factor: Factor): unknown {
    const id = randomUUID();
    const expiresAt = secondsNow() + CHALLENGE_SECONDS;
    this.#challenges.set(id, { factor, expiresAt });
    return { id, type: "totp", expires_at: expiresAt };
  }

  async #verify(
    session: Session,
    factor: Factor,
    { challenge_id, code }: z.infer<typeof verification>,
  ): Promise<unknown> {
    const challenge = this.#challenges.get(challenge_id);
    if (challenge?.factor !== factor || challenge.expiresAt < secondsNow()) {
      throw new AuthError(422, "mfa_challenge_expired", "MFA challenge has expired");
    }
    // The clock of a phone may be a little off.
    const codes = [-1, 0, 1].map((step) =>
      totpCode(factor.secret, Date.now() + step * TOTP_SECONDS * 1000)
    );
    if (!codes.includes(code)) {
      throw new AuthError(422, "mfa_verification_failed", "Invalid TOTP code entered");
    }
    this.#challenges.delete(challenge_id);
    factor.isVerified = true;
    session.level = "aal2";
    session.methods.unshift({ method: "totp", timestamp: secondsNow() });
    session.refreshToken = newRefreshToken();
    await this.#sql`
      update auth.sessions set aal = 'aal2', factor_id = ${factor.id} where id = ${session.id}`;
    // Whoever is signed in elsewhere has not shown the second factor.
    await this.#end(({ user, level }) => user === session.user && level === "aal1");
    return await this.#sessionJson(session);
  }

  async #sessionOf(request: Request): Promise<Session> {
    const token = request.headers.get("authorization")?.replace(/^Bearer /, "") ?? "";
    if (!(await this.#isOwn(token))) throw new AuthError(403, "bad_jwt", "Invalid JWT");
    const [, payload = ""] = token.split(".");
    const { session_id } = z.object({ session_id: z.string() })
      .parse(JSON.parse(Buffer.from(payload, "base64url").toString()));
    const session = this.#sessions.get(session_id);
    if (session === undefined) {
      throw new AuthError(403, "session_not_found", "Session from session_id claim does not exist");
    }
    return session;
  }

  async #isOwn(token: string): Promise<boolean> {
    const [header = "", payload = "", signature = ""] = token.split(".");
    const { kty, crv, x, y } = this.#backend.secrets.sessionKey;
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("jwk", { kty, crv, x, y }, algorithm, false, [
      "verify",
    ]);
    const text = new TextEncoder().encode(`${header}.${payload}`);
    return await crypto.subtle.verify(algorithm, key, Buffer.from(signature, "base64url"), text);
  }

  async #sessionJson(session: Session): Promise<unknown> {
    const { user, level, methods, refreshToken } = session;
    const expiresAt = secondsNow() + SESSION_SECONDS;
    const accessToken = await mintSession({
      key: this.#backend.secrets.sessionKey,
      phoneNumber: "",
      issuer: `${this.url}/auth/v1`,
      expiresAt: new Date(expiresAt * 1000),
      claims: {
        sub: user.id,
        email: user.email,
        app_metadata: { provider: "email", providers: ["email"] },
        user_metadata: {},
        aal: level,
        amr: methods,
        session_id: session.id,
        is_anonymous: false,
      },
    });
    for (const secret of [accessToken, refreshToken]) keepPrivate(secret);
    return {
      access_token: accessToken,
      token_type: "bearer",
      expires_in: SESSION_SECONDS,
      expires_at: expiresAt,
      refresh_token: refreshToken,
      user: userJson(user),
    };
  }
}

function badRequest(error: unknown): AuthError {
  if (!(error instanceof z.ZodError)) throw error;
  return new AuthError(400, "validation_failed", "The request body is not valid");
}

/** In place of a QR code, which a test does not scan. */
const PICTURE =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 2"><path d="M0 0h1v1H0z"/></svg>';

function userJson({ id, email, createdAt, factors }: User): unknown {
  return {
    id,
    aud: "authenticated",
    role: "authenticated",
    email,
    email_confirmed_at: createdAt,
    phone: "",
    app_metadata: { provider: "email", providers: ["email"] },
    user_metadata: {},
    identities: [],
    factors: [...factors.values()].map((factor) => ({
      id: factor.id,
      friendly_name: factor.friendlyName,
      factor_type: "totp",
      status: factor.isVerified ? "verified" : "unverified",
      created_at: factor.createdAt,
      updated_at: factor.createdAt,
    })),
    created_at: createdAt,
    updated_at: createdAt,
    is_anonymous: false,
  };
}

const secondsNow = () => Math.floor(Date.now() / 1000);
const newRefreshToken = () => randomBytes(12).toString("base64url");

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function toBase32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? []).map((five) => BASE32.charAt(parseInt(five, 2))).join("");
}

function fromBase32(text: string): Uint8Array {
  const bits = [...text].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, "0"));
  const bytes = bits.join("").match(/.{8}/g) ?? [];
  return Uint8Array.from(bytes.map((eight) => parseInt(eight, 2)));
}
