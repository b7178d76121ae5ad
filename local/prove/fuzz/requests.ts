/**
 * Requests drawn from the document: every operation, with fields that are right, nearly right and
 * absurd, missing, doubled and unknown, in any method, path, query, body and header.
 * @module
 */

import fc from "fast-check";
import type { Operation } from "shared/contract/operation.ts";
import { OPERATIONS } from "shared/contract/operations.ts";
import { PATHS } from "../answers/document.ts";
import { type Caller, callerOf, type Headers, proofOf } from "./callers.ts";
import {
  absurdValue,
  anyText,
  asText,
  type Drawn,
  nearlyValidValue,
  type Scene,
  type Schema,
  validValue,
} from "./values.ts";
import type { Customer, World } from "./world.ts";

/** A request, ready to be sent. */
export interface Attempt {
  readonly operation: Operation;
  readonly caller: Caller;
  readonly method: string;
  /** The path and the query, from the first slash on. */
  readonly target: string;
  readonly hasPathField: boolean;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
  /** The customers that it may be about. */
  readonly about: readonly Customer[];
}

/** A request that is known when it is sent. */
export type DrawnRequest = (world: World) => Attempt;

type Fields = readonly (readonly [name: string, value: unknown])[];

/** Operations that read all of the books, so that a run of them would do little else. */
const SLOW = [
  "check-books",
  "sales-report",
  "list-attention",
  "reconcile-payments",
  "deliver-events",
];

const encoder = new TextEncoder();

function requestTo(operation: Operation): fc.Arbitrary<DrawnRequest> {
  return fc.record({
    who: fc.nat(1_000),
    other: fc.nat(1_000),
    caller: callerOf(operation).chain((caller) =>
      proofOf(caller).map((proof) => ({ caller, proof }))
    ),
    method: methodOf(operation),
    fields: fieldsOf(operation),
    address: addressOf(operation),
    encode: operation.caller === "razorpay"
      ? fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, encoding(operation))
      : encoding(operation),
    webhook: webhookBody,
    headers: anyHeaders,
  }).map(({ who, other, caller, method, fields, address, encode, webhook, headers }) => (world) => {
    const { customers } = world;
    const scene: Scene = {
      world,
      customer: customers[who % customers.length]!,
      other: customers[other % customers.length]!,
    };
    const given = fields(scene);
    const hasBody = operation.method === "POST" && !["GET", "HEAD"].includes(method);
    const body = hasBody ? encode?.(given) ?? webhook(scene) : undefined;
    const { path, hasPathField } = address(operation.method === "GET" ? given : []);
    return {
      operation,
      caller: caller.caller,
      method,
      target: path,
      hasPathField,
      headers: [...caller.proof(scene, body ?? new Uint8Array()), ...headers(scene)],
      body,
      about: [scene.customer, scene.other],
    };
  });
}

function methodOf({ method }: Operation): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 24, arbitrary: fc.constant<string>(method) },
    fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND", "BREW"),
  );
}

/** The fields of an operation, with their schemas, as the document has them. */
function documentedFields({ name, method }: Operation): [name: string, schema: Schema][] {
  const documented = PATHS[`/${name}`]?.[method.toLowerCase()];
  const parameters = (documented?.parameters ?? [])
    .filter((parameter) => parameter.in === "query")
    .map((parameter): [string, Schema] => [parameter.name, parameter.schema]);
  const properties = Object.values(documented?.requestBody?.content ?? {})
    .flatMap(({ schema }) => Object.entries(schema.properties ?? {}) as [string, Schema][]);
  return [...parameters, ...properties];
}

/** The fields of a request: those of one of the document's examples, or any. */
function fieldsOf(operation: Operation): fc.Arbitrary<Drawn<Fields>> {
  const documented = documentedFields(operation);
  const forms = Object.values(operation.examples).map(({ input }) => Object.keys(input));
  const names = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...forms) },
    { weight: 1, arbitrary: fc.subarray(documented.map(([name]) => name)) },
  );
  const values = fc.tuple(
    ...documented.map(([name, schema]) =>
      fieldValue(name, schema).map((draws) => [name, draws] as const)
    ),
  );
  return fc.tuple(names, values, unknownFields).map(([chosen, drawn, unknown]) => (scene) => [
    ...drawn
      .filter(([name]) => chosen.includes(name))
      .flatMap(([name, draws]) => draws.map((draw) => [name, draw(scene)] as const)),
    ...unknown,
  ]);
}

/** The values of a field, one after the other: usually one, sometimes none, sometimes two. */
function fieldValue(name: string, schema: Schema): fc.Arbitrary<readonly Drawn[]> {
  const one = fc.oneof(
    { weight: 44, arbitrary: validValue(name, schema) },
    { weight: 4, arbitrary: nearlyValidValue(name, schema) },
    { weight: 2, arbitrary: absurdValue },
  );
  return fc.oneof(
    { weight: 48, arbitrary: fc.tuple(one) },
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.tuple(one, one) },
  );
}

const unknownFields: fc.Arbitrary<Fields> = fc.oneof(
  { weight: 19, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.array(
      fc.tuple(
        fc.oneof(anyText, fc.constantFrom("__proto__", "constructor", "credits_after", "id")),
        fc.jsonValue(),
      ),
      { minLength: 1, maxLength: 30 },
    ),
  },
);

/** Where a request goes, for the fields that are in the address. */
type Address = (fields: Fields) => { path: string; hasPathField: boolean };

function addressOf({ name, pathField }: Operation): fc.Arbitrary<Address> {
  const start = `/functions/v1/${name}`;
  const segment = anyText
    .map((text) => encodeURIComponent(text.toWellFormed()))
    // A client leaves these out before it sends anything.
    .filter((text) => !/^(\.|%2e){0,2}$/i.test(text));
  const inQuery: Address = (fields) => ({
    path: `${start}${queryOf(fields)}`,
    hasPathField: false,
  });
  const inPath: Address = (fields) => {
    const value = asText(fields.find(([field]) => field === pathField)?.[1] ?? "");
    const text = encodeURIComponent(value.toWellFormed());
    if (/^(\.|%2e){0,2}$/i.test(text)) return inQuery(fields);
    const others = fields.filter(([field]) => field !== pathField);
    return { path: `${start}/${text}${queryOf(others)}`, hasPathField: true };
  };
  return fc.oneof(
    { weight: 24, arbitrary: fc.constant(inQuery) },
    { weight: pathField === undefined ? 0 : 24, arbitrary: fc.constant(inPath) },
    {
      weight: 1,
      arbitrary: fc.array(segment, { minLength: 1, maxLength: 4 }).map(
        (segments): Address => (fields) => ({
          path: `${start}/${segments.join("/")}${queryOf(fields)}`,
          hasPathField: pathField !== undefined && segments.length === 1,
        }),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Address>(
        (fields) => ({ path: `${start}/${queryOf(fields)}`, hasPathField: false }),
        (fields) => ({ path: `${start}//${queryOf(fields)}`, hasPathField: false }),
        (fields) => ({
          path: `${start}/%FF${queryOf(fields)}`,
          hasPathField: pathField !== undefined,
        }),
        (fields) => ({
          path: `${start}/%00${queryOf(fields)}`,
          hasPathField: pathField !== undefined,
        }),
        () => ({ path: `${start}?${"a=1&".repeat(500)}`, hasPathField: false }),
        () => ({ path: `${start}?%&=&&%ff=%zz#fragment`, hasPathField: false }),
      ),
    },
  );
}

function queryOf(fields: Fields): string {
  if (fields.length === 0) return "";
  // Some clients send a plus sign as it is.
  const parts = fields.map(([name, value]) =>
    `${encodeURIComponent(name.toWellFormed())}=${
      encodeURIComponent(asText(value).toWellFormed()).replace(/^%2B/, "+")
    }`
  );
  return `?${parts.join("&")}`;
}

type Encoding = (fields: Fields) => Uint8Array<ArrayBuffer>;

/** JSON of fields, of which some may be doubled. */
function jsonOf(fields: Fields): string {
  return `{${
    fields.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value) ?? null}`)
  }}`;
}

function formOf(fields: Fields): string {
  return new URLSearchParams(
    fields.map(([name, value]) => [name.toWellFormed(), asText(value).toWellFormed()]),
  ).toString();
}

function encoding(operation: Operation): fc.Arbitrary<Encoding> {
  const [usual, other] = operation.bodyType === undefined ? [jsonOf, formOf] : [formOf, jsonOf];
  const text = (encode: (fields: Fields) => string): Encoding => (fields) =>
    new Uint8Array(encoder.encode(encode(fields)));
  const broken = fc.oneof(
    fc.constantFrom(
      text(other),
      text((fields) => `\ufeff\r\n ${usual(fields)} \n`),
      text((fields) => `${usual(fields)}${usual(fields)}`),
      text((fields) => `[${usual(fields)}]`),
      text((fields) => JSON.stringify(usual(fields))),
      text((fields) => usual(fields).replaceAll(/\d+/g, "1e400")),
      text((fields) => usual(fields).replaceAll('"', "'")),
      text((fields) =>
        `${usual(fields).slice(0, -1)},"deep":${"[".repeat(900)}${"]".repeat(900)}}`
      ),
      text(() => "[".repeat(8_000)),
      text(() => ""),
      text(() => "null"),
    ),
    fc.nat(300).map((length): Encoding => (fields) => text(usual)(fields).slice(0, length)),
    fc.tuple(fc.nat(300), fc.nat(255)).map(([place, byte]): Encoding => (fields) => {
      const bytes = text(usual)(fields);
      bytes[place % bytes.length] = byte;
      return bytes;
    }),
    fc.constantFrom(16_000, 16_384, 17_000, 100_000, 262_144, 300_000).map((size) =>
      text((fields) => usual(fields).padEnd(size))
    ),
    fc.json({ stringUnit: "binary" }).map((json) => text(() => json)),
    fc.uint8Array({ maxLength: 400 }).map((bytes): Encoding => () => new Uint8Array(bytes)),
  );
  return fc.oneof({ weight: 14, arbitrary: fc.constant(text(usual)) }, broken);
}

/** What Razorpay has sent about a customer's payment, as it was or with one thing in it changed. */
const webhookBody: fc.Arbitrary<Drawn<Uint8Array<ArrayBuffer>>> = fc.record({
  which: fc.nat(50),
  place: fc.nat(500),
  change: fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, {
    weight: 2,
    arbitrary: absurdValue,
  }),
}).map(({ which, place, change }) => (scene) => {
  const { webhooks } = scene.customer;
  const body = webhooks[which % webhooks.length] ?? "{}";
  if (change === undefined) return new Uint8Array(encoder.encode(body));
  const event: unknown = JSON.parse(body);
  const leaves = leavesOf(event);
  const leaf = leaves[place % leaves.length];
  if (leaf !== undefined) Reflect.set(leaf.owner, leaf.name, change(scene));
  return new Uint8Array(encoder.encode(JSON.stringify(event)));
});

/** Every value in a value, by the object or array that has it. */
function leavesOf(value: unknown): { owner: object; name: string }[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    { owner: value, name },
    ...leavesOf(inner),
  ]);
}

/** What a header may hold, written as the bytes that are sent. */
const headerText = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
  maxLength: 60,
});

const sometimes = (weight: number, headers: fc.Arbitrary<Drawn<Headers>>) =>
  fc.oneof(
    { weight: 100 - weight, arbitrary: fc.constant<Drawn<Headers>>(() => []) },
    { weight, arbitrary: headers },
  );

const named = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<Drawn<Headers>> =>
  value.map((text) => () => [[name, text]]);

const anyHeaders: fc.Arbitrary<Drawn<Headers>> = fc.tuple(
  named(
    "content-type",
    fc.oneof(
      { weight: 8, arbitrary: fc.constant("application/json") },
      fc.constantFrom("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"),
      headerText,
    ),
  ),
  sometimes(8, named("idempotency-key", fc.oneof(fc.nat(400).map((n) => `key-${n}`), headerText))),
  sometimes(
    12,
    named(
      "x-request-id",
      fc.oneof(fc.uuid(), fc.constantFrom("+919876543210", "x".repeat(5_000)), headerText),
    ),
  ),
  sometimes(
    60,
    named(
      "x-forwarded-for",
      fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom("203.0.113.7", "2001:db8::1", "198.51.100.9") },
        { weight: 4, arbitrary: fc.ipV4() },
        { weight: 1, arbitrary: headerText },
      ),
    ),
  ),
  sometimes(
    25,
    fc.constantFrom<Drawn<string>>(
      ({ world }) => world.target.environment.CONSOLE_ORIGIN,
      ({ world }) => world.target.environment.CONSOLE_ORIGIN,
      ({ world }) => new URL(world.target.environment.FRONTEND_URL).origin,
      () => "https://elsewhere.example",
      () => "null",
    ).map((origin) => (scene) => [["origin", origin(scene)]]),
  ),
  sometimes(
    6,
    fc.tuple(
      fc.constantFrom("accept", "cookie", "prefer", "range", "x-client-info", "user-agent"),
      headerText,
    ).map(([name, value]) => () => [[name, value]]),
  ),
  sometimes(1, named("x-large", fc.constantFrom(3_000, 60_000).map((size) => "x".repeat(size)))),
  sometimes(10, named("x-razorpay-event-id", fc.nat(2_000).map((n) => `event_${n}`))),
).map((parts) => (scene) => parts.flatMap((part) => part(scene)));

/** Any request to any operation. */
export const anyRequest: fc.Arbitrary<DrawnRequest> = fc.oneof(
  ...OPERATIONS.map((operation) => ({
    weight: SLOW.includes(operation.name) ? 1 : 6,
    arbitrary: requestTo(operation),
  })),
);
