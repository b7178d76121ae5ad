/**
 * Sessions of Supabase Auth: which ones prove a phone number, and which attempts to forge one fail.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { sessionPhoneNumber } from "shared/auth/session.ts";
import { setEnvironment } from "../../local/stack/stack.ts";
import { startBackend } from "../support/backend.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import {
  closedUrl,
  fixedAnswerServer,
  lossyProxy,
  proxyWithoutAuth,
  whileDataApiIs,
} from "../support/faulty-servers.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { signedIn } from "../support/proofs.ts";
import { signedCheckout } from "../support/purchases.ts";
import { newOrderId, newPaymentId } from "../support/razorpay-ids.ts";
import {
  history,
  INVALID_PROOF,
  newUser,
  NOT_THE_OWNER,
  profile,
  PROOF_REQUIRED,
  type RequestHeaders,
} from "../support/accounts.ts";
import { hs256, jsonWebToken, newSecret } from "../support/signing.ts";
import { pageClient } from "../support/supabase-client.ts";

const backend = await startBackend();
const { environment, secrets } = backend;
const { sessionKey } = secrets;
Deno.test.afterAll(() => backend.stop());
setEnvironment({ FRONTEND_ACCESS: "phone-proof" });

Deno.test("a session that supabase-js holds is sent automatically", async () => {
  const phone = newPhoneNumber();
  const { authorization } = await signedIn(backend, phone);
  const supabase = pageClient(environment, authorization.replace("Bearer ", ""));
  const { data, error } = await supabase.functions.invoke(`users/${phone}`, { method: "GET" });
  strictEqual(error, null);
  strictEqual(data.data.credits, 3);
});

Deno.test("a session is checked without a round trip", async () => {
  const proxy = lossyProxy(environment.SUPABASE_URL);
  try {
    const phone = newPhoneNumber();
    const headers = await signedIn(backend, phone);
    await withEnvironment({ SUPABASE_URL: proxy.url }, async () => {
      dataOf(await profile(phone, headers));
      expectError(await profile(newPhoneNumber(), headers), NOT_THE_OWNER);
    });
    deepStrictEqual(proxy.paths, ["/rest/v1/rpc/get_user"]);
  } finally {
    await proxy.stop();
  }
});

Deno.test("the keys of sessions may come as a key set or as a bare list, and not as anything else", async () => {
  const phone = newPhoneNumber();
  const headers = await signedIn(backend, phone);
  const askWith = (keys: unknown) =>
    withEnvironment({ SUPABASE_JWKS: JSON.stringify(keys) }, () => profile(phone, headers));
  const key = { ...publicKey, kid, alg: "ES256" };
  const shared = { kty: "oct", k: "c2VjcmV0", alg: "HS256" };
  for (const keys of [[key], { keys: [key] }, [shared, key]]) dataOf(await askWith(keys));
  for (const keys of [null, "", {}, { keys: {} }, [{ kid }], [null]]) {
    expectError(await askWith(keys), { httpStatus: 500, code: "INTERNAL" });
  }
});

Deno.test("the number in a session may be written with its plus sign", async () => {
  const phone = newPhoneNumber();
  dataOf(await profile(phone, await signedIn(backend, phone, { phone })));
});

Deno.test.each([
  ["541123456789", "+5491123456789"],
  ["5215512345678", "+525512345678"],
  ["551187654321", "+5511987654321"],
])(
  "a session that was signed in to as %s proves the number as it is dialed, %s",
  async (phone, number) => {
    dataOf(await profile(number, await signedIn(backend, number, { phone })));
  },
);

/** A token with this header and signature, and the payload of a session that would be accepted. */
function forgedSession(
  phone: string,
  header: Record<string, unknown>,
  signature: (text: string) => string,
): RequestHeaders {
  const payload = {
    role: "authenticated",
    aud: "authenticated",
    phone: phone.slice(1),
    sub: randomUUID(),
    exp: secondsFromNow(3600),
  };
  return { authorization: `Bearer ${jsonWebToken(header, payload, signature)}` };
}

const { kid } = sessionKey;
const publicKey = { kty: sessionKey.kty, crv: sessionKey.crv, x: sessionKey.x, y: sessionKey.y };

/** The secrets of an attacker who has everything but the private key. */
function withStrangersKey(keyId: string) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = privateKey.export({ format: "jwk" });
  const stranger = { x: String(key.x), y: String(key.y), d: String(key.d), kid: keyId };
  return { ...secrets, sessionKey: { ...sessionKey, ...stranger } };
}

const secondsFromNow = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

const BAD_SESSIONS: Record<string, (phone: string) => RequestHeaders | Promise<RequestHeaders>> = {
  "signed by another key under the project's key id": (phone) =>
    signedIn({ environment, secrets: withStrangersKey(kid) }, phone),
  "signed by another key under an unknown key id": (phone) =>
    signedIn({ environment, secrets: withStrangersKey(randomUUID()) }, phone),
  "that has expired": (phone) => signedIn(backend, phone, { exp: secondsFromNow(-1) }),
  "that never expires": (phone) => signedIn(backend, phone, { exp: undefined }),
  "without a phone number": (phone) => signedIn(backend, phone, { phone: undefined }),
  "with an empty phone number": (phone) => signedIn(backend, phone, { phone: "" }),
  "with a number for a phone number": (phone) =>
    signedIn(backend, phone, { phone: Number(phone.slice(1)) }),
  "whose phone number is metadata that users write themselves": (phone) =>
    signedIn(backend, phone, { phone: "", user_metadata: { phone: phone.slice(1) } }),
  "of the role service_role": (phone) => signedIn(backend, phone, { role: "service_role" }),
  "without a role": (phone) => signedIn(backend, phone, { role: undefined }),
  "for another audience": (phone) => signedIn(backend, phone, { aud: "anon" }),
  "without an audience": (phone) => signedIn(backend, phone, { aud: undefined }),
  "for several audiences": (phone) => signedIn(backend, phone, { aud: ["authenticated"] }),
  "that an app of somebody else was given": (phone) =>
    signedIn(backend, phone, { client_id: randomUUID() }),
  "of somebody anonymous": (phone) => signedIn(backend, phone, { is_anonymous: true }),
  "that is not valid yet": (phone) => signedIn(backend, phone, { nbf: secondsFromNow(60) }),
  "with alg none and no signature": (phone) => forgedSession(phone, { alg: "none" }, () => ""),
  "with alg none and a key id": (phone) => forgedSession(phone, { alg: "none", kid }, () => ""),
  "with alg none and a signature": (phone) => forgedSession(phone, { alg: "none", kid }, hs256("")),
  "without an alg": (phone) => forgedSession(phone, { kid }, hs256("")),
  "signed with the public key as an HS256 secret": (phone) =>
    forgedSession(phone, { alg: "HS256", kid }, hs256(JSON.stringify(publicKey))),
  "signed with a coordinate of the public key as an HS256 secret": (phone) =>
    forgedSession(phone, { alg: "HS256" }, hs256(sessionKey.x)),
  "signed with the publishable key as an HS256 secret": (phone) =>
    forgedSession(phone, { alg: "HS256" }, hs256(environment.SUPABASE_PUBLISHABLE_KEY)),
  "whose payload was exchanged": async (phone) => {
    const [mine, theirs] = await Promise.all([
      signedIn(backend, newPhoneNumber()),
      signedIn(backend, phone),
    ]);
    const [header, , signature] = mine.authorization.split(".");
    return { authorization: `${header}.${theirs.authorization.split(".")[1]}.${signature}` };
  },
  "without its signature": async (phone) => {
    const { authorization } = await signedIn(backend, phone);
    return { authorization: authorization.slice(0, authorization.lastIndexOf(".") + 1) };
  },
  "that is no token": () => ({ authorization: "Bearer session" }),
  "of three empty parts": () => ({ authorization: "Bearer .." }),
  "of three parts of nonsense": () => ({ authorization: "Bearer a.b.c" }),
};

for (const [name, forge] of Object.entries(BAD_SESSIONS)) {
  Deno.test(`a session ${name} proves nothing`, async () => {
    const phone = newPhoneNumber();
    const headers = await forge(phone);
    expectError(await profile(phone, headers), INVALID_PROOF);
    expectError(await history(await newUser(phone), headers), INVALID_PROOF);
  });
}

Deno.test("a key that visitors have is no proof, and no failed one either", async () => {
  const phone = newPhoneNumber();
  const anonymous = await signedIn(backend, phone, { role: "anon" });
  const apikey = environment.SUPABASE_PUBLISHABLE_KEY;
  const visitors: RequestHeaders[] = [
    anonymous,
    { apikey },
    { authorization: `Bearer ${apikey}` },
    { authorization: "Basic abc" },
  ];
  for (const headers of visitors) {
    expectError(await profile(phone, headers), PROOF_REQUIRED);
  }
});

Deno.test("somebody who signed in with an e-mail address has proven no phone number", async () => {
  const supabase = pageClient(environment);
  const phone = newPhoneNumber();
  const { data, error } = await supabase.auth.signUp({
    email: `${randomUUID()}@example.com`,
    password: newSecret(),
    options: { data: { phone: phone.slice(1) } },
  });
  strictEqual(error, null);
  const headers = { authorization: `Bearer ${data.session?.access_token}` };
  expectError(await profile(phone, headers), INVALID_PROOF);
});

Deno.test("a session of Supabase Auth may have further claims", async () => {
  const phone = newPhoneNumber();
  const claims = { is_anonymous: false, nbf: secondsFromNow(0), session_id: randomUUID() };
  dataOf(await profile(phone, await signedIn(backend, phone, claims)));
});

Deno.test("on the hosted platform a session has to be of the project's own Auth", async () => {
  const phone = newPhoneNumber();
  const hosted = "https://abcdefghijklmnopqrst.supabase.co";
  const tokenOf = async (iss: string | undefined) =>
    (await signedIn(backend, phone, { iss })).authorization.replace("Bearer ", "");
  const own = await tokenOf(`${hosted}/auth/v1`);
  const others = [
    await tokenOf("https://bcdefghijklmnopqrstu.supabase.co/auth/v1"),
    await tokenOf("supabase"),
    await tokenOf(undefined),
  ];
  await withEnvironment({ SUPABASE_URL: hosted }, async () => {
    strictEqual(await sessionPhoneNumber(own), phone);
    for (const token of others) strictEqual(await sessionPhoneNumber(token), undefined);
  });
});

/** What a proxy in front of the project has been asked for, besides the database. */
async function askedOfAuth(
  keys: unknown,
  act: () => Promise<void>,
): Promise<string[]> {
  const proxy = lossyProxy(environment.SUPABASE_URL);
  const variables = { SUPABASE_URL: proxy.url, SUPABASE_JWKS: JSON.stringify(keys) };
  try {
    await withEnvironment(variables, act);
  } finally {
    await proxy.stop();
  }
  return proxy.paths.filter((path) => path.startsWith("/auth/"));
}

const SHARED_KEY = { kty: "oct", alg: "HS256", k: "c2VjcmV0" };
const PUBLIC_KEY = { ...publicKey, kid, alg: "ES256" };

Deno.test("where the keys of sessions are known, a made-up session costs no call to Auth", async () => {
  const phone = newPhoneNumber();
  const madeUp = [
    await signedIn({ environment, secrets: withStrangersKey(randomUUID()) }, phone),
    await signedIn({ environment, secrets: withStrangersKey(kid) }, phone),
    forgedSession(phone, { alg: "HS256" }, hs256(newSecret())),
    forgedSession(phone, { alg: "HS256", kid }, hs256(newSecret())),
    forgedSession(phone, { alg: "none" }, () => ""),
    forgedSession(phone, {}, () => "c2ln"),
    { authorization: "Bearer a.b.c" },
  ];
  const asked = await askedOfAuth({ keys: [PUBLIC_KEY] }, async () => {
    for (const headers of madeUp) expectError(await profile(phone, headers), INVALID_PROOF);
  });
  deepStrictEqual(asked, []);
});

Deno.test.each([
  ["no key is known", { keys: [] }],
  ["the legacy secret is among the keys", { keys: [SHARED_KEY, PUBLIC_KEY] }],
])(
  "where %s Auth is asked about a session of the legacy secret, once a minute",
  async (_, keys) => {
    const phone = newPhoneNumber();
    const [one, other] = [0, 1].map(() =>
      forgedSession(phone, { alg: "HS256" }, hs256(newSecret()))
    );
    const asked = await askedOfAuth(keys, async () => {
      for (const headers of [one, one, other, one, other]) {
        expectError(await profile(phone, headers), INVALID_PROOF);
      }
    });
    deepStrictEqual(asked, ["/auth/v1/user", "/auth/v1/user"]);
  },
);

Deno.test.each(["phone-proof", "public"])(
  "while Auth is away, an owner who buys is not taken for a stranger, with FRONTEND_ACCESS %s",
  async (access) => {
    const phone = newPhoneNumber();
    const session = forgedSession(phone, { alg: "HS256" }, hs256(newSecret()));
    const purchase = { phone_number: phone, package_id: "starter" };
    const order = (headers: RequestHeaders) =>
      call("POST", "create-order", { body: purchase, headers });
    const verify = (headers: RequestHeaders) =>
      call("POST", "verify-payment", {
        body: { ...purchase, ...signedCheckout(newOrderId(), newPaymentId()) },
        headers,
      });
    const keys = { FRONTEND_ACCESS: access, SUPABASE_JWKS: JSON.stringify({ keys: [] }) };
    await withEnvironment(keys, async () => {
      await whileDataApiIs(proxyWithoutAuth(environment.SUPABASE_URL), async () => {
        for (const attempt of [order, verify]) {
          expectError(await attempt(session), { httpStatus: 503, code: "UNAVAILABLE" });
        }
        // Auth is not needed for callers who claim nothing.
        dataOf(await order({}));
        expectError(await verify({}), { httpStatus: 404, code: "ORDER_NOT_FOUND" });
      });
    });
  },
);

Deno.test("while Auth is away, a session that only Auth can check is answered UNAVAILABLE", async () => {
  const phone = newPhoneNumber();
  const headers = forgedSession(phone, { alg: "HS256" }, hs256(newSecret()));
  const unknown = { SUPABASE_JWKS: JSON.stringify({ keys: [] }) };
  await withEnvironment({ ...unknown, SUPABASE_URL: closedUrl() }, async () => {
    expectError(await profile(phone, headers), { httpStatus: 503, code: "UNAVAILABLE" });
  });
  // Nor is that remembered as a refusal.
  const busy = fixedAnswerServer(429, "application/json", '{"msg":"slow down"}');
  await withEnvironment({ ...unknown, SUPABASE_URL: busy.url }, async () => {
    expectError(await profile(phone, headers), { httpStatus: 503, code: "UNAVAILABLE" });
  });
  await busy.stop();
});
