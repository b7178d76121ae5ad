/**
 * Sessions of operators: every function for operators takes one that is valid, of an operator whose role
 * suffices, and no other.
 * @module
 */

import { deepStrictEqual, notStrictEqual, ok, strictEqual } from "node:assert/strict";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { OPERATIONS } from "shared/contract/operations.ts";
import { newUser } from "../support/accounts.ts";
import { startBackend } from "../support/backend.ts";
import { type Answer, call, dataOf, expectError, parseAnswer } from "../support/calls.ts";
import { withEnvironment } from "../support/environment.ts";
import { one } from "../support/lists.ts";
import { act, newOperator, newTicket, type OperatorInSession } from "../support/operators.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { cameByLink, signedIn } from "../support/proofs.ts";
import { hs256, jsonWebToken, newSecret } from "../support/signing.ts";
import { type ValidRequest, validRequests } from "../support/valid-requests.ts";

const backend = await startBackend();
const { environment, secrets, sql } = backend;
Deno.test.afterAll(() => backend.stop());

const CONSOLE = "https://console.example";
const REQUIRED = { CONSOLE_SECOND_FACTOR: "required", CONSOLE_ORIGIN: CONSOLE };

const REQUESTS = (await validRequests(backend)).filter(({ operation }) =>
  operation.caller === "operator"
);
const FOR_SESSIONS = REQUESTS.filter(({ operation }) => operation.operatorRole !== undefined);
const FOR_OWNERS = FOR_SESSIONS.filter(({ operation }) => operation.operatorRole === "owner");

type RequestHeaders = Record<string, string>;

/** Sends a request with these headers alone, over HTTP. */
async function send({ operation, fields }: ValidRequest, headers: RequestHeaders): Promise<Answer> {
  const { name, method } = operation;
  const query = new URLSearchParams(
    Object.entries(fields).map(([field, value]) => [field, String(value)]),
  );
  const path = method === "GET" ? `${name}?${query}` : name;
  const response = await fetch(`${environment.SUPABASE_URL}/functions/v1/${path}`, {
    method,
    headers,
    body: method === "POST" ? JSON.stringify(fields) : null,
  });
  return parseAnswer(response, await response.text());
}

/** Everything that an operator's call could change. */
async function state(): Promise<unknown> {
  const tables = await sql`
    select
      (select jsonb_agg(to_jsonb(u) order by u.id) from public.users u) as users,
      (select count(*) from public.credit_transactions) as entries,
      (select count(*) from public.operator_actions) as actions,
      (select count(*) from public.payment_reversals) as reversals,
      (select jsonb_agg(to_jsonb(o) order by o.id) from public.payment_orders o) as orders,
      (select jsonb_agg(to_jsonb(h) order by h.reference_id) from public.holds h) as holds`;
  return [...tables];
}

const newUserId = () => newUser(newPhoneNumber());

const secondsFromNow = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

/** The key of somebody else, under the id of the project's. */
function strangersSecrets() {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x, y, d } = privateKey.export({ format: "jwk" });
  const { sessionKey } = secrets;
  const key = { ...sessionKey, x: String(x), y: String(y), d: String(d) };
  return { ...secrets, sessionKey: key };
}

/** A session of an operator whose token was made by hand. */
function forged(
  { id, email }: OperatorInSession,
  header: Record<string, unknown>,
  signature: (text: string) => string,
): RequestHeaders {
  const payload = {
    role: "authenticated",
    aud: "authenticated",
    aal: "aal2",
    sub: id,
    email,
    exp: secondsFromNow(3600),
  };
  return { authorization: `Bearer ${jsonWebToken(header, payload, signature)}` };
}

const owner = await newOperator(backend);
const customer = newPhoneNumber();
const { kid, kty, crv, x, y } = secrets.sessionKey;
const sessionOf = async (claims: Record<string, unknown>) =>
  (await newOperator(backend, { claims })).headers;

async function disabled(): Promise<RequestHeaders> {
  const { id, headers } = await newOperator(backend);
  await sql`update public.operators set disabled_at = now() where user_id = ${id}`;
  return headers;
}

/** A session of a user of Auth who has signed out since. */
async function ended(): Promise<RequestHeaders> {
  return await sessionOf({ session_id: randomUUID() });
}

const INVALID_SESSION = { httpStatus: 401, code: "INVALID_SESSION" };
const INVALID_SECRET_KEY = { httpStatus: 401, code: "INVALID_SECRET_KEY" };
const SECOND_FACTOR_REQUIRED = { httpStatus: 403, code: "SECOND_FACTOR_REQUIRED" };
const NOT_AN_OPERATOR = { httpStatus: 403, code: "NOT_AN_OPERATOR" };
const NOT_ALLOWED = { httpStatus: 403, code: "NOT_ALLOWED" };
const ORIGIN_NOT_ALLOWED = { httpStatus: 403, code: "ORIGIN_NOT_ALLOWED" };

const REFUSED: Record<string, [RequestHeaders, { httpStatus: number; code: string }]> = {
  "nothing": [{}, INVALID_SECRET_KEY],
  "the publishable key": [
    { authorization: `Bearer ${environment.SUPABASE_PUBLISHABLE_KEY}` },
    INVALID_SECRET_KEY,
  ],
  "a key of the older form for visitors": [
    await signedIn(backend, customer, { role: "anon" }),
    INVALID_SECRET_KEY,
  ],
  "a link from the chat": [await cameByLink(customer), INVALID_SECRET_KEY],
  "what is no token": [{ authorization: "Bearer session" }, INVALID_SECRET_KEY],
  "a customer's session": [await signedIn(backend, customer), SECOND_FACTOR_REQUIRED],
  "a customer's session with a second factor": [
    await signedIn(backend, customer, { aal: "aal2" }),
    NOT_AN_OPERATOR,
  ],
  "a customer's session that says owner in every place": [
    await signedIn(backend, customer, {
      aal: "aal2",
      user_metadata: { role: "owner" },
      app_metadata: { role: "owner" },
      user_role: "owner",
    }),
    NOT_AN_OPERATOR,
  ],
  "the session of an operator who is disabled": [await disabled(), NOT_AN_OPERATOR],
  "an operator's session without a second factor": [
    await sessionOf({ aal: "aal1" }),
    SECOND_FACTOR_REQUIRED,
  ],
  "an operator's session that names no level": [
    await sessionOf({ aal: undefined }),
    SECOND_FACTOR_REQUIRED,
  ],
  "an operator's session of a level that does not exist": [
    await sessionOf({ aal: "aal3" }),
    SECOND_FACTOR_REQUIRED,
  ],
  "an operator's session that was signed out": [await ended(), INVALID_SESSION],
  "a session that has expired": [await sessionOf({ exp: secondsFromNow(-1) }), INVALID_SESSION],
  "a session that never expires": [await sessionOf({ exp: undefined }), INVALID_SESSION],
  "a session that is not valid yet": [
    await sessionOf({ nbf: secondsFromNow(60) }),
    INVALID_SESSION,
  ],
  "a session for another audience": [await sessionOf({ aud: "anon" }), INVALID_SESSION],
  "a session for several audiences": [
    await sessionOf({ aud: ["authenticated"] }),
    INVALID_SESSION,
  ],
  "a session of another role": [await sessionOf({ role: "service_role" }), INVALID_SESSION],
  "an anonymous session": [await sessionOf({ is_anonymous: true }), INVALID_SESSION],
  "a session that an app was given": [
    await sessionOf({ client_id: randomUUID() }),
    INVALID_SESSION,
  ],
  "a session of nobody": [await sessionOf({ sub: undefined }), INVALID_SESSION],
  "a session of somebody who is no user": [await sessionOf({ sub: "owner" }), INVALID_SESSION],
  "a session signed by somebody else": [
    (await newOperator({ ...backend, secrets: strangersSecrets() })).headers,
    INVALID_SESSION,
  ],
  "a session with alg none": [forged(owner, { alg: "none", kid }, () => ""), INVALID_SESSION],
  "a session with alg none and a signature": [
    forged(owner, { alg: "none", kid }, hs256("")),
    INVALID_SESSION,
  ],
  "a session signed with the public key as a shared secret": [
    forged(owner, { alg: "HS256", kid }, hs256(JSON.stringify({ kty, crv, x, y }))),
    INVALID_SESSION,
  ],
  "a session signed with a coordinate of the public key": [
    forged(owner, { alg: "HS256" }, hs256(x)),
    INVALID_SESSION,
  ],
  "a session signed with the publishable key": [
    forged(owner, { alg: "HS256" }, hs256(environment.SUPABASE_PUBLISHABLE_KEY)),
    INVALID_SESSION,
  ],
  "a session signed with a guess": [
    forged(owner, { alg: "HS256" }, hs256(newSecret())),
    INVALID_SESSION,
  ],
  "a valid session from a page of customers": [
    { ...owner.headers, origin: "https://account.example" },
    ORIGIN_NOT_ALLOWED,
  ],
  "a valid session from a page without an origin": [
    { ...owner.headers, origin: "null" },
    ORIGIN_NOT_ALLOWED,
  ],
};

Deno.test("every function for operators but the scheduler's can be called with a session", () => {
  const others = REQUESTS.filter((request) => !FOR_SESSIONS.includes(request));
  deepStrictEqual(others.map(({ operation }) => operation.name), [
    "reconcile-payments",
    "deliver-events",
  ]);
  ok(FOR_OWNERS.length > 5 && FOR_OWNERS.length < FOR_SESSIONS.length);
});

for (const [what, [headers, expected]] of Object.entries(REFUSED)) {
  Deno.test(`${what} gets nothing from any function for operators, and changes nothing`, async () => {
    await withEnvironment(REQUIRED, async () => {
      const before = await state();
      for (const request of REQUESTS) {
        const isForSessions = FOR_SESSIONS.includes(request);
        const answer = await send(request, headers);
        expectError(answer, isForSessions ? expected : INVALID_SECRET_KEY);
      }
      deepStrictEqual(await state(), before);
    });
  });
}

Deno.test("the scheduler's functions take no operator's session", async () => {
  for (const request of REQUESTS.filter((request) => !FOR_SESSIONS.includes(request))) {
    expectError(await send(request, owner.headers), INVALID_SECRET_KEY);
  }
});

Deno.test("an operator of the role support gets nothing of what is up to owners", async () => {
  const support = await newOperator(backend, { role: "support" });
  const before = await state();
  for (const request of FOR_OWNERS) expectError(await send(request, support.headers), NOT_ALLOWED);
  deepStrictEqual(await state(), before);
});

Deno.test("an operator of the role support may do all of the rest", async () => {
  const support = await newOperator(backend, { role: "support" });
  for (const request of FOR_SESSIONS.filter((request) => !FOR_OWNERS.includes(request))) {
    const { operator: _, ...fields } = request.fields;
    const answer = await send({ ...request, fields }, support.headers);
    strictEqual(answer.httpStatus, 200, `${request.operation.name}: ${answer.body.message}`);
  }
});

Deno.test("an owner may do everything, and is recorded by the name and id of the operators' table", async () => {
  const asked = FOR_OWNERS.filter(({ operation }) => operation.method === "POST");
  for (const request of asked) {
    const { name } = request.operation;
    const fields = { ...request.fields, operator: "Somebody else" };
    const answer = await send({ ...request, fields }, owner.headers);
    strictEqual(answer.httpStatus, 200, `${name}: ${answer.body.message}`);
    const rows = await sql`
      select operator, operator_id from public.operator_actions where action = ${name}`;
    ok(rows.length > 0, name);
    for (const row of rows) {
      deepStrictEqual({ ...row }, { operator: "Chitra", operator_id: owner.id });
    }
  }
});

Deno.test("with the secret key a call has to say who acts, and nobody is recorded as signed in", async () => {
  const user_id = await newUserId();
  const reference_id = newTicket();
  expectError(
    await act("adjust-credits", { user_id, credits: 1, reference_id, operator: undefined }),
    { httpStatus: 400, code: "MISSING_FIELD" },
  );
  dataOf(await act("adjust-credits", { user_id, credits: 1, reference_id, operator: "Asha" }));
  deepStrictEqual(
    { ...one(await recordedOf(reference_id)) },
    { operator: "Asha", operator_id: null },
  );
});

async function recordedOf(reference_id: string) {
  return await sql`
    select operator, operator_id from public.operator_actions where reference_id = ${reference_id}`;
}

Deno.test.each([50, -50])(
  "an operator of the role support may adjust %d credits",
  async (credits) => {
    const support = await newOperator(backend, { role: "support" });
    const user_id = await newUserId();
    const fields = { user_id, credits, allow_debt: true };
    dataOf(await act("adjust-credits", fields, support.headers));
  },
);

Deno.test.each([51, -51, 1_000_000])(
  "%d credits are more than the role support may adjust, and an owner may",
  async (credits) => {
    const support = await newOperator(backend, { role: "support" });
    const user_id = await newUserId();
    const fields = { user_id, credits, allow_debt: true, reference_id: newTicket() };
    const before = await state();
    expectError(await act("adjust-credits", fields, support.headers), {
      ...NOT_ALLOWED,
      message: /50 credits/,
    });
    deepStrictEqual(await state(), before);
    const { headers } = await newOperator(backend);
    dataOf(await act("adjust-credits", fields, headers));
    // Nor does a repetition tell them what an owner's call led to.
    expectError(await act("adjust-credits", fields, support.headers), NOT_ALLOWED);
  },
);

Deno.test("the operators' table is asked at every call", async () => {
  const { id, headers } = await newOperator(backend, { role: "support" });
  const user_id = await newUserId();
  const adjust = (credits: number) => act("adjust-credits", { user_id, credits }, headers);
  dataOf(await adjust(1));
  expectError(await adjust(60), NOT_ALLOWED);
  await sql`update public.operators set role = 'owner' where user_id = ${id}`;
  dataOf(await adjust(60));
  await sql`update public.operators set disabled_at = now() where user_id = ${id}`;
  expectError(await adjust(1), NOT_AN_OPERATOR);
  await sql`update public.operators set disabled_at = null, name = 'Devi' where user_id = ${id}`;
  const reference_id = newTicket();
  dataOf(await act("adjust-credits", { user_id, credits: 1, reference_id }, headers));
  strictEqual(one(await recordedOf(reference_id)).operator, "Devi");
});

Deno.test("a session that names one of Auth's sessions is asked about at every call", async () => {
  const session_id = randomUUID();
  const { id, email, headers } = await newOperator(backend, { claims: { session_id } });
  await sql`insert into auth.users (id, email) values (${id}, ${email})`;
  const other = await newOperator(backend);
  await sql`insert into auth.users (id, email) values (${other.id}, ${other.email})`;
  await sql`insert into auth.sessions (id, user_id) values (${session_id}, ${id})`;
  const ask = () => call("GET", "get-operator", { headers });
  strictEqual(dataOf(await ask()).operator_id, id);
  await sql`update auth.sessions set user_id = ${other.id} where id = ${session_id}`;
  expectError(await ask(), INVALID_SESSION);
  await sql`update auth.sessions set user_id = ${id} where id = ${session_id}`;
  dataOf(await ask());
  await sql`delete from auth.sessions where id = ${session_id}`;
  expectError(await ask(), INVALID_SESSION);
});

Deno.test("a request that another operator repeats changes nothing, and stays the first one's", async () => {
  const [first, second] = await Promise.all([
    newOperator(backend),
    newOperator(backend, { name: "Devi" }),
  ]);
  const fields = { user_id: await newUserId(), credits: 5, reference_id: newTicket() };
  const answer = await act("adjust-credits", fields, first.headers);
  const again = await act("adjust-credits", fields, second.headers);
  const withKey = await act("adjust-credits", fields);
  for (const { body, headers } of [again, withKey]) {
    deepStrictEqual(body, answer.body);
    ok(headers.has("idempotent-replayed"));
  }
  expectError(await act("adjust-credits", { ...fields, credits: 6 }, second.headers), {
    httpStatus: 409,
    code: "REFERENCE_REUSED",
  });
  deepStrictEqual(
    { ...one(await recordedOf(fields.reference_id)) },
    { operator: "Chitra", operator_id: first.id },
  );
});

Deno.test("get-operator says who is signed in, and is nobody's with the secret key", async () => {
  const { id, headers } = await newOperator(backend, { role: "support", name: "Ela" });
  for (const second_factor of ["required", "off"]) {
    await withEnvironment({ CONSOLE_SECOND_FACTOR: second_factor }, async () => {
      deepStrictEqual(dataOf(await call("GET", "get-operator", { headers })), {
        operator_id: id,
        name: "Ela",
        role: "support",
        second_factor,
      });
    });
  }
  const apikey = environment.SUPABASE_SECRET_KEY;
  expectError(await call("GET", "get-operator", { headers: { apikey } }), INVALID_SESSION);
});

Deno.test("where no second factor is required, a password will do", async () => {
  const { headers } = await newOperator(backend, { claims: { aal: "aal1" } });
  await withEnvironment({ CONSOLE_SECOND_FACTOR: "off" }, async () => {
    dataOf(await call("GET", "get-operator", { headers }));
  });
  for (const setting of [undefined, "", "required"]) {
    await withEnvironment({ CONSOLE_SECOND_FACTOR: setting }, async () => {
      expectError(await call("GET", "get-operator", { headers }), SECOND_FACTOR_REQUIRED);
    });
  }
  await withEnvironment({ CONSOLE_SECOND_FACTOR: "of" }, async () => {
    expectError(await call("GET", "get-operator", { headers }), {
      httpStatus: 500,
      code: "INTERNAL",
    });
  });
});

Deno.test("a hosted project requires a second factor whatever is set, and sessions of its own Auth", async () => {
  const hosted = "https://abcdefghijklmnopqrst.supabase.co";
  const variables = { SUPABASE_URL: hosted, CONSOLE_SECOND_FACTOR: "off" };
  const ask = async (claims: Record<string, unknown>) => {
    const { headers } = await newOperator(backend, { claims });
    return await withEnvironment(variables, () => call("GET", "get-operator", { headers }));
  };
  const iss = `${hosted}/auth/v1`;
  expectError(await ask({ iss, aal: "aal1" }), SECOND_FACTOR_REQUIRED);
  for (const other of ["https://bcdefghijklmnopqrstu.supabase.co/auth/v1", "supabase", undefined]) {
    expectError(await ask({ iss: other }), INVALID_SESSION);
  }
  // That one is good, and only the database of a project that does not exist cannot be asked.
  expectError(await ask({ iss }), { httpStatus: 503, code: "UNAVAILABLE" });
});

Deno.test("a session is accepted from no page but the console's, whatever pages customers have", async () => {
  const ask = (origin: string) =>
    call("GET", "check-books", { headers: { ...owner.headers, origin } });
  await withEnvironment({ CONSOLE_ORIGIN: undefined, ALLOWED_ORIGINS: "*" }, async () => {
    for (const origin of [CONSOLE, "https://account.example", "null", "*"]) {
      expectError(await ask(origin), ORIGIN_NOT_ALLOWED);
    }
  });
  for (const setting of ["*", "null", `${CONSOLE}/`, `${CONSOLE},https://other.example`]) {
    await withEnvironment({ CONSOLE_ORIGIN: setting }, async () => {
      for (const origin of [CONSOLE, setting]) expectError(await ask(origin), ORIGIN_NOT_ALLOWED);
    });
  }
});

Deno.test("an operator reads no account as if it were theirs", async () => {
  const phone = newPhoneNumber();
  await withEnvironment({ FRONTEND_ACCESS: "phone-proof" }, async () => {
    const { httpStatus } = await call("GET", `users/${phone}`, { headers: owner.headers });
    notStrictEqual(httpStatus, 200);
  });
});

Deno.test("there is no session for a bot's or a customer's function", () => {
  const others = OPERATIONS.filter(({ caller }) => caller !== "operator");
  ok(others.every(({ operatorRole }) => operatorRole === undefined));
});
