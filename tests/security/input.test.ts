/**
 * Any input, over real HTTP, gets a documented response that reveals nothing internal, and breaks
 * nothing behind it.
 * @module
 */

import { match, ok, strictEqual } from "node:assert/strict";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { needsNoField } from "shared/contract/operation.ts";
import { OPERATIONS } from "shared/contract/operations.ts";
import { HOSTILE } from "../../local/prove/fuzz/hostile-values.ts";
import { isKnown } from "../support/accounts.ts";
import { assertBooksAreRight, startBackend } from "../support/backend.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { expectGuarantees } from "../support/answer-guarantees.ts";
import type { Answer } from "../support/calls.ts";
import { withQuickTimers } from "../support/quick-timers.ts";
import { webhookSignature } from "../support/signing.ts";
import { type ValidRequest, validRequests } from "../support/valid-requests.ts";

const backend = await startBackend();
const { environment, sql } = backend;
Deno.test.afterAll(() => backend.stop());
Deno.test.afterEach(() => assertBooksAreRight(sql));

const { hostname, port } = new URL(environment.SUPABASE_URL);
const encoder = new TextEncoder();

// A browser is sent on to the page, whatever it sends: see the test of payment-return.
const REQUESTS = (await validRequests(backend)).filter(({ operation }) => !operation.redirects);
const SENDERS = REQUESTS.filter(({ operation }) => operation.method === "POST");
const READERS = REQUESTS.filter(({ operation }) => operation.method === "GET");

function requestTo(name: string): ValidRequest {
  const request = REQUESTS.find(({ operation }) => operation.name === name);
  ok(request);
  return request;
}

type Body = string | Uint8Array<ArrayBuffer>;

/** Sends a request of this kind with parts of it replaced, and checks the response's guarantees. */
async function send(
  { operation, headers: credentials }: ValidRequest,
  { method = operation.method, path = "", headers = {}, body }: {
    method?: string;
    path?: string;
    headers?: Record<string, string>;
    body?: Body | ReadableStream<Uint8Array> | undefined;
  },
): Promise<Answer | undefined> {
  const isSigned = operation.caller === "razorpay" && !(body instanceof ReadableStream);
  const answer = await fetch(
    `${environment.SUPABASE_URL}/functions/v1/${operation.name}${path}`,
    {
      method,
      headers: {
        ...credentials,
        ...(isSigned && webhookSignature(body ?? "", environment.RAZORPAY_WEBHOOK_SECRET)),
        ...headers,
      },
      body: body ?? null,
    },
  );
  const text = `${path} ${body instanceof Uint8Array ? new TextDecoder().decode(body) : body}`;
  return await expectGuarantees(answer, { operation, method, text }, backend);
}

/** As {@linkcode send}, with fields in the query or the body, wherever the function expects them. */
function sendFields(
  request: ValidRequest,
  fields: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<Answer | undefined> {
  if (request.operation.method === "POST") {
    return send(request, { headers, body: JSON.stringify(fields) });
  }
  const query = new URLSearchParams(
    Object.entries(fields).map(([name, value]) => [name, asText(value)]),
  );
  return send(request, { headers, path: `?${query}` });
}

/** A value as it is written in a query. */
function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Runs `act` for each item, a few at a time. */
async function forEach<Item>(items: Item[], act: (item: Item) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  const worker = async () => {
    for (const item of queue) await act(item);
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}

const describe = ({ httpStatus, body }: Answer) => `${httpStatus} ${body.code ?? body.status}`;

Deno.test.each(REQUESTS)(
  "$operation.name answers the request that the others here are made of",
  async (request) => {
    const answer = await sendFields(request, request.fields);
    strictEqual(answer?.httpStatus, 200);
  },
);

const bytes = (...parts: (string | number)[]) =>
  new Uint8Array(
    parts.flatMap((part) => typeof part === "string" ? [...encoder.encode(part)] : part),
  );

const NO_OBJECTS: [string, Body][] = [
  ["nothing", ""],
  ["white space", " \r\n\t"],
  ["half an object", '{"phone_number":'],
  ["null", "null"],
  ["true", "true"],
  ["an array", "[]"],
  ["a text", '"text"'],
  ["a number", "1e400"],
  ["NaN", "NaN"],
  ["two objects", "{}{}"],
  ["a comment", "{} // hello"],
  ["XML", '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'],
  ["a form", "phone_number=%2B919876543210&package_id=starter"],
  ["gzip", new Uint8Array(gzipSync('{"phone_number":"+919876543210"}'))],
  ["invalid UTF-8", bytes('{"phone_number":"', 0xc3, 0x28, '"}')],
  ["overlong UTF-8", bytes('{"phone_number":"', 0xc0, 0xaf, '"}')],
  ["a surrogate in UTF-8", bytes('{"phone_number":"', 0xed, 0xa0, 0x80, '"}')],
  ["a NUL byte", bytes('{"phone_number":"', 0, '"}')],
  ["UTF-16", bytes(0xff, 0xfe, 0x7b, 0, 0x7d, 0)],
  ["only a BOM", bytes(0xef, 0xbb, 0xbf)],
  ["brackets 8,000 deep that do not close", "[".repeat(8_000)],
  ["objects 1,600 deep that do not close", '{"a":'.repeat(1_600)],
];

for (const [name, body] of NO_OBJECTS) {
  Deno.test(`${name} for a body is refused as no JSON object`, async () => {
    // A function that needs no field needs no body either.
    const senders = SENDERS.filter(({ operation }) => body !== "" || !needsNoField(operation));
    await forEach(senders, async (request) => {
      const answer = await send(request, { body });
      strictEqual(answer && describe(answer), "400 INVALID_JSON", request.operation.name);
    });
  });
}

Deno.test("a body that says gzip is read as it is, so gzip is refused and JSON is taken", async () => {
  await forEach(SENDERS, async (request) => {
    const headers = { "content-encoding": "gzip" };
    const json = JSON.stringify(request.fields);
    const zipped = await send(request, { headers, body: new Uint8Array(gzipSync(json)) });
    strictEqual(zipped && describe(zipped), "400 INVALID_JSON");
    strictEqual((await send(request, { headers, body: json }))?.httpStatus, 200);
  });
});

Deno.test("any content type will do for JSON", async () => {
  const types = [
    "application/json;charset=utf-16",
    "text/plain",
    "text/html; charset=shift_jis",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "nonsense",
    "",
  ];
  await forEach(SENDERS, async (request) => {
    for (const type of types) {
      const headers = { "content-type": type };
      const answer = await send(request, { headers, body: JSON.stringify(request.fields) });
      strictEqual(answer?.httpStatus, 200);
    }
  });
});

Deno.test("a BOM before JSON and white space around it do no harm", async () => {
  await forEach(SENDERS, async (request) => {
    const json = JSON.stringify(request.fields);
    strictEqual((await send(request, { body: `\ufeff\n ${json} \n` }))?.httpStatus, 200);
  });
});

Deno.test("of a field that comes twice the last one counts, and it is checked", async () => {
  await forEach(SENDERS, async (request) => {
    const [field] = Object.keys(request.fields);
    if (field === undefined) return;
    const json = JSON.stringify(request.fields);
    const before = await send(request, { body: json.replace("{", `{"${field}":{},`) });
    strictEqual(before?.httpStatus, 200);
    const after = await send(request, { body: json.replace(/}$/, `,"${field}":{}}`) });
    strictEqual(after?.httpStatus, 400);
  });
});

Deno.test("fields that nobody asked for change nothing, whatever they are called", async () => {
  const odd =
    '"__proto__":{"credits":1000,"phone_number":"x"},"constructor":{"prototype":{"polluted":1}},' +
    '"toString":1,"hasOwnProperty":null,"credits_after":9999,"is_admin":true,"id":"1","":{},' +
    `"deep":${"[".repeat(2_000)}${"]".repeat(2_000)}`;
  await forEach(SENDERS, async (request) => {
    const rest = JSON.stringify(request.fields).slice(1);
    const body = `{${odd}${rest === "}" ? "" : ","}${rest}`;
    strictEqual((await send(request, { body }))?.httpStatus, 200);
  });
  strictEqual(Reflect.get({}, "polluted"), undefined);
  const query = READERS.map((request) =>
    sendFields(request, {
      ...request.fields,
      ["__proto__"]: "x",
      constructor: "x",
      credits: "1000",
    })
  );
  for (const answer of await Promise.all(query)) strictEqual(answer?.httpStatus, 200);
});

for (const request of REQUESTS) {
  const { operation, fields } = request;
  const names = new Set([...Object.keys(operation.input.shape), ...Object.keys(fields)]);

  Deno.test(`${operation.name} takes or refuses anything in any field, and fails at nothing`, async () => {
    const corrupted = [...names].flatMap((name) => HOSTILE.map((value) => ({ name, value })));
    await forEach(corrupted, async ({ name, value }) => {
      const answer = await sendFields(request, { ...fields, [name]: value });
      ok(
        answer && answer.httpStatus < 500,
        `${name} = ${JSON.stringify(value)}: ${answer?.httpStatus}`,
      );
    });
  });
}

for (const request of READERS) {
  const { operation, fields } = request;

  Deno.test(`${operation.name} takes or refuses anything in its path`, async () => {
    const segments = [
      ...HOSTILE.map(asText).filter((text) => text !== "").map((text) =>
        encodeURIComponent(text.toWellFormed())
      ),
      "%00",
      "%FF",
      "%2F",
      "%252F",
      "%5C",
      "a;b=c",
      "@",
      "~",
      "*",
    ];
    const { [operation.pathField ?? ""]: _, ...others } = fields;
    const query = new URLSearchParams(others as Record<string, string>);
    await forEach(segments, async (segment) => {
      const answer = await send(request, { path: `/${segment}?${query}` });
      ok(answer && answer.httpStatus < 500, `${segment}: ${answer?.httpStatus}`);
    });
  });
}

Deno.test.each([
  ["-1", 400],
  ["0", 400],
  ["101", 400],
  ["1e9", 400],
  ["1000000000", 400],
  ["50; drop", 400],
  ["1.5", 400],
  ["0x10", 400],
  ["+5", 400],
  [" 5", 400],
  ["٥", 400],
  ["1", 200],
  ["100", 200],
  ["007", 200],
  ["", 400],
])("a history with limit %j is answered %s", async (limit, expected) => {
  const request = requestTo("credit-history");
  const answer = await send(request, {
    path: `/${request.fields.user_id}?limit=${encodeURIComponent(limit)}`,
  });
  strictEqual(answer?.httpStatus, expected);
});

Deno.test.each(["PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "BREW"])(
  "%s is answered by every function, and does nothing",
  async (method) => {
    await forEach(REQUESTS, async (request) => {
      const body = request.operation.method === "POST" && method !== "HEAD"
        ? JSON.stringify(request.fields)
        : undefined;
      const answer = await send(request, { method, body });
      if (answer) strictEqual(describe(answer), "405 METHOD_NOT_ALLOWED");
    });
  },
);

Deno.test("large and many headers do no harm", async () => {
  await forEach(REQUESTS, async (request) => {
    for (
      const headers of [
        { "x-large": "x".repeat(60_000) },
        { "x-request-id": "x".repeat(60_000) },
        { "x-forwarded-for": "1.2.3.4, ".repeat(5_000) },
        { "user-agent": "() { :; }; echo", "referer": "\u00ff", "x-client-info": "{{7*7}}" },
        Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`x-many-${index}`, "x"])),
      ] as Record<string, string>[]
    ) {
      const answer = await sendFields(request, request.fields, headers);
      strictEqual(answer && describe(answer), "200 SUCCESS", request.operation.name);
    }
  });
});

/** Writes a request byte by byte as given, and returns the answer with its head. */
async function sendRaw(request: string): Promise<string> {
  using connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(encoder.encode(request));
  let answer = "";
  // Not until the end: a server may wait for the rest of a request after it has responded.
  for await (const text of connection.readable.pipeThrough(new TextDecoderStream())) {
    answer += text;
    if (/\r\n\r\n\{.*\}$/s.test(answer)) break;
  }
  return answer;
}

/** The head of a raw request. */
function rawHead(path: string, headers: string[]): string {
  const first = [`POST /functions/v1/${path} HTTP/1.1`, `Host: ${hostname}:${port}`];
  return [...first, "Connection: close", ...headers, "", ""].join("\r\n");
}

const secretLine = `x-bot-secret: ${environment.BOT_SECRET}`;

Deno.test("a body in chunks of one byte is read", async () => {
  const body = JSON.stringify({ phone_number: newPhoneNumber() });
  const chunks = [...body].map((character) => `1\r\n${character}\r\n`).join("");
  const head = rawHead("bot-deduct", [secretLine, "Transfer-Encoding: chunked"]);
  match(await sendRaw(`${head}${chunks}0\r\n\r\n`), /^HTTP\/1\.1 200 /);
});

Deno.test("a duplicated header does not give a second chance", async () => {
  const phone_number = newPhoneNumber();
  const body = JSON.stringify({ phone_number });
  const length = `Content-Length: ${body.length}`;
  for (const secrets of [[secretLine, secretLine], ["x-bot-secret: wrong", secretLine]]) {
    const answer = await sendRaw(`${rawHead("bot-deduct", [...secrets, length])}${body}`);
    match(answer, /^HTTP\/1\.1 401 /);
    match(answer, /"code":"INVALID_BOT_SECRET"/);
  }
  const types = ["Content-Type: application/json", "Content-Type: text/html"];
  match(
    await sendRaw(`${rawHead("bot-deduct", [secretLine, ...types, length])}${body}`),
    /^HTTP\/1\.1 200 /,
  );
});

Deno.test("a body that ends early changes nothing", async () => {
  const phone_number = newPhoneNumber();
  const body = JSON.stringify({ phone_number });
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const head = rawHead("bot-deduct", [secretLine, `Content-Length: ${body.length + 10}`]);
  await connection.write(encoder.encode(head + body));
  await connection.closeWrite();
  await new Response(connection.readable).text().catch(() => "");
  strictEqual(await isKnown(sql, phone_number), false);
});

/** Any request, as far as a client can shape it. */
const anyRequest = fc.record({
  name: fc.constantFrom(...REQUESTS.map(({ operation }) => operation.name)),
  method: fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"),
  ),
  isAuthentic: fc.boolean(),
  path: fc.oneof(
    { weight: 3, arbitrary: fc.constant("") },
    fc.array(fc.oneof(fc.webSegment(), anyText().map(encodeURIComponent)), { maxLength: 3 })
      .map((segments) => segments.map((segment) => `/${segment}`).join("")),
  ).filter((path) => !path.split("/").some((segment) => /^(\.|%2e){1,2}$/i.test(segment))),
  query: fc.oneof(
    { weight: 2, arbitrary: fc.constant("") },
    fc.webQueryParameters().map((query) => `?${query}`),
    fc.dictionary(fieldName(), anyText(), { maxKeys: 4 })
      .map((fields) => `?${new URLSearchParams(fields)}`),
  ),
  headers: fc.dictionary(
    fc.constantFrom(
      "authorization",
      "apikey",
      "x-access-token",
      "content-type",
      "idempotency-key",
      "x-request-id",
      "x-forwarded-for",
      "x-razorpay-event-id",
      "accept",
      "cookie",
      "prefer",
      "range",
    ),
    fc.string({
      unit: fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f).map((code) =>
        String.fromCharCode(code)
      ),
    }),
    { maxKeys: 4, noNullPrototype: true },
  ),
  body: fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((array) => new Uint8Array(array)),
    fc.json({ stringUnit: "binary", noUnicodeString: false } as fc.JsonSharedConstraints),
    fc.dictionary(
      fieldName(),
      fc.oneof(fc.jsonValue({ stringUnit: "binary" }), fc.constantFrom(...HOSTILE)),
      {
        maxKeys: 6,
      },
    ).map((fields) => JSON.stringify(fields)),
  ),
});

function anyText(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(...HOSTILE.map(asText)),
  ).map((text) => text.toWellFormed());
}

function fieldName(): fc.Arbitrary<string> {
  const names = OPERATIONS.flatMap(({ input }) => Object.keys(input.shape));
  return fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...new Set(names)) }, fc.string());
}

/** A run that fails can be repeated. `deno task prove fuzz` draws other requests each time. */
const SEED = 12;

const FUZZ_MS = 10_000;

Deno.test("anything at all gets an answer that keeps the promises", async () => {
  let answered = 0;
  const property = fc.asyncProperty(anyRequest, async (any) => {
    const { operation, headers, fields } = requestTo(any.name);
    const method = any.method ?? operation.method;
    const answer = await send(
      { operation, fields, headers: any.isAuthentic ? headers : {} },
      {
        method,
        path: `${any.path}${any.query}`,
        headers: { ...any.headers, ...(any.isAuthentic && headers) },
        body: method === "GET" ? undefined : any.body,
      },
    );
    answered++;
    ok(answer === undefined || answer.httpStatus < 500, answer && describe(answer));
  });
  await fc.assert(property, {
    seed: SEED,
    numRuns: 3_000,
    interruptAfterTimeLimit: FUZZ_MS,
    markInterruptAsFailure: false,
  });
  ok(answered > 100, String(answered));
});

Deno.test("a body that takes longer than 10 seconds is given up, even where it is JSON already", {
  timeout: 30_000,
}, async () => {
  const phone_number = newPhoneNumber();
  const body = JSON.stringify({ phone_number });
  // The last byte of what is announced never comes.
  const head = rawHead("bot-deduct", [
    `x-bot-secret: ${environment.BOT_SECRET}`,
    `Content-Length: ${body.length + 1}`,
  ]);
  const answer = await withQuickTimers("setTimeout", () => sendRaw(head + body));
  match(answer, /^HTTP\/1\.1 400 /);
  match(answer, /"message":"The request body did not arrive"/);
  strictEqual(await isKnown(sql, phone_number), false);
});
