/**
 * Signing in as an operator with @supabase/auth-js, as the console does: at the embedded Auth with a
 * password, and at the stand-in for Auth with a second factor.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { AuthClient, type GoTrueClient } from "@supabase/auth-js";
import { startAuthStandIn, totpCode } from "../support/auth-stand-in.ts";
import { startBackend } from "../support/backend.ts";
import { type Answer, dataOf, expectError, readAnswer } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { one } from "../support/lists.ts";
import { newSecret } from "../support/signing.ts";

const backend = await startBackend();
const { environment, sql } = backend;
const standIn = startAuthStandIn(backend);
Deno.test.afterAll(async () => {
  await standIn.stop();
  await backend.stop();
});

const INVALID_SESSION = { httpStatus: 401, code: "INVALID_SESSION" };
const SECOND_FACTOR_REQUIRED = { httpStatus: 403, code: "SECOND_FACTOR_REQUIRED" };

/** A client of Auth as a page has one, with nothing but the publishable key. */
function clientOf(url: string): GoTrueClient {
  return new AuthClient({
    url: `${url}/auth/v1`,
    headers: { apikey: environment.SUPABASE_PUBLISHABLE_KEY },
    storageKey: crypto.randomUUID(),
    persistSession: false,
    autoRefreshToken: false,
  });
}

/** Makes a user of Auth as `deno task operator add` does, and an operator. */
async function newOperator(url: string): Promise<{ email: string; password: string }> {
  const email = `${crypto.randomUUID()}@example.com`;
  const password = newSecret();
  const response = await makeUser(url, email, password);
  strictEqual(response.status, 200);
  await response.body?.cancel();
  await sql`select from public.add_operator(${email}, 'Asha', 'owner')`;
  return { email, password };
}

function makeUser(
  url: string,
  email: string,
  password: string,
  apikey = environment.SUPABASE_SECRET_KEY,
): Promise<Response> {
  return fetch(`${url}/auth/v1/admin/users`, {
    method: "POST",
    headers: { apikey, "content-type": "application/json" },
    body: JSON.stringify({ email, password, email_confirm: true }),
  });
}

/** Asks who is signed in, with the session that a client has or had. */
async function whoIs(url: string, token: string): Promise<Answer> {
  return await readAnswer(
    await fetch(`${url}/functions/v1/get-operator`, {
      headers: { authorization: `Bearer ${token}` },
    }),
  );
}

async function tokenOf(auth: GoTrueClient): Promise<string> {
  const { data } = await auth.getSession();
  ok(data.session);
  return data.session.access_token;
}

async function signIn(url: string): Promise<GoTrueClient> {
  const auth = clientOf(url);
  const { error } = await auth.signInWithPassword(await newOperator(url));
  strictEqual(error, null);
  return auth;
}

const AUTHS: Record<string, string> = {
  "the embedded Auth": environment.SUPABASE_URL,
  "the stand-in": standIn.url,
};

for (const [name, url] of Object.entries(AUTHS)) {
  Deno.test(`an operator signs in at ${name} with a password, stays signed in, and signs out`, async () => {
    const auth = await signIn(url);
    const first = await tokenOf(auth);
    strictEqual(dataOf(await whoIs(url, first)).name, "Asha");
    strictEqual((await auth.getUser()).data.user?.id, dataOf(await whoIs(url, first)).operator_id);

    strictEqual((await auth.refreshSession()).error, null);
    const second = await tokenOf(auth);
    strictEqual(dataOf(await whoIs(url, second)).role, "owner");

    strictEqual((await auth.signOut()).error, null);
    for (const token of [first, second]) expectError(await whoIs(url, token), INVALID_SESSION);
  });

  Deno.test(`a wrong password signs nobody in at ${name}, and nobody makes a user without the secret key`, async () => {
    const { email, password } = await newOperator(url);
    const { error } = await clientOf(url).signInWithPassword({ email, password: newSecret() });
    strictEqual(error?.code, "invalid_credentials");

    const stranger = `${crypto.randomUUID()}@example.com`;
    for (const key of [environment.SUPABASE_PUBLISHABLE_KEY, "", newSecret()]) {
      const refused = await makeUser(url, stranger, password, key);
      await refused.body?.cancel();
      strictEqual(refused.status, 403);
    }
    const again = await makeUser(url, email.toUpperCase(), password);
    strictEqual(again.status, 422);
    match(await again.text(), /email_exists/);
  });

  Deno.test(`a page of another origin may sign in at ${name}`, async () => {
    const response = await fetch(`${url}/auth/v1/token?grant_type=password`, {
      method: "OPTIONS",
      headers: {
        origin: "https://console.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "apikey,content-type,x-supabase-api-version",
      },
    });
    strictEqual(response.headers.get("access-control-allow-origin"), "*");
    match(response.headers.get("access-control-allow-headers") ?? "", /apikey,content-type/);
    const signedOut = await fetch(`${url}/auth/v1/user`, {
      headers: { origin: "https://console.example" },
    });
    await signedOut.body?.cancel();
    strictEqual(signedOut.headers.get("access-control-allow-origin"), "*");
  });
}

Deno.test("the second factor makes the session of an operator one that is accepted", async () => {
  await withEnvironment({ CONSOLE_SECOND_FACTOR: "required" }, async () => {
    const { url } = standIn;
    const auth = await signIn(url);
    const before = await tokenOf(auth);
    expectError(await whoIs(url, before), SECOND_FACTOR_REQUIRED);
    deepStrictEqual((await auth.mfa.getAuthenticatorAssuranceLevel()).data?.nextLevel, "aal1");

    const { data: factor, error } = await auth.mfa.enroll({ factorType: "totp" });
    strictEqual(error, null);
    match(factor.totp.qr_code, /^data:image\/svg\+xml/);
    match(factor.totp.uri, new RegExp(`secret=${factor.totp.secret}$`));
    expectError(await whoIs(url, await tokenOf(auth)), SECOND_FACTOR_REQUIRED);

    const wrong = await auth.mfa.challengeAndVerify({ factorId: factor.id, code: "000000" });
    strictEqual(wrong.error?.code, "mfa_verification_failed");
    const code = totpCode(factor.totp.secret);
    const right = await auth.mfa.challengeAndVerify({ factorId: factor.id, code });
    strictEqual(right.error, null);
    const { data: level } = await auth.mfa.getAuthenticatorAssuranceLevel();
    deepStrictEqual([level?.currentLevel, level?.nextLevel], ["aal2", "aal2"]);
    dataOf(await whoIs(url, await tokenOf(auth)));
    strictEqual((await auth.refreshSession()).error, null);
    dataOf(await whoIs(url, await tokenOf(auth)));
    // The token from before says that it has none, and goes on saying so.
    expectError(await whoIs(url, before), SECOND_FACTOR_REQUIRED);
  });
});

Deno.test("a password alone neither signs in again nor enrolls another factor", async () => {
  await withEnvironment({ CONSOLE_SECOND_FACTOR: "required" }, async () => {
    const { url } = standIn;
    const credentials = await newOperator(url);
    const [first, other] = [clientOf(url), clientOf(url)];
    for (const auth of [first, other]) {
      strictEqual((await auth.signInWithPassword(credentials)).error, null);
    }
    const { data: factor } = await first.mfa.enroll({ factorType: "totp", friendlyName: "Phone" });
    ok(factor);
    const code = totpCode(factor.totp.secret);
    const verified = await first.mfa.challengeAndVerify({ factorId: factor.id, code });
    strictEqual(verified.error, null);
    // Whoever else was signed in with the password is signed out.
    strictEqual((await other.refreshSession()).error?.code, "refresh_token_not_found");

    const thief = clientOf(url);
    strictEqual((await thief.signInWithPassword(credentials)).error, null);
    expectError(await whoIs(url, await tokenOf(thief)), SECOND_FACTOR_REQUIRED);
    deepStrictEqual((await thief.mfa.getAuthenticatorAssuranceLevel()).data?.nextLevel, "aal2");
    strictEqual((await thief.mfa.enroll({ factorType: "totp" })).error?.code, "insufficient_aal");
    strictEqual(
      (await thief.mfa.unenroll({ factorId: factor.id })).error?.code,
      "insufficient_aal",
    );
    const [listed] = (await thief.mfa.listFactors()).data?.totp ?? [];
    strictEqual(listed?.friendly_name, "Phone");
    strictEqual((await first.mfa.unenroll({ factorId: factor.id })).error, null);
  });
});

Deno.test("the stand-in counts as RFC 6238 does", () => {
  // The secret of its appendix B, 12345678901234567890, and the last six digits of its values.
  const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
  const values: [number, string][] = [
    [59, "287082"],
    [1_111_111_109, "081804"],
    [20_000_000_000, "353130"],
  ];
  for (const [seconds, code] of values) strictEqual(totpCode(secret, seconds * 1000), code);
});

Deno.test("a user whose address is not confirmed, or who is not there, does not become an operator", async () => {
  const id = crypto.randomUUID();
  const email = `${id}@example.com`;
  const add = async (address: string) =>
    one(await sql`select outcome, user_id from public.add_operator(${address}, 'Asha', 'owner')`);
  deepStrictEqual({ ...await add(email) }, { outcome: "user_not_found", user_id: null });
  await sql`insert into auth.users (id, email) values (${id}, ${email})`;
  deepStrictEqual({ ...await add(email) }, { outcome: "email_not_confirmed", user_id: null });
  strictEqual((await sql`select from public.operators where user_id = ${id}`).length, 0);
  await sql`update auth.users set email_confirmed_at = now() where id = ${id}`;
  deepStrictEqual({ ...await add(` ${email.toUpperCase()}`) }, { outcome: "added", user_id: id });
  deepStrictEqual({ ...await add(email) }, { outcome: "changed", user_id: id });
});
