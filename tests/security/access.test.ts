/**
 * FRONTEND_ACCESS: whose account a page may read, and what proves it.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { createHmac, generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { createClient, FunctionsHttpError } from "@supabase/supabase-js";
import { makeLinkToken, readLinkToken } from "shared/link-token.ts";
import { setEnvironment } from "../../local/stack.ts";
import { startBackend } from "../support/backend.ts";
import { type Answer, call, dataOf, expectError } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { closedUrl, lossyProxy } from "../support/faulty-servers.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { cameByLink, linkTokenOf, signedIn } from "../support/proofs.ts";
import { orderPackage, payForPackage, verify } from "../support/purchases.ts";

const backend = await startBackend();
const { environment, razorpay, sessionKey, sql } = backend;
Deno.test.afterAll(() => backend.stop());
setEnvironment({ FRONTEND_ACCESS: "phone-proof" });

type Headers = Record<string, string>;

const PROOF_REQUIRED = { httpStatus: 401, code: "PROOF_REQUIRED" };
const INVALID_PROOF = { httpStatus: 401, code: "INVALID_PROOF" };
const NOT_THE_OWNER = { httpStatus: 403, code: "NOT_THE_OWNER" };

const PROOFS = {
  "a session": (phone: string) => signedIn(backend, phone),
  "a link": cameByLink,
};

const newSecret = () => randomBytes(32).toString("base64url");

const profile = (phone: string, headers?: Headers) => call("GET", `users/${phone}`, { headers });

const history = (userId: unknown, headers?: Headers) =>
  call("GET", `credit-history/${userId}`, { headers });

/** Makes a user, as the bot does, and returns its id. */
async function newUser(phone: string): Promise<unknown> {
  const headers = { "x-bot-secret": environment.BOT_SECRET };
  return dataOf(await profile(phone, headers)).id;
}

async function isKnown(phone: string): Promise<boolean> {
  const found = await sql`
    select from public.identities where kind = 'phone' and value = ${phone}`;
  return found.length > 0;
}

/** What two answers say to a caller, without the request's own id. */
function expectAlike(one: Answer, other: Answer): void {
  strictEqual(one.httpStatus, other.httpStatus);
  deepStrictEqual(one.body, other.body);
}

Deno.test("without a proof nobody reads an account, and nobody becomes a user", async () => {
  const [member, stranger] = [newPhoneNumber(), newPhoneNumber()];
  const id = await newUser(member);
  const answers = [
    await profile(member),
    await profile(stranger),
    await history(id),
    await history(randomUUID()),
  ];
  for (const answer of answers) {
    expectError(answer, PROOF_REQUIRED);
    expectAlike(answer, answers[0]);
  }
  strictEqual(await isKnown(stranger), false);
});

Deno.test("phone-proof is what holds when FRONTEND_ACCESS is not set", async () => {
  for (const unset of [undefined, "", "  "]) {
    await withEnvironment({ FRONTEND_ACCESS: unset }, async () => {
      expectError(await profile(newPhoneNumber()), PROOF_REQUIRED);
    });
  }
});

for (const [proof, proofOf] of Object.entries(PROOFS)) {
  Deno.test(`${proof} opens the own account`, async () => {
    const phone = newPhoneNumber();
    const headers = await proofOf(phone);
    const { id, phone_number } = dataOf(await profile(phone, headers));
    strictEqual(phone_number, phone);
    strictEqual(dataOf(await history(id, headers)).total, 1);
  });

  Deno.test(`${proof} opens nobody else's account, and does not tell whether there is one`, async () => {
    const [member, stranger] = [newPhoneNumber(), newPhoneNumber()];
    const id = await newUser(member);
    const headers = await proofOf(newPhoneNumber());
    const [known, unknown] = [await profile(member, headers), await profile(stranger, headers)];
    const [ofKnown, ofUnknown] = [await history(id, headers), await history(randomUUID(), headers)];
    for (const answer of [known, unknown, ofKnown, ofUnknown]) expectError(answer, NOT_THE_OWNER);
    expectAlike(known, unknown);
    expectAlike(ofKnown, ofUnknown);
    strictEqual(await isKnown(stranger), false);
  });

  Deno.test(`${proof} lets supabase-js read the own account`, async () => {
    const phone = newPhoneNumber();
    const supabase = createClient(environment.SUPABASE_URL, environment.SUPABASE_PUBLISHABLE_KEY, {
      auth: { persistSession: false, autoRefreshToken: false },
    });
    const call = async (path: string, headers: Headers) =>
      await supabase.functions.invoke(path, { method: "GET", headers });
    const headers = await proofOf(phone);
    const { data, error } = await call(`users/${phone}`, headers);
    strictEqual(error, null);
    strictEqual(data.data.phone_number, phone);

    const refused = [
      await call(`users/${newPhoneNumber()}`, headers),
      await call(`users/${phone}`, {}),
    ];
    const codes = refused.map(async ({ error }) => {
      ok(error instanceof FunctionsHttpError);
      return (await error.context.json()).code;
    });
    deepStrictEqual(await Promise.all(codes), ["NOT_THE_OWNER", "PROOF_REQUIRED"]);
  });
}

Deno.test("a session that supabase-js holds goes along by itself", async () => {
  const phone = newPhoneNumber();
  const { authorization } = await signedIn(backend, phone);
  const supabase = createClient(environment.SUPABASE_URL, environment.SUPABASE_PUBLISHABLE_KEY, {
    accessToken: () => Promise.resolve(authorization.replace("Bearer ", "")),
  });
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

Deno.test("the number in a session may be written with its plus sign", async () => {
  const phone = newPhoneNumber();
  dataOf(await profile(phone, await signedIn(backend, phone, { phone })));
});

// --- Forged sessions

const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");

/** A token that is signed by `sign`, with the payload of a session that would hold. */
function forgedSession(
  phone: string,
  header: Record<string, unknown>,
  sign: (text: string) => string,
): Headers {
  const text = `${encode(header)}.${
    encode({
      role: "authenticated",
      aud: "authenticated",
      phone: phone.slice(1),
      sub: randomUUID(),
      exp: Math.floor(Date.now() / 1000) + 3600,
    })
  }`;
  return { authorization: `Bearer ${text}.${sign(text)}` };
}

const { kid } = sessionKey;
const publicKey = { kty: sessionKey.kty, crv: sessionKey.crv, x: sessionKey.x, y: sessionKey.y };
const hmacWith = (secret: string) => (text: string) =>
  createHmac("sha256", secret).update(text).digest("base64url");

function strangersKey(keyId: string) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = privateKey.export({ format: "jwk" });
  return { ...sessionKey, x: String(key.x), y: String(key.y), d: String(key.d), kid: keyId };
}

const secondsFromNow = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

const BAD_SESSIONS: Record<string, (phone: string) => Headers | Promise<Headers>> = {
  "signed by another key under the project's key id": (phone) =>
    signedIn({ ...backend, sessionKey: strangersKey(kid) }, phone),
  "signed by another key under an unknown key id": (phone) =>
    signedIn({ ...backend, sessionKey: strangersKey(randomUUID()) }, phone),
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
  "with alg none and no signature": (phone) => forgedSession(phone, { alg: "none" }, () => ""),
  "with alg none and a key id": (phone) => forgedSession(phone, { alg: "none", kid }, () => ""),
  "with alg none and a signature": (phone) =>
    forgedSession(phone, { alg: "none", kid }, hmacWith("")),
  "without an alg": (phone) => forgedSession(phone, { kid }, hmacWith("")),
  "signed with the public key as an HS256 secret": (phone) =>
    forgedSession(phone, { alg: "HS256", kid }, hmacWith(JSON.stringify(publicKey))),
  "signed with a coordinate of the public key as an HS256 secret": (phone) =>
    forgedSession(phone, { alg: "HS256" }, hmacWith(sessionKey.x)),
  "signed with the publishable key as an HS256 secret": (phone) =>
    forgedSession(phone, { alg: "HS256" }, hmacWith(environment.SUPABASE_PUBLISHABLE_KEY)),
  "whose payload was exchanged": async (phone) => {
    const [mine, his] = await Promise.all([
      signedIn(backend, newPhoneNumber()),
      signedIn(backend, phone),
    ]);
    const [header, , signature] = mine.authorization.split(".");
    return { authorization: `${header}.${his.authorization.split(".")[1]}.${signature}` };
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
    strictEqual(await isKnown(phone), false);
    expectError(await history(await newUser(phone), headers), INVALID_PROOF);
  });
}

Deno.test("a key that visitors have is no proof, and no failed one either", async () => {
  const phone = newPhoneNumber();
  const anonymous = await signedIn(backend, phone, { role: "anon" });
  const apikey = environment.SUPABASE_PUBLISHABLE_KEY;
  for (const headers of [anonymous, { apikey }, { authorization: `Bearer ${apikey}` }]) {
    expectError(await profile(phone, headers), PROOF_REQUIRED);
  }
  expectError(await profile(phone, { authorization: "Basic abc" }), PROOF_REQUIRED);
});

Deno.test("somebody who signed in with an e-mail address has proven no phone number", async () => {
  const supabase = createClient(environment.SUPABASE_URL, environment.SUPABASE_PUBLISHABLE_KEY, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
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

Deno.test("while Auth is away, a session that only Auth can check is answered UNAVAILABLE", async () => {
  const phone = newPhoneNumber();
  const headers = forgedSession(phone, { alg: "HS256" }, hmacWith(newSecret()));
  await withEnvironment({ SUPABASE_URL: closedUrl() }, async () => {
    expectError(await profile(phone, headers), { httpStatus: 503, code: "UNAVAILABLE" });
  });
});

// --- Links

Deno.test("bot-link answers a page's address that carries the token where no server sees it", async () => {
  const phone = newPhoneNumber();
  const before = Date.now();
  await withEnvironment({ FRONTEND_URL: "https://shop.example/account?lang=hi" }, async () => {
    const { url, token, expires_at } = dataOf(
      await call("POST", "bot-link", { body: { phone_number: phone.slice(1) } }),
    );
    const { origin, pathname, search, hash } = new URL(String(url));
    strictEqual(`${origin}${pathname}${search}`, "https://shop.example/account?lang=hi");
    const fields = Object.fromEntries(new URLSearchParams(hash.slice(1)));
    const { user_id: _, ...rest } = fields;
    deepStrictEqual(rest, { access_token: token, phone_number: phone });
    const lifeMs = Date.parse(String(expires_at)) - before;
    ok(lifeMs > 60_000 && lifeMs <= 31 * 60_000, `${lifeMs} ms`);
    dataOf(await profile(phone, { "x-access-token": fields.access_token }));
    dataOf(await history(fields.user_id, { "x-access-token": fields.access_token }));
  });
});

Deno.test("bot-link makes no link where the page's address is missing or none", async () => {
  for (const address of [undefined, "", "shop"]) {
    await withEnvironment({ FRONTEND_URL: address }, async () => {
      const body = { phone_number: newPhoneNumber() };
      const answer = await call("POST", "bot-link", { body });
      expectError(answer, { httpStatus: 500, code: "INTERNAL" });
    });
  }
});

Deno.test("a link for somebody without a number opens that history, and no other", async () => {
  const body = { whatsapp_user_id: `IN.${randomUUID().replaceAll("-", "")}` };
  const { url, token } = dataOf(await call("POST", "bot-link", { body }));
  const userId = new URLSearchParams(new URL(String(url)).hash.slice(1)).get("user_id");
  const headers = { "x-access-token": String(token) };
  strictEqual(dataOf(await history(userId, headers)).total, 1);
  expectError(await history(await newUser(newPhoneNumber()), headers), NOT_THE_OWNER);
  expectError(await profile(newPhoneNumber(), headers), NOT_THE_OWNER);
});

Deno.test("a link ends with its time", async () => {
  const phone = newPhoneNumber();
  const owner = { userId: String(await newUser(phone)), phoneNumber: phone };
  const token = await makeLinkToken(owner, new Date(Date.now() - 1000));
  expectError(await profile(phone, { "x-access-token": token }), INVALID_PROOF);
  const valid = await makeLinkToken(owner, new Date(Date.now() + 60_000));
  dataOf(await profile(phone, { "x-access-token": valid }));
});

Deno.test("a link that was altered anywhere proves nothing", async () => {
  const [mine, his] = [newPhoneNumber(), newPhoneNumber()];
  const [token, hisToken] = [await linkTokenOf(mine), await linkTokenOf(his)];
  const [payload, signature] = token.split(".");
  const [hisPayload] = hisToken.split(".");
  const fields = JSON.parse(Buffer.from(payload, "base64url").toString());
  const later = encode({ ...fields, expires_at: fields.expires_at + 3600 });
  const flipped = (signature.startsWith("0") ? "1" : "0") + signature.slice(1);
  const altered = [
    `${hisPayload}.${signature}`,
    `${encode({ ...fields, phone_number: his })}.${signature}`,
    `${later}.${signature}`,
    `${payload}=.${signature}`,
    `${payload}.${flipped}`,
    `${payload}.${signature.toUpperCase()}`,
    `${payload}.${signature.slice(1)}`,
    `${payload}.${signature}0`,
    `${payload}.`,
    `${payload}`,
    `.${signature}`,
    `${payload}.${signature}.`,
    `${token}.${token}`,
    `${signature}.${payload}`,
    `${token}, ${hisToken}`,
    "",
    ".",
    "null",
  ];
  for (const text of altered) {
    for (const phone of [mine, his]) {
      expectError(await profile(phone, { "x-access-token": text }), INVALID_PROOF);
    }
  }
});

Deno.test("a link that was signed with something else proves nothing", async () => {
  const phone = newPhoneNumber();
  const [payload] = (await linkTokenOf(phone)).split(".");
  const text = `credits link token\n${environment.SUPABASE_URL}\n${payload}`;
  const sign = (secret: string, message: string) =>
    createHmac("sha256", secret).update(message).digest("hex");
  const { BOT_SECRET, RAZORPAY_KEY_SECRET, RAZORPAY_WEBHOOK_SECRET } = environment;
  for (
    const signature of [
      sign("", text),
      sign(newSecret(), text),
      sign(RAZORPAY_KEY_SECRET, text),
      sign(RAZORPAY_WEBHOOK_SECRET, text),
      // The right secret, but over the payload alone.
      sign(BOT_SECRET, payload),
    ]
  ) {
    const headers = { "x-access-token": `${payload}.${signature}` };
    expectError(await profile(phone, headers), INVALID_PROOF);
  }
  dataOf(await profile(phone, { "x-access-token": `${payload}.${sign(BOT_SECRET, text)}` }));
});

Deno.test("a link of another project proves nothing, even where both have one bot secret", async () => {
  const phone = newPhoneNumber();
  const owner = { userId: String(await newUser(phone)), phoneNumber: phone };
  const token = await withEnvironment(
    { SUPABASE_URL: "https://another.supabase.co" },
    () => makeLinkToken(owner, new Date(Date.now() + 60_000)),
  );
  expectError(await profile(phone, { "x-access-token": token }), INVALID_PROOF);
});

Deno.test("a link outlives the bot's secret only while the secret is BOT_SECRET_PREVIOUS", async () => {
  const phone = newPhoneNumber();
  const headers = { "x-access-token": await linkTokenOf(phone) };
  const rotated = { BOT_SECRET: newSecret(), BOT_SECRET_PREVIOUS: environment.BOT_SECRET };
  await withEnvironment(rotated, async () => {
    dataOf(await profile(phone, headers));
    // New links are signed with the new secret at once.
    const fresh = await linkTokenOf(phone);
    await withEnvironment({ BOT_SECRET_PREVIOUS: undefined }, async () => {
      expectError(await profile(phone, headers), INVALID_PROOF);
      dataOf(await profile(phone, { "x-access-token": fresh }));
    });
  });
});

Deno.test("where no bot secret is configured, or only a short one, no link proves anything", async () => {
  const owner = { userId: randomUUID(), phoneNumber: newPhoneNumber() };
  const short = "x".repeat(31);
  const token = await withEnvironment(
    { BOT_SECRET: short },
    () => makeLinkToken(owner, new Date(Date.now() + 60_000)),
  );
  const project = { SUPABASE_URL: "https://project.supabase.co" };
  for (const secret of [undefined, short]) {
    await withEnvironment({ ...project, BOT_SECRET: secret }, async () => {
      strictEqual(await readLinkToken(token), undefined);
    });
  }
});

// --- The bot, the operator, everybody

Deno.test("the bot and the operator read every account", async () => {
  const phone = newPhoneNumber();
  const id = await newUser(phone);
  const { BOT_SECRET, SUPABASE_SECRET_KEY } = environment;
  for (
    const headers of [
      { "x-bot-secret": BOT_SECRET },
      { apikey: SUPABASE_SECRET_KEY },
      { authorization: `Bearer ${SUPABASE_SECRET_KEY}` },
    ]
  ) {
    strictEqual(dataOf(await profile(phone, headers)).id, id);
    strictEqual(dataOf(await history(id, headers)).total, 1);
    expectError(await history(randomUUID(), headers), { httpStatus: 404, code: "USER_NOT_FOUND" });
  }
});

Deno.test("a wrong secret opens nothing, with a proof beside it or without", async () => {
  const phone = newPhoneNumber();
  const proof = await cameByLink(phone);
  const wrong = { "x-bot-secret": newSecret() };
  for (const headers of [wrong, { ...wrong, ...proof }]) {
    expectError(await profile(phone, headers), { httpStatus: 401, code: "INVALID_BOT_SECRET" });
  }
  expectError(await profile(phone, { apikey: "sb_secret_wrong" }), PROOF_REQUIRED);
  expectError(await profile(phone, { authorization: "Bearer sb_secret_wrong" }), INVALID_PROOF);
});

Deno.test("FRONTEND_ACCESS=public opens every account to everybody", async () => {
  await withEnvironment({ FRONTEND_ACCESS: "public" }, async () => {
    const { id } = dataOf(await profile(newPhoneNumber()));
    dataOf(await history(id));
  });
});

Deno.test.each(["Public", "proof", "true", "public,phone-proof", "none"])(
  "FRONTEND_ACCESS=%s is a mistake that opens nothing and says nothing",
  async (access) => {
    const phone = newPhoneNumber();
    await withEnvironment({ FRONTEND_ACCESS: access }, async () => {
      const answer = await profile(phone);
      expectError(answer, {
        httpStatus: 500,
        code: "INTERNAL",
        message: "Something went wrong on our side",
      });
      // A worker that starts with the mistake answers the same, and does not fail to start.
      const { default: fresh } = await freshUsers();
      const response = await fresh.fetch(new Request(`http://127.0.0.1/users/${phone}`));
      deepStrictEqual(await response.json(), answer.body);
    });
    strictEqual(await isKnown(phone), false);
  },
);

/** The module as a worker that starts now would have it. */
function freshUsers(): Promise<typeof import("../../supabase/functions/users/index.ts")> {
  return import(`../../supabase/functions/users/index.ts?${randomUUID()}`);
}

/** What a worker that starts in this environment warns of. */
async function warningsAtStart(variables: Record<string, string | undefined>): Promise<string[]> {
  const lines: string[] = [];
  const { warn } = console;
  console.warn = (line: string) => void lines.push(line);
  try {
    await withEnvironment(variables, freshUsers);
  } finally {
    console.warn = warn;
  }
  return lines;
}

Deno.test("a hosted project that is open to everybody is warned of", async () => {
  const [line, ...more] = await warningsAtStart({
    FRONTEND_ACCESS: "public",
    SUPABASE_URL: "https://project.supabase.co",
  });
  deepStrictEqual(more, []);
  const { level, message } = JSON.parse(line);
  strictEqual(level, "warn");
  ok(message.includes("FRONTEND_ACCESS"), message);
});

Deno.test("nobody is warned of a local stack, or of a project that asks for proof", async () => {
  const hosted = "https://project.supabase.co";
  for (
    const variables of [
      { FRONTEND_ACCESS: "public", SUPABASE_URL: "http://127.0.0.1:54321" },
      { FRONTEND_ACCESS: "public", SUPABASE_URL: "http://localhost:54321" },
      { FRONTEND_ACCESS: "public", SUPABASE_URL: "http://kong:8000" },
      { FRONTEND_ACCESS: "phone-proof", SUPABASE_URL: hosted },
      { FRONTEND_ACCESS: undefined, SUPABASE_URL: hosted },
    ]
  ) {
    deepStrictEqual(await warningsAtStart(variables), []);
  }
});

// --- Purchases

Deno.test("anybody may order a package for a number", async () => {
  const phone = newPhoneNumber();
  await orderPackage(phone, "starter");
  const body = { phone_number: phone, package_id: "pro" };
  for (const headers of [{ authorization: "Bearer wrong" }, { "x-access-token": "wrong" }]) {
    dataOf(await call("POST", "create-order", { body, headers }));
  }
});

Deno.test("who pays for somebody learns what was bought, and not what the account holds", async () => {
  const { control } = razorpay;
  const purchase = await payForPackage(control, newPhoneNumber(), "starter");
  const { checkout, phone, packageId } = purchase;
  const body = { ...checkout, phone_number: phone, package_id: packageId };
  const verifyWith = async (headers: Headers) =>
    dataOf(await call("POST", "verify-payment", { body, headers }));
  const told = {
    payment_id: checkout.razorpay_payment_id,
    order_id: checkout.razorpay_order_id,
    credits_added: 20,
  };
  deepStrictEqual(dataOf(await verify(purchase)), told);
  const strangers = [
    {},
    await signedIn(backend, newPhoneNumber()),
    await cameByLink(newPhoneNumber()),
    { authorization: "Bearer wrong" },
    { "x-access-token": "wrong" },
    { "x-bot-secret": newSecret() },
  ];
  for (const headers of strangers) deepStrictEqual(await verifyWith(headers), told);

  const owners = [
    await signedIn(backend, phone),
    await cameByLink(phone),
    { "x-bot-secret": environment.BOT_SECRET },
    { apikey: environment.SUPABASE_SECRET_KEY },
  ];
  for (const headers of owners) {
    deepStrictEqual(await verifyWith(headers), { ...told, remaining_credits: 23 });
  }
});
