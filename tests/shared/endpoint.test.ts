/**
 * What is the same for all functions: addresses, methods, bodies, headers.
 * @module
 */

import {
  deepStrictEqual,
  doesNotMatch,
  match,
  notStrictEqual,
  ok,
  strictEqual,
} from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import {
  call,
  dataOf,
  expectError,
  FUNCTION_NAMES,
  type FunctionName,
  isForPages,
  operationOf,
  send,
} from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());

/**
 * Operators and Razorpay prove themselves in other ways, and a browser is sent on to the page, which the
 * tests of their functions try.
 */
const ALL = FUNCTION_NAMES.filter((name) =>
  !["operator", "razorpay", "browser"].includes(operationOf(name).caller)
);
const GETTERS = ALL.filter((name) => methodOf(name) === "GET");
const POSTERS = ALL.filter((name) => methodOf(name) === "POST");

const MAX_BODY_BYTES = 16 * 1024;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The origins that the functions allow where all are allowed. */
const originFor = (name: FunctionName) => isForPages(operationOf(name)) ? "*" : null;

const bytes = (text: string) => new TextEncoder().encode(text);

/** A body of exactly this size that bot-deduct would take. */
function deductionOf(sizeBytes: number): string {
  return JSON.stringify({ phone_number: newPhoneNumber() }).padEnd(sizeBytes);
}

/** The text in pieces, so that its length is not announced. */
function inPieces(text: string): ReadableStream<Uint8Array> {
  return ReadableStream.from(text.match(/.{1,1000}/gs)?.map(bytes) ?? []);
}

for (const name of ALL) {
  Deno.test.each([
    name,
    `${name}/`,
    `${name}/+919876543210`,
    `${name}/no/such/path`,
    `${name}//`,
    `${name}/%`,
    `${name}?phone_number=%`,
  ])("OPTIONS %s is answered", async (path) => {
    const response = await send("OPTIONS", path, { asBot: false });
    strictEqual(response.headers.get("cache-control"), "no-store");
    strictEqual(response.headers.get("x-content-type-options"), "nosniff");
    strictEqual(response.status, 204);
    strictEqual(await response.text(), "");
    strictEqual(response.headers.get("access-control-allow-origin"), originFor(name));
    strictEqual(response.headers.get("access-control-allow-methods"), `${methodOf(name)}, OPTIONS`);
    match(response.headers.get("x-request-id") ?? "", UUID);
  });

  Deno.test(`${name} tells a page what it may send and read, or is closed to it`, async () => {
    const preflight = await send("OPTIONS", name);
    const { headers } = await send(methodOf(name), name, { body: bodyFor(name) });
    strictEqual(headers.get("access-control-allow-origin"), originFor(name));
    if (originFor(name) === null) return;
    const allowed = preflight.headers.get("access-control-allow-headers")?.split(", ") ?? [];
    const sentBySupabaseJs = [
      "authorization",
      "apikey",
      "content-type",
      "x-client-info",
      "x-region",
    ];
    for (const header of [...sentBySupabaseJs, "idempotency-key", "x-request-id"]) {
      ok(allowed.includes(header), `${header} is not allowed`);
    }
    deepStrictEqual(
      headers.get("access-control-expose-headers")?.split(", ").sort(),
      ["idempotent-replayed", "retry-after", "x-request-id"],
    );
  });

  Deno.test.each(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].filter(
    (method) => method !== methodOf(name),
  ))(`${name} returns 405 to %s and says what is allowed`, async (method) => {
    const response = await send(method, name);
    strictEqual(response.status, 405);
    strictEqual(response.headers.get("allow"), `${methodOf(name)}, OPTIONS`);
    strictEqual(response.headers.get("access-control-allow-origin"), originFor(name));
    await response.body?.cancel();
  });

  Deno.test.each([
    `${name}/+919876543210/credits`,
    `${name}/+919876543210/credits/`,
    `${name}//`,
    `${name}//+919876543210`,
    `${name}/+919876543210//`,
    `${name}s`,
  ])("there is nothing at %s", async (path) => {
    const address = `http://127.0.0.1/${path}`;
    expectError(await call(methodOf(name), name, { address, body: bodyFor(name) }), {
      httpStatus: 404,
      code: "NOT_FOUND",
    });
  });

  Deno.test(`${name} takes over a well-formed x-request-id`, async () => {
    const id = `job-${crypto.randomUUID()}_1.2`;
    const headers = { "x-request-id": id };
    const answers = [
      await send(methodOf(name), name, { headers, body: bodyFor(name) }),
      await send("OPTIONS", name, { headers }),
      await send("DELETE", name, { headers }),
    ];
    for (const answer of answers) {
      strictEqual(answer.headers.get("x-request-id"), id);
      await answer.body?.cancel();
    }
  });

  Deno.test.each([
    ["a UUID", "12345678-1234-4123-8123-123456789012"],
    ["a trace id", "12345678123441238123123456789012"],
  ])(`${name} takes over %s, whose digits are no phone number`, async (_, id) => {
    const headers = { "x-request-id": String(id) };
    const answer = await call(methodOf(name), name, { headers, body: bodyFor(name) });
    strictEqual(answer.headers.get("x-request-id"), id);
  });

  Deno.test.each([
    ["no id", undefined],
    ["an empty id", ""],
    ["a short id", "1234567"],
    ["a long id", "a".repeat(129)],
    ["an id with spaces", "two words here"],
    ["an id that looks like a log line", '{"level":"error"}'],
    ["a phone number", "919876543210"],
    ["an id with a phone number in it", "message-919876543210-1"],
    ["an id with a phone number beside a UUID", `${crypto.randomUUID()}_9876543210`],
  ])(`${name} makes a request id where it got %s`, async (_, id) => {
    const headers = id === undefined ? undefined : { "x-request-id": id };
    const answer = await call(methodOf(name), name, { headers, body: bodyFor(name) });
    match(answer.headers.get("x-request-id") ?? "", UUID);
    notStrictEqual(answer.headers.get("x-request-id"), id);
  });
}

for (const name of GETTERS) {
  Deno.test(`${name} refuses a malformed percent escape`, async () => {
    const takesSegment = operationOf(name).pathField !== undefined;
    for (const segment of ["%", "%zz", "%2", "%c3%28", "100%"]) {
      expectError(
        await call("GET", `${name}/${segment}`),
        takesSegment
          ? { httpStatus: 400, code: "INVALID_REQUEST", message: /percent/ }
          : { httpStatus: 404, code: "NOT_FOUND" },
      );
    }
  });

  Deno.test(`${name} takes no more than 20 query parameters, however different they are`, async () => {
    const query = (count: number) =>
      new URLSearchParams(Array.from({ length: count }, (_, index) => [`p${index}`, ""]));
    const message = /^The query has more than 20 parameters$/;
    for (const count of [21, 15_000]) {
      expectError(await call("GET", `${name}?${query(count)}`), {
        httpStatus: 400,
        code: "INVALID_REQUEST",
        message,
      });
    }
    doesNotMatch((await call("GET", `${name}?${query(20)}`)).body.message, message);
  });

  Deno.test(`${name} refuses a query parameter that comes twice, and names it`, async () => {
    for (const parameter of ["phone_number", "user_id", "limit", "anything"]) {
      expectError(await call("GET", `${name}?${parameter}=1&${parameter}=1`), {
        httpStatus: 400,
        code: "INVALID_REQUEST",
        message: new RegExp(`\\b${parameter}\\b`),
      });
    }
  });
}

for (const name of POSTERS) {
  Deno.test.each([
    ["nothing", ""],
    ["white space", "  \n"],
    ["half an object", '{"phone_number": "+919876543210"'],
    ["an array", '[{"phone_number":"+919876543210"}]'],
    ["null", "null"],
    ["a text", '"+919876543210"'],
    ["a number", "919876543210"],
    ["a form", "phone_number=%2B919876543210&package_id=starter"],
    ["single quotes", "{'phone_number':'+919876543210'}"],
    ["HTML", "<!doctype html><p>hello"],
    ["broken UTF-8", Uint8Array.of(...bytes('{"phone_number":"'), 0xff, ...bytes('"}'))],
    ["compressed bytes", Uint8Array.of(0x1f, 0x8b, 0x08, 0x00)],
  ])(`${name} refuses %s for a body`, async (_, body) => {
    expectError(await call("POST", name, { body }), {
      httpStatus: 400,
      code: "INVALID_JSON",
      message: "The request body must be a JSON object",
    });
  });

  Deno.test(`${name} refuses a request without a body`, async () => {
    expectError(await call("POST", name), { httpStatus: 400, code: "INVALID_JSON" });
  });

  Deno.test.each([
    ["with a content-length", (text: string) => ({ body: text })],
    ["that comes in pieces", (text: string) => ({ body: inPieces(text) })],
    ["whose content-length lies", (text: string) => ({
      body: inPieces(text),
      headers: { "content-length": "10" },
    })],
  ])(`${name} answers 413 to a body of 16 KiB and one byte %s`, async (_, options) => {
    expectError(await call("POST", name, options(deductionOf(MAX_BODY_BYTES + 1))), {
      httpStatus: 413,
      code: "BODY_TOO_LARGE",
    });
  });

  Deno.test(`${name} reads nothing of a body that says it is too large`, async () => {
    const body = new ReadableStream({ pull: () => new Promise(() => {}) });
    const headers = { "content-length": "90000000" };
    expectError(await call("POST", name, { body, headers }), {
      httpStatus: 413,
      code: "BODY_TOO_LARGE",
    });
  });

  Deno.test(`${name} reads no more of a body than it may`, async () => {
    let sent = 0;
    const endless = new ReadableStream({
      pull(controller) {
        sent += 1;
        controller.enqueue(new Uint8Array(1024));
      },
    });
    expectError(await call("POST", name, { body: endless }), {
      httpStatus: 413,
      code: "BODY_TOO_LARGE",
    });
    ok(sent <= 32, `${sent} KiB were taken`);
  });

  Deno.test(`${name} survives deep nesting, and names that every object has`, async () => {
    const deep = `{"phone_number":${"[".repeat(8_000)}${"]".repeat(8_000)}}`;
    const odd = '{"__proto__":{"phone_number":"+919876543210"},"constructor":1,"toString":null}';
    for (const body of [deep, odd]) {
      const answer = await call("POST", name, { body });
      strictEqual(answer.httpStatus, 400);
    }
  });
}

Deno.test("a body of exactly 16 KiB is read, in one piece and in many", async () => {
  dataOf(await call("POST", "bot-deduct", { body: deductionOf(MAX_BODY_BYTES) }));
  dataOf(await call("POST", "bot-deduct", { body: inPieces(deductionOf(MAX_BODY_BYTES)) }));
});

Deno.test.each([
  ["application/json", { "content-type": "application/json" }],
  ["application/json; charset=utf-8", { "content-type": "application/json; charset=utf-8" }],
  ["text/plain", { "content-type": "text/plain;charset=UTF-8" }],
  ["no type", { "content-type": "" }],
])("JSON is read when it comes as %s", async (_, headers) => {
  const body = JSON.stringify({ phone_number: newPhoneNumber() });
  dataOf(await call("POST", "bot-deduct", { body, headers }));
});

Deno.test("the platform's prefix and a trailing slash belong to the address", async () => {
  const phone = newPhoneNumber();
  for (
    const path of [
      `users/${phone}`,
      `users/${phone}/`,
      `functions/v1/users/${phone}`,
      `functions/v1/users/${phone}/`,
    ]
  ) {
    const answer = await call("GET", "users", { address: `http://127.0.0.1/${path}` });
    strictEqual(dataOf(answer).phone_number, phone);
  }
  const twice = `http://127.0.0.1/functions/v1/functions/v1/users/${phone}`;
  expectError(await call("GET", "users", { address: twice }), {
    httpStatus: 404,
    code: "NOT_FOUND",
  });
});

function methodOf(name: FunctionName): "GET" | "POST" {
  return operationOf(name).method;
}

/** Any body that is read whole, for calls whose response does not matter. */
function bodyFor(name: FunctionName): string | undefined {
  return methodOf(name) === "POST" ? "{}" : undefined;
}
