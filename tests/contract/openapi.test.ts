/**
 * The OpenAPI document, compared with real responses: every response is documented, and every
 * documented response has been seen.
 * @module
 */

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { EVENTS } from "shared/contract/events.ts";
import { OPERATIONS } from "shared/contract/operations.ts";
import configuration from "../../deno.json" with { type: "json" };
import { misfit, undocumented } from "../../local/prove/answers/document.ts";
import { startBackend } from "../support/backend.ts";
import {
  type Answer,
  call,
  type CallOptions,
  dataOf,
  type FunctionName,
  operatorHeaders,
  readAnswer,
  send,
} from "../support/calls.ts";
import { newCustomer, passExpiry, userIdOf, withMaxOpenHolds } from "../support/bot.ts";
import { withEnvironment } from "../support/environment.ts";
import { closedUrl } from "../support/faulty-servers.ts";
import { one } from "../support/lists.ts";
import { act, ask, newOperator } from "../support/operators.ts";
import { settleByHand } from "../support/payment-harness.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { signedIn } from "../support/proofs.ts";
import {
  buyCredits,
  orderPackage,
  payForPackage,
  signedCheckout,
  verify,
} from "../support/purchases.ts";
import { withLimit } from "../support/rate-limits.ts";
import { validRequests } from "../support/valid-requests.ts";

const backend = await startBackend();
const { control } = backend.razorpay;
Deno.test.afterAll(() => backend.stop());

const examples = z.record(z.string(), z.object({ summary: z.string(), value: z.unknown() }));

const openApi = z.object({
  info: z.looseObject({ version: z.string(), license: z.object({ identifier: z.string() }) }),
  servers: z.array(z.looseObject({ url: z.string() })),
  tags: z.array(z.object({ name: z.string(), description: z.string() })),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        operationId: z.string(),
        tags: z.array(z.string()),
        security: z.array(z.record(z.string(), z.array(z.never()))),
        parameters: z.array(z.looseObject({ name: z.string(), examples: examples.optional() })),
        requestBody: z.object({
          required: z.boolean(),
          content: z.record(z.string(), z.object({ examples })),
        }).optional(),
        responses: z.record(
          z.string(),
          z.object({
            headers: z.record(z.string(), z.unknown()),
            content: z.object({ "application/json": z.object({ schema: z.looseObject({}) }) })
              .optional(),
          }),
        ),
      }),
    ),
  ),
  webhooks: z.record(
    z.string(),
    z.object({
      post: z.object({
        operationId: z.string(),
        tags: z.array(z.string()),
        security: z.array(z.record(z.string(), z.array(z.never()))),
        requestBody: z.object({
          content: z.object({ "application/json": z.object({ examples }) }),
        }),
      }),
    }),
  ),
  components: z.looseObject({
    securitySchemes: z.record(z.string(), z.looseObject({ description: z.string() })),
  }),
});

const text = await Deno.readTextFile(new URL("../../openapi.json", import.meta.url));
const document = openApi.parse(JSON.parse(text));

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation }))
);

/** What the bot is told. */
const webhooks = Object.entries(document.webhooks).map(([type, { post }]) => ({
  path: type,
  ...post,
}));

/** A form of a function's address, as the document names it. */
type Path =
  | `/${FunctionName}`
  | "/bot-credits/{phone_number}"
  | "/users/{phone_number}"
  | "/credit-history/{user_id}";

/** The responses that the document has for a path and a method. */
function documented(path: Path, method: string) {
  const operation = document.paths[path]?.[method.toLowerCase()];
  ok(operation, `${method} ${path} is not documented`);
  return operation.responses;
}

/** Fails unless the document has this answer for this path and method. */
function expectDocumented(
  path: Path,
  method: string,
  answer: Omit<Answer, "body"> & { body: unknown },
): void {
  deepStrictEqual(undocumented(path, method, answer), []);
}

/** The kind of a response, without its values: `200 SUCCESS`, `404 USER_NOT_FOUND`. */
const kindOf = ({ httpStatus, body }: Answer) => `${httpStatus} ${body.code ?? body.status}`;

/** The kinds of response that the document promises for a path. */
function promisedKinds(path: Path, method: string): string[] {
  return Object.entries(documented(path, method)).flatMap(([httpStatus, { content }]) => {
    if (content === undefined) return [httpStatus];
    const { schema } = content["application/json"];
    return alternatives(schema).map((kind) => `${httpStatus} ${kind}`);
  }).sort();
}

const alternative = z.union([
  z.object({ $ref: z.string() }).transform(({ $ref }) => [$ref.split("/").at(-1)!]),
  z.object({ properties: z.object({ status: z.object({ const: z.string() }) }) })
    .transform(({ properties }) => [properties.status.const]),
]);
const alternatives = (schema: unknown): string[] =>
  z.union([
    z.object({ oneOf: z.array(alternative) }).transform(({ oneOf }) => oneOf.flat()),
    alternative,
  ]).parse(schema);

const OUTAGE = { SUPABASE_URL: closedUrl() };
const MISCONFIGURED = { SUPABASE_SECRET_KEYS: "{" };
const PROOF_WANTED = { FRONTEND_ACCESS: "phone-proof" };
const EMPTY_SECRET = { headers: { "x-bot-secret": "" } };
const WRONG_SECRET = { headers: { "x-bot-secret": "wrong" } };

/** A call that succeeds. */
interface GoodCall {
  method: string;
  path: string;
  options?: CallOptions;
}

/** Responses that every function gives, provoked by changing a good call. */
async function commonAnswers({ method, path, options = {} }: GoodCall): Promise<Answer[]> {
  const answers = [
    await call(method, `${path.split("?")[0]}/no/such/path`, options),
    await call("DELETE", path),
    await withEnvironment(OUTAGE, () => call(method, path, options)),
    await withEnvironment(MISCONFIGURED, () => call(method, path, options)),
  ];
  if (method === "POST") {
    answers.push(
      await call(method, path, { ...options, body: "[]" }),
      await call(method, path, { ...options, body: " ".repeat(20_000) }),
    );
  }
  return answers;
}

/** Responses to callers who are not the bot. */
async function strangersAnswers({ method, path, options = {} }: GoodCall): Promise<Answer[]> {
  const guess = () => call(method, path, { ...options, ...WRONG_SECRET });
  return [
    await call(method, path, { ...options, asBot: false }),
    await guess(),
    await withLimit(backend.sql, "wrong_secret", 0, guess),
  ];
}

/** Responses to callers who have not proven that the account is theirs. */
async function unprovenAnswers({ method, path }: GoodCall): Promise<Answer[]> {
  const body = { phone_number: newPhoneNumber() };
  const { token } = dataOf(await call("POST", "bot-link", { body }));
  const present = (proof: string) => call(method, path, { headers: { "x-access-token": proof } });
  return await withEnvironment(PROOF_WANTED, async () => [
    await call(method, path),
    await present("nonsense"),
    await present(String(token)),
    // What a bot sends whose secret is not set.
    await call(method, path, EMPTY_SECRET),
    ...(await strangersAnswers({ method, path })).slice(1),
  ]);
}

/** Responses to callers without the secret key, some of whom have a session. */
async function keylessAnswers({ method, path, options = {} }: GoodCall): Promise<Answer[]> {
  const present = (headers: Record<string, string>) => call(method, path, { ...options, headers });
  const { headers } = await newOperator(backend);
  const support = await newOperator(backend, { role: "support", claims: { aal: "aal1" } });
  const operation = OPERATIONS.find(({ name }) => path.split("?")[0] === name);
  return [
    await present({}),
    await present({ authorization: "Bearer a.b.c" }),
    await present({ ...headers, origin: "https://account.example" }),
    await present(await signedIn(backend, newPhoneNumber())),
    await withEnvironment({ CONSOLE_SECOND_FACTOR: "required" }, () => present(support.headers)),
    ...(operation?.operatorRole === "owner" ? [await present(support.headers)] : []),
  ];
}

/** A customer whose account is frozen. */
async function frozen(): Promise<{ phone_number: string }> {
  const who = await newCustomer(backend.sql, 5);
  dataOf(await act("freeze-user", { user_id: await userIdOf(backend.sql, who) }));
  return who;
}

/** Fails unless the responses are documented, and are all that is documented for the path. */
function expectAll(path: Path, method: string, answers: Answer[]): void {
  for (const answer of answers) expectDocumented(path, method, answer);
  deepStrictEqual([...new Set(answers.map(kindOf))].sort(), promisedKinds(path, method));
}

Deno.test("the document has a version, a license, and tags that it explains", () => {
  strictEqual(document.info.version, configuration.version);
  strictEqual(document.info.license.identifier, "MIT");
  const explained = document.tags.map(({ name }) => name);
  for (const { tags, path } of [...operations, ...webhooks]) {
    strictEqual(tags.length, 1, path);
    ok(tags.every((tag) => explained.includes(tag)), path);
  }
  const used = [...operations, ...webhooks].flatMap(({ tags }) => tags);
  deepStrictEqual([...new Set(used)].sort(), explained.sort());
});

Deno.test("every operation has an id that generators can turn into a function", () => {
  const ids = [...operations, ...webhooks].map(({ operationId }) => operationId);
  for (const id of ids) ok(/^[a-z][A-Za-z]*$/.test(id), id);
  strictEqual(new Set(ids).size, ids.length);
});

Deno.test("every credential is explained, and every explained one is used", () => {
  const used = [...operations, ...webhooks].flatMap(({ security }) =>
    security.flatMap(Object.keys)
  );
  deepStrictEqual(
    [...new Set(used)].sort(),
    Object.keys(document.components.securitySchemes).sort(),
  );
});

Deno.test("every example fits its schema, and is a request that its function parses", () => {
  for (const { path, method, parameters, requestBody } of operations) {
    const operation = OPERATIONS.find(({ name }) => path.split("/")[1] === name);
    ok(operation);
    for (const [index, { name, examples = {} }] of parameters.entries()) {
      for (const { value } of Object.values(examples)) {
        const schema: string[] = ["paths", path, method, "parameters", String(index), "schema"];
        strictEqual(misfit(schema, value), undefined, `${path} ${name}`);
        const field = operation.input.shape[name];
        ok(field && z.safeParse(field, String(value)).success, `${path} ${name}`);
      }
    }
    if (requestBody === undefined) continue;
    const [mediaType, { examples }] = one(Object.entries(requestBody.content));
    strictEqual(mediaType, operation.bodyType ?? "application/json");
    ok(Object.keys(examples).length > 0, path);
    for (const { value } of Object.values(examples)) {
      const schema: string[] = [
        "paths",
        path,
        method,
        "requestBody",
        "content",
        mediaType,
        "schema",
      ];
      strictEqual(misfit(schema, value), undefined, path);
      ok(operation.input.safeParse(value).success, path);
    }
  }
});

Deno.test("every event is a webhook, with an example that fits its schema and its contract", () => {
  deepStrictEqual(webhooks.map(({ path }) => path), EVENTS.map(({ type }) => type));
  for (const { path, requestBody } of webhooks) {
    const parts = [
      "webhooks",
      path,
      "post",
      "requestBody",
      "content",
      "application/json",
      "schema",
    ];
    for (const { value } of Object.values(requestBody.content["application/json"].examples)) {
      strictEqual(misfit(parts, value), undefined, path);
      const contract = EVENTS.find(({ type }) => type === path);
      deepStrictEqual(contract?.body.parse(value), value);
    }
    ok(misfit(parts, { type: path, timestamp: "2026-11-26T09:30:00Z", data: {} }));
  }
});

Deno.test("every way of naming somebody is an example, and every field is in one", () => {
  for (const { name, input, anyOf = [], examples } of OPERATIONS) {
    const requests = Object.values(examples).map((example) => example.input);
    const seen = new Set(requests.flatMap(Object.keys));
    deepStrictEqual([...seen].sort(), Object.keys(input.shape).sort(), name);
    for (const field of anyOf) {
      ok(
        requests.some((request) =>
          anyOf.every((other) => (other in request) === (other === field))
        ),
      );
    }
  }
});

Deno.test("only a function that needs no field can be called without a body", () => {
  const optional = operations.filter(({ requestBody }) => requestBody?.required === false);
  deepStrictEqual(optional.map(({ path }) => path), [
    "/payment-return",
    "/reconcile-payments",
    "/deliver-events",
  ]);
});

Deno.test("the document that a stack serves is the committed one, at that stack's address", async () => {
  const response = await fetch(`${backend.environment.SUPABASE_URL}/openapi.json`);
  strictEqual(response.headers.get("content-type"), "application/json");
  const { servers: [here, ...others], ...served } = await response.json();
  const { servers: [, ...hosted], ...committed } = JSON.parse(text);
  strictEqual(here.url, `${backend.environment.SUPABASE_URL}/functions/v1`);
  deepStrictEqual(others, hosted);
  deepStrictEqual(served, committed);
  const balance = await fetch(`${here.url}/bot-credits/${newPhoneNumber()}`, {
    headers: { "x-bot-secret": backend.environment.BOT_SECRET },
  });
  strictEqual((await balance.json()).status, "SUCCESS");
});

Deno.test("bot-credits returns what the document says, and all that it says", async () => {
  const phone = newPhoneNumber();
  const byQuery = { method: "GET", path: `bot-credits?phone_number=${phone}` };
  const byPath = { method: "GET", path: `bot-credits/${phone}` };
  expectAll("/bot-credits", "GET", [
    await call("GET", `bot-credits?phone_number=${phone}`),
    await call("GET", "bot-credits"),
    await call("GET", "bot-credits?phone_number=1"),
    ...await commonAnswers(byQuery),
    ...await strangersAnswers(byQuery),
  ]);
  for (
    const answer of [
      await call("GET", `bot-credits/${phone}`),
      await call("GET", "bot-credits/1"),
      ...await commonAnswers(byPath),
      ...await strangersAnswers(byPath),
    ]
  ) {
    expectDocumented("/bot-credits/{phone_number}", "GET", answer);
  }
});

Deno.test("bot-deduct returns what the document says, and all that it says", async () => {
  const phone_number = newPhoneNumber();
  const deduct = (body: unknown) => call("POST", "bot-deduct", { body });
  const good = { method: "POST", path: "bot-deduct", options: { body: { phone_number } } };
  expectAll("/bot-deduct", "POST", [
    await deduct({ phone_number, reference_id: "job-1" }),
    await deduct({ phone_number, reference_id: "job-1" }),
    await deduct({ phone_number, reference_id: "job-1", credits: 2 }),
    await deduct({ phone_number, credits: 2 }),
    await deduct({ phone_number, credits: 1000 }),
    await deduct({ phone_number }),
    await deduct({ phone_number, credits: 0 }),
    await deduct({ phone_number, action: "unknown" }),
    await deduct(await held()),
    await deduct(await frozen()),
    await deduct({}),
    ...await commonAnswers(good),
    ...await strangersAnswers(good),
  ]);

  async function held() {
    const body = { phone_number: newPhoneNumber(), reference_id: "job-1" };
    dataOf(await call("POST", "bot-reserve", { body }));
    return body;
  }
});

Deno.test("bot-reserve returns what the document says, and all that it says", async () => {
  const { phone_number } = await newCustomer(backend.sql, 5);
  const reserve = (fields: Record<string, unknown>) =>
    call("POST", "bot-reserve", { body: { phone_number, reference_id: "job-1", ...fields } });
  const body = { phone_number, reference_id: "job-2" };
  const good = { method: "POST", path: "bot-reserve", options: { body } };
  expectAll("/bot-reserve", "POST", [
    await reserve({}),
    await reserve({}),
    await reserve({ credits: 2 }),
    await reserve({ reference_id: "job-3", credits: 5 }),
    await reserve({ reference_id: "job-3", action: "unknown" }),
    await reserve({ reference_id: "job-3", action: "chat", quantity: 10_000_000 }),
    await reserve({ reference_id: "job-3", expires_in_seconds: 1 }),
    await reserve({ reference_id: null }),
    await withMaxOpenHolds(backend.sql, 1, () => reserve({ reference_id: "job-3" })),
    await reserve({ ...await frozen() }),
    ...await commonAnswers(good),
    ...await strangersAnswers(good),
  ]);
});

Deno.test("bot-capture returns what the document says, and all that it says", async () => {
  const who = await newCustomer(backend.sql, 100);
  const held = async (reference_id: string) => {
    const body = { ...who, reference_id, credits: 30 };
    dataOf(await call("POST", "bot-reserve", { body }));
    return { ...who, reference_id };
  };
  const capture = (body: unknown) => call("POST", "bot-capture", { body });
  const expired = await held("expired");
  const late = await held("late");
  await passExpiry(backend.sql, who, "expired");
  await passExpiry(backend.sql, who, "late");
  const released = await held("released");
  await call("POST", "bot-release", { body: released });
  const job = await held("job");
  const answers = [
    await capture(late),
    await capture({ ...job, credits: 31 }),
    await capture({ ...job, quantity: 1 }),
    await capture(released),
    await capture(job),
    await capture(job),
    await capture({ ...job, credits: 2 }),
    await capture({ ...who, reference_id: "unknown" }),
    await capture({ ...who }),
    await capture(await held("all the rest")),
    await capture(expired),
  ];
  const user_id = await userIdOf(backend.sql, who);
  dataOf(await act("freeze-user", { user_id }));
  answers.push(await capture(expired));
  const good = { method: "POST", path: "bot-capture", options: { body: job } };
  expectAll("/bot-capture", "POST", [
    ...answers,
    ...await commonAnswers(good),
    ...await strangersAnswers(good),
  ]);
});

Deno.test("bot-release returns what the document says, and all that it says", async () => {
  const who = await newCustomer(backend.sql, 5);
  const held = async (reference_id: string) => {
    const body = { ...who, reference_id };
    dataOf(await call("POST", "bot-reserve", { body }));
    return body;
  };
  const release = (body: unknown) => call("POST", "bot-release", { body });
  const captured = await held("captured");
  await call("POST", "bot-capture", { body: captured });
  const job = await held("job");
  const good = { method: "POST", path: "bot-release", options: { body: job } };
  expectAll("/bot-release", "POST", [
    await release(job),
    await release(job),
    await release(captured),
    await release({ ...who, reference_id: "unknown" }),
    await release({ ...who, reference_id: 1 }),
    await release({ ...who }),
    ...await commonAnswers(good),
    ...await strangersAnswers(good),
  ]);
});

Deno.test("bot-prices returns what the document says, and all that it says", async () => {
  const good = { method: "GET", path: "bot-prices" };
  const twice = `${good.path}?a=1&a=2`;
  expectAll("/bot-prices", "GET", [
    await call("GET", good.path),
    await call("GET", twice),
    ...await commonAnswers(good),
    ...await strangersAnswers(good),
  ]);
});

Deno.test("users returns what the document says, and all that it says", async () => {
  const phone = newPhoneNumber();
  const byQuery = { method: "GET", path: `users?phone_number=${phone}` };
  const byPath = { method: "GET", path: `users/${phone}` };
  expectAll("/users", "GET", [
    await call("GET", `users?phone_number=${phone}`),
    await call("GET", "users"),
    await call("GET", "users?phone_number=1"),
    ...await commonAnswers(byQuery),
    ...await unprovenAnswers(byQuery),
    await withLimit(
      backend.sql,
      "create_user",
      0,
      () => call("GET", `users?phone_number=${newPhoneNumber()}`),
    ),
  ]);
  for (
    const answer of [
      await call("GET", `users/${phone}`),
      await call("GET", "users/%"),
      ...await commonAnswers(byPath),
      ...await unprovenAnswers(byPath),
    ]
  ) {
    expectDocumented("/users/{phone_number}", "GET", answer);
  }
});

Deno.test("credit-history returns what the document says, and all that it says", async () => {
  const phone = newPhoneNumber();
  const { id } = dataOf(await call("GET", `users/${phone}`));
  await buyCredits(control, phone, "starter");
  await call("POST", "bot-deduct", { body: { phone_number: phone, reference_id: "job-1" } });
  await call("POST", "bot-deduct", { body: { phone_number: phone } });
  const byQuery = { method: "GET", path: `credit-history?user_id=${id}` };
  const byPath = { method: "GET", path: `credit-history/${id}` };
  expectAll("/credit-history", "GET", [
    await call("GET", `credit-history?user_id=${id}`),
    await call("GET", `credit-history?user_id=${id}&limit=2`),
    await call("GET", `credit-history?user_id=${id}&cursor=1`),
    await call("GET", `credit-history?user_id=${id}&limit=0`),
    await call("GET", "credit-history"),
    await call("GET", `credit-history?user_id=${randomUUID()}`),
    ...await commonAnswers(byQuery),
    ...await unprovenAnswers(byQuery),
  ]);
  for (
    const answer of [
      await call("GET", `credit-history/${id}`),
      await call("GET", `credit-history/${randomUUID()}`),
      ...await commonAnswers(byPath),
      ...await unprovenAnswers(byPath),
    ]
  ) {
    expectDocumented("/credit-history/{user_id}", "GET", answer);
  }
});

Deno.test("create-order returns what the document says, and all that it says", async () => {
  const order = (body: unknown) => call("POST", "create-order", { body });
  const purchase = () => ({ package_id: "starter", phone_number: newPhoneNumber() });
  await control.addFault({ kind: "401", path: "/v1/orders" });
  const refused = await order(purchase());
  await control.addFault({ kind: "500", path: "/v1/orders" });
  const failed = await order(purchase());
  expectAll("/create-order", "POST", [
    refused,
    failed,
    await order(purchase()),
    await order({ ...purchase(), package_id: "no-such-package" }),
    await order({ ...purchase(), phone_number: "1" }),
    await order({}),
    await withLimit(backend.sql, "create_order", 0, () => order(purchase())),
    await withLimit(backend.sql, "create_order", 1, async () => {
      await order(purchase());
      await backend.sql`delete from public.rate_counters where scope = 'project'`;
      return await order(purchase());
    }),
    ...await commonAnswers({
      method: "POST",
      path: "create-order",
      options: { body: purchase() },
    }),
  ]);
});

Deno.test("verify-payment returns what the document says, and all that it says", async () => {
  const paid = await payForPackage(control, newPhoneNumber(), "starter");
  const authorized = await payForPackage(control, newPhoneNumber(), "starter", {
    outcome: "authorized",
  });
  const unknownOrder = signedCheckout(`order_${"1".repeat(14)}`, `pay_${"1".repeat(14)}`);
  const body = {
    ...authorized.checkout,
    phone_number: authorized.phone,
    package_id: authorized.packageId,
  };
  expectAll("/verify-payment", "POST", [
    await verify(authorized),
    await verify(paid),
    await verify(paid),
    await verify(paid, { razorpay_signature: "0".repeat(64) }),
    await verify(paid, { phone_number: newPhoneNumber() }),
    await verify({ ...paid, checkout: unknownOrder }),
    await verify(paid, { package_id: "Starter!" }),
    await verify(paid, { package_id: undefined }),
    await withLimit(backend.sql, "verify_payment", 0, () => verify(paid)),
    ...await commonAnswers({ method: "POST", path: "verify-payment", options: { body } }),
  ]);
});

Deno.test("payment-return returns what the document says, and all that it says", async () => {
  const { checkout } = await payForPackage(control, newPhoneNumber(), "starter");
  const post = (form: Record<string, string>) =>
    send("POST", "payment-return", { body: String(new URLSearchParams(form)) });
  const responses = documented("/payment-return", "POST");
  for (const form of [{ ...checkout }, { "error[code]": "BAD_REQUEST_ERROR" }, {}]) {
    const { status, headers, body } = await post(form);
    await body?.cancel();
    for (const header of Object.keys(responses[status]?.headers ?? {})) ok(headers.has(header));
    strictEqual(status, 303);
  }
  const errors = [
    await readAnswer(await send("DELETE", "payment-return/no/such/path")),
    await readAnswer(await send("DELETE", "payment-return")),
    await withEnvironment(
      { FRONTEND_URL: undefined },
      async () => await readAnswer(await post({ ...checkout })),
    ),
  ];
  for (const answer of errors) expectDocumented("/payment-return", "POST", answer);
  deepStrictEqual(["303", ...errors.map(kindOf)], promisedKinds("/payment-return", "POST"));
});

/** What a function for operators returns, besides what all of them do. */
const BY_OPERATORS = {
  "find-customer": async () => {
    const phone = newPhoneNumber();
    const { checkout } = await buyCredits(control, phone, "starter");
    await orderPackage(newPhoneNumber(), "starter");
    const find = (query: unknown) =>
      call("POST", "find-customer", { body: { query }, headers: operatorHeaders() });
    return [
      await find(phone),
      await find(checkout.razorpay_payment_id),
      await find("nobody"),
      await find(" "),
      await find(null),
    ];
  },
  "adjust-credits": async () => {
    const user_id = await anAccount();
    const adjust = (fields: Record<string, unknown>) =>
      act("adjust-credits", { user_id, credits: 1, ...fields });
    return [
      await adjust({ reference_id: "adjusted" }),
      await adjust({ reference_id: "adjusted", credits: 2 }),
      await adjust({ credits: -1000 }),
      await adjust({ credits: 0 }),
      await adjust({ operator: null }),
      await adjust({ user_id: randomUUID() }),
      await act(
        "adjust-credits",
        { user_id, credits: 51 },
        (await newOperator(backend, { role: "support" })).headers,
      ),
    ];
  },
  "forgive-debt": async () => {
    const user_id = await anAccount();
    return await simpleAnswers("forgive-debt", { user_id }, { credits: 1 });
  },
  "freeze-user": async () =>
    await simpleAnswers("freeze-user", { user_id: await anAccount() }, {
      user_id: await anAccount(),
    }),
  "unfreeze-user": async () =>
    await simpleAnswers("unfreeze-user", { user_id: await anAccount() }, {
      user_id: await anAccount(),
    }),
  "merge-users": async () => {
    const fields = { from_user_id: await anAccount(), into_user_id: await anAccount() };
    const merge = (other: Record<string, unknown>) => act("merge-users", { ...fields, ...other });
    return [
      await merge({ reference_id: "merged" }),
      await merge({ reference_id: "merged", into_user_id: randomUUID() }),
      await merge({}),
      await merge({ into_user_id: await anAccount() }),
      await merge({ from_user_id: randomUUID() }),
      await merge({ from_user_id: "somebody" }),
      await merge({ from_user_id: null }),
    ];
  },
  "end-hold": async () => {
    const who = await newCustomer(backend.sql, 5);
    for (const reference_id of ["stuck", "charged"]) {
      dataOf(await call("POST", "bot-reserve", { body: { ...who, reference_id } }));
    }
    dataOf(await call("POST", "bot-capture", { body: { ...who, reference_id: "charged" } }));
    const user_id = await userIdOf(backend.sql, who);
    const end = (hold_reference_id: unknown, fields: Record<string, unknown> = {}) =>
      act("end-hold", { user_id, hold_reference_id, ...fields });
    return [
      await end("stuck", { reference_id: "ended" }),
      await end("another", { reference_id: "ended" }),
      await end("charged"),
      await end("stuck"),
      await end("stuck", { user_id: randomUUID() }),
      await end(7),
      await end(null),
    ];
  },
  "resend-events": async () => {
    const { phone } = await buyCredits(control, newPhoneNumber(), "starter");
    const { id: event_id } = one(
      await backend.sql`
      select e.id from public.events e join public.users u on u.id = e.user_id
      where u.phone_number = ${phone}`,
    );
    const resend = (fields: Record<string, unknown>) => act("resend-events", fields);
    return [
      await resend({ event_id, reference_id: "resent" }),
      await resend({ event_id: randomUUID(), reference_id: "resent" }),
      await resend({ event_id: randomUUID() }),
      await resend({ event_id, from: "2026-01-01", to: "2026-01-02" }),
      await resend({}),
    ];
  },
  "refund-payment": async () => {
    const { checkout } = await buyCredits(control, newPhoneNumber(), "starter");
    const authorized = await payForPackage(control, newPhoneNumber(), "starter", {
      outcome: "authorized",
    });
    dataOf(await settleByHand({ order: authorized.checkout.razorpay_order_id }));
    const refunded = await buyCredits(control, newPhoneNumber(), "starter");
    await control.refund(refunded.checkout.razorpay_payment_id, { deliver_webhooks: false });
    const payment_id = checkout.razorpay_payment_id;
    const refund = (fields: Record<string, unknown> = {}) =>
      act("refund-payment", { payment_id, amount_paise: 100, ...fields });
    const failing = async (kind: "401" | "500") => {
      await control.addFault({ kind, method: "POST", path: "/v1/payments/*/refund" });
      return await refund();
    };
    return [
      await refund({ reference_id: "refunded" }),
      await refund({ reference_id: "refunded", amount_paise: 200 }),
      await refund({ amount_paise: 1_000_000 }),
      await refund({ payment_id: `pay_${"1".repeat(14)}` }),
      await refund({ payment_id: authorized.checkout.razorpay_payment_id }),
      await refund({ payment_id: refunded.checkout.razorpay_payment_id }),
      await refund({ amount_paise: 1 }),
      await refund({ payment_id: null }),
      await failing("401"),
      await failing("500"),
    ];
  },
  "export-statement": async () => {
    const user_id = await anAccount();
    return [
      await ask(`export-statement?user_id=${user_id}`),
      await ask(`export-statement?user_id=${randomUUID()}`),
      await ask(`export-statement?user_id=${user_id}&format=xlsx`),
      await ask("export-statement"),
    ];
  },
  "get-customer": async () => {
    const { phone } = await buyCredits(control, newPhoneNumber(), "starter");
    const user_id = await userIdOf(backend.sql, { phone_number: phone });
    return [
      await ask(`get-customer?user_id=${user_id}`),
      await ask(`get-customer?user_id=${randomUUID()}`),
      await ask("get-customer?user_id=somebody"),
      await ask("get-customer"),
    ];
  },
  "list-entries": async () => [
    await ask(`list-entries?user_id=${await anAccount()}`),
    await ask(`list-entries?user_id=${randomUUID()}`),
    await ask(`list-entries?user_id=${randomUUID()}&limit=501`),
    await ask("list-entries"),
  ],
  "list-actions-taken": async () => [
    await ask("list-actions-taken"),
    await ask(`list-actions-taken?user_id=${randomUUID()}`),
    await ask("list-actions-taken?limit=201"),
  ],
  "sales-report": async () => [
    await ask("sales-report?from=2026-11-01&to=2026-12-01"),
    await ask("sales-report?from=2026-12-01&to=2026-11-01"),
    await ask("sales-report?from=2026-12-01"),
  ],
} satisfies Partial<Record<FunctionName, () => Promise<Answer[]>>>;

const anAccount = async () => await userIdOf(backend.sql, await newCustomer(backend.sql, 5));

/** What every function for operators returns that takes a user. */
async function simpleAnswers(
  name: FunctionName,
  fields: Record<string, unknown>,
  other: Record<string, unknown>,
): Promise<Answer[]> {
  const reference_id = `${name} done`;
  return [
    await act(name, { ...fields, reference_id }),
    await act(name, { ...fields, reference_id, ...other }),
    await act(name, { ...fields, user_id: randomUUID() }),
    await act(name, { ...fields, user_id: "somebody" }),
    await act(name, { ...fields, reason: null }),
  ];
}

const requests = await validRequests(backend);

for (const name of Object.keys(BY_OPERATORS) as (keyof typeof BY_OPERATORS)[]) {
  Deno.test(`${name} returns what the document says, and all that it says`, async () => {
    const { operation, fields } = one(requests.filter(({ operation }) => operation.name === name));
    const query = new URLSearchParams(
      Object.entries(fields).map(([field, value]) => [field, String(value)]),
    );
    const isRead = operation.method === "GET";
    const good = {
      method: operation.method,
      path: isRead ? `${name}?${query}` : name,
      options: { headers: operatorHeaders(), ...(!isRead && { body: fields }) },
    };
    expectAll(`/${name}`, operation.method, [
      ...await BY_OPERATORS[name](),
      ...await commonAnswers(good),
      ...await keylessAnswers(good),
    ]);
  });
}

Deno.test("get-operator returns what the document says, and all that it says", async () => {
  const { headers } = await newOperator(backend);
  const good = { method: "GET", path: "get-operator", options: { headers } };
  const answers = [
    await call("GET", "get-operator", { headers }),
    await call("GET", "get-operator", { headers: operatorHeaders() }),
    await call("GET", "get-operator?a=1&a=2", { headers }),
    ...await commonAnswers(good),
    ...await keylessAnswers(good),
  ];
  expectAll("/get-operator", "GET", answers);
});

Deno.test("what operators list is what the document says", async () => {
  for (const name of ["list-attention", "check-books"] as const) {
    const good = { method: "GET", path: name, options: { headers: operatorHeaders() } };
    const answers = [
      await ask(name),
      ...await commonAnswers(good),
      ...await keylessAnswers(good),
    ];
    for (const answer of answers) expectDocumented(`/${name}`, "GET", answer);
  }
});

Deno.test("an answer that breaks the contract would be noticed", async () => {
  const phone = newPhoneNumber();
  const { id } = dataOf(await call("GET", `users/${phone}`));
  await orderPackage(phone, "starter");
  const balance = await call("GET", `bot-credits?phone_number=${phone}`);
  const history = await call("GET", `credit-history?user_id=${id}`);
  const error = await call("GET", "bot-credits?phone_number=1");
  const [entry] = z.array(z.looseObject({})).parse(dataOf(history).transactions);
  const bodyOf = ({ body }: Answer) => body;
  const withEntry = (changes: Record<string, unknown>) => ({
    ...history,
    body: {
      ...history.body,
      data: { ...history.body.data, transactions: [{ ...entry, ...changes }] },
    },
  });
  const wrongBalances = [
    { ...balance, httpStatus: 201 },
    { ...balance, headers: new Headers() },
    { ...balance, body: { ...bodyOf(balance), status: "OK" } },
    { ...balance, body: { ...bodyOf(balance), code: "INTERNAL" } },
    { ...balance, body: { status: "SUCCESS", message: "You have 3 credits remaining." } },
    { ...balance, body: { ...bodyOf(balance), data: { remaining_credits: 3 } } },
    {
      ...balance,
      body: { ...bodyOf(balance), data: { ...bodyOf(balance).data, remaining_credits: "3" } },
    },
    {
      ...balance,
      body: { ...bodyOf(balance), data: { ...bodyOf(balance).data, remaining_credits: -1 } },
    },
    {
      ...balance,
      body: { ...bodyOf(balance), data: { ...bodyOf(balance).data, user_exists: false } },
    },
    { ...balance, body: error.body },
    { ...error, body: { ...error.body, code: "MADE_UP" } },
    { ...error, body: { ...error.body, code: "PACKAGE_NOT_FOUND" } },
    { ...error, body: { status: "ERROR", message: "No code" } },
    { ...error, body: { ...error.body, data: {} } },
    { ...error, body: balance.body },
  ];
  for (const wrong of wrongBalances) {
    throws(() => expectDocumented("/bot-credits", "GET", wrong), JSON.stringify(wrong.body));
  }
  const wrongEntries = [
    { action: "refund" },
    { credits: 0 },
    { source: 7 },
    { quantity: 0 },
    { quantity: undefined },
    { created_at: "yesterday" },
    { balance_after: -1 },
    { reference_id: 7 },
    { id: "1" },
  ];
  for (const changes of wrongEntries) {
    throws(() => expectDocumented("/credit-history", "GET", withEntry(changes)));
  }
  expectDocumented("/credit-history", "GET", withEntry({}));
  strictEqual(kindOf(error), "400 INVALID_REQUEST");
});
