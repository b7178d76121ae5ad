/**
 * Values of fields, drawn from the document: valid ones, those that are nearly valid, and absurd ones.
 *
 * A field that names something is drawn as one that names something which exists, because a request
 * that refers to nothing only reaches the first check. What exists is known when the request is sent,
 * so a drawn value is a function of it.
 * @module
 */

import fc from "fast-check";
import { z } from "zod";
import { HOSTILE } from "./hostile-values.ts";
import type { Customer, World } from "./world.ts";

/** Who a request is about: mostly the one, sometimes the other. */
export interface Scene {
  readonly world: World;
  readonly customer: Customer;
  readonly other: Customer;
}

/** A value that is known when the request is sent. */
export type Drawn<Value = unknown> = (scene: Scene) => Value;

const fixed = <Value>(value: Value): Drawn<Value> => () => value;

const schemaShape = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  anyOf: z.array(z.looseObject({})).optional(),
  enum: z.array(z.unknown()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  maxLength: z.int().optional(),
  pattern: z.string().optional(),
  format: z.string().optional(),
});

/** A schema of the document, as far as values are drawn from it. */
export type Schema = z.input<typeof schemaShape>;

/** The references of calls: few, so that calls are repeated and collide. */
const references = fc.oneof(
  fc.constantFrom("spent", "held", "held-too"),
  fc.nat(400).map((number) => `wamid.${number}`),
);

const moments = fc.oneof(
  fc.constantFrom("2026-01-01", "2100-01-01", "2026-02-29", "2026-11-26T00:00:00Z", "0001-01-01"),
  fc.constantFrom("0000-01-01", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-15:59"),
  fc.tuple(
    fc.date({ noInvalidDate: true, min: new Date("2000-01-01"), max: new Date("2100-01-01") }),
    fc.constantFrom("", ".5", ".123456789", `.${"1".repeat(100)}`),
    fc.constantFrom("Z", "+05:30", "-12:00", "+15:59", "+16:00", "-23:59"),
  ).map(([date, fraction, offset]) => `${date.toISOString().slice(0, 19)}${fraction}${offset}`),
);

/** A number as people write it. */
const spelled = fc.constantFrom<(number: string) => string>(
  (number) => number,
  (number) => number,
  (number) => number.slice(1),
  (number) => number.slice(3),
  (number) => `${number.slice(0, 3)} ${number.slice(3, 8)}-${number.slice(8)}`,
  (number) => `0091${number.slice(3)}`,
);

const of = (read: (customer: Customer) => unknown): fc.Arbitrary<Drawn> =>
  fc.nat(9).map((die) => ({ customer, other }: Scene) => read(die === 0 ? other : customer));

const ids = fc.oneof(
  of(({ checkout }) => checkout.razorpay_order_id),
  of(({ checkout }) => checkout.razorpay_payment_id),
  of(({ phone_number }) => phone_number),
  of(({ whatsapp_user_id }) => whatsapp_user_id),
  of(({ user_id }) => user_id),
  of(({ event_id }) => event_id),
);

const phones = fc.tuple(of(({ phone_number }) => phone_number), spelled)
  .map(([draw, spell]): Drawn => (scene) => spell(asText(draw(scene))));

/** Values of fields whose schema does not say what they refer to. */
const KNOWN: Readonly<Record<string, fc.Arbitrary<Drawn>>> = {
  phone_number: phones,
  whatsapp_user_id: of(({ whatsapp_user_id }) => whatsapp_user_id),
  user_id: of(({ user_id }) => user_id),
  from_user_id: of(({ user_id }) => user_id),
  into_user_id: fc.constant(({ other }: Scene) => other.user_id),
  reference_id: references.map(fixed),
  hold_reference_id: references.map(fixed),
  razorpay_order_id: of(({ checkout }) => checkout.razorpay_order_id),
  razorpay_payment_id: of(({ checkout }) => checkout.razorpay_payment_id),
  razorpay_signature: of(({ checkout }) => checkout.razorpay_signature),
  payment_id: of(({ checkout }) => checkout.razorpay_payment_id),
  package_id: fc.constantFrom("starter", "starter", "popular", "pro").map(fixed),
  action: fc.constantFrom("image_generation", "video_generation", "voice_message", "chat")
    .map(fixed),
  quantity: fc.integer({ min: 1, max: 3_000 }).map(fixed),
  credits: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: -1_000, max: 1_000 }))
    .map(fixed),
  amount_paise: fc.integer({ min: 100, max: 10_000 }).map(fixed),
  cursor: fc.integer({ min: 1, max: 40 }).map(fixed),
  order: ids,
  query: fc.oneof(ids, phones),
  event_id: of(({ event_id }) => event_id),
  from: fc.oneof({ weight: 3, arbitrary: fc.constantFrom("2026-01-01", "2026-02-01") }, moments)
    .map(fixed),
  to: fc.oneof({ weight: 3, arbitrary: fc.constantFrom("2026-03-01", "2027-01-01") }, moments)
    .map(fixed),
  operator: fc.constantFrom("Asha", "Bela").map(fixed),
  reason: fc.constantFrom("The customer called", "=1+1", "Doppelt bezahlt 😀").map(fixed),
  "error[metadata]": of(({ checkout }) => JSON.stringify({ order_id: checkout.razorpay_order_id })),
};

/** Values that the document allows for a field. */
export function validValue(name: string, schema: Schema): fc.Arbitrary<Drawn> {
  const documented = fromSchema(schema).map(fixed);
  const known = KNOWN[name];
  return known === undefined
    ? documented
    : fc.oneof({ weight: 9, arbitrary: known }, { weight: 1, arbitrary: documented });
}

/** Made once, because fast-check collects all of them each time. */
const grapheme = fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 });

function fromSchema(given: Schema): fc.Arbitrary<unknown> {
  const schema = schemaShape.parse(given);
  const { type, anyOf, enum: values, minimum, maximum, maxLength = 300, pattern, format } = schema;
  if (anyOf !== undefined) return fc.oneof(...anyOf.map(fromSchema));
  if (values !== undefined) return fc.constantFrom(...values);
  if (Array.isArray(type)) {
    return fc.oneof(...type.map((one) => fromSchema({ ...schema, type: one })));
  }
  switch (type) {
    case "integer": {
      const [min, max] = [minimum ?? Number.MIN_SAFE_INTEGER, maximum ?? Number.MAX_SAFE_INTEGER];
      return fc.oneof(
        fc.constantFrom(min, max),
        fc.integer({ min: Math.max(min, -(2 ** 31)), max: Math.min(max, 2 ** 31 - 1) }),
      );
    }
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "string": {
      if (format === "uuid") return fc.uuid();
      const text = pattern === undefined || /^\^?\[\^/.test(pattern)
        ? fc.string({ unit: grapheme, minLength: 1, maxLength })
        : fc.stringMatching(new RegExp(pattern));
      return text.map((value) => value.slice(0, maxLength));
    }
    default:
      return fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4, noNullPrototype: true });
  }
}

type Change = (value: unknown) => unknown;

/** What makes a valid value an invalid one, or a valid one that looks like none. */
const CHANGES: readonly Change[] = [
  (value) => [value],
  (value) => ({ value }),
  (value) => typeof value === "string" ? Number(value) : asText(value),
  (value) => typeof value === "number" ? value + 0.5 : `${asText(value)}\u0000`,
  (value) => typeof value === "number" ? -value : `${asText(value)}\u200b`,
  (value) => typeof value === "number" ? value * 1e6 : asText(value).slice(0, -1),
  (value) => typeof value === "number" ? value + 1 : ` ${asText(value)} `,
  (value) => typeof value === "number" ? value - 1 : `${asText(value)}${asText(value)}`,
  (value) => asText(value).toUpperCase(),
  (value) => asText(value).toLowerCase(),
  (value) => asText(value).split("").reverse().join(""),
  (value) => asText(value).padEnd(256, "x"),
  (value) =>
    asText(value).replace(/[0-9]/g, (digit) => String.fromCharCode(0x0966 + Number(digit))),
  (value) => `${asText(value)}'`,
  (value) => `${asText(value)}%`,
  (value) => JSON.stringify(value),
];

/** Values that differ in one thing from a valid one, or lie just outside what is allowed. */
export function nearlyValidValue(name: string, schema: Schema): fc.Arbitrary<Drawn> {
  const { minimum, maximum } = bounds(schema);
  const outside = [minimum - 1, minimum, maximum, maximum + 1].filter(Number.isFinite);
  return fc.oneof(
    fc.tuple(validValue(name, schema), fc.constantFrom(...CHANGES))
      .map(([draw, change]): Drawn => (scene) => change(draw(scene))),
    fc.constantFrom(null, "", ...outside).map(fixed),
  );
}

function bounds(given: Schema): { minimum: number; maximum: number } {
  const { anyOf = [], minimum = NaN, maximum = NaN } = schemaShape.parse(given);
  const [first] = anyOf;
  return first === undefined ? { minimum, maximum } : bounds(first);
}

/** Text in any characters, half ones included. */
export const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
  fc.constantFrom(...HOSTILE.filter((value) => typeof value === "string")),
);

/** Anything that JSON can write. */
export const absurdValue: fc.Arbitrary<Drawn> = fc.oneof(
  fc.constantFrom(...HOSTILE),
  anyText,
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.maxSafeInteger(),
  fc.jsonValue({ stringUnit: "binary", maxDepth: 3 }),
  fc.nat(18_000).map((length) => "x".repeat(length)),
).map(fixed);

/**
 * A value as it is written in a query, a path or a form. JSON, because an object with a field such as
 * toString has no text of its own.
 */
export function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}
