/**
 * The rule for phone numbers, as properties: a person gets one account and one welcome for a number,
 * however it is written and wherever it comes from.
 * @module
 */

import { strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { toE164 } from "shared/phone-number.ts";

const SOURCES = ["whatsapp", "page"] as const;

/** Country codes of large numbering plans and of unusual ones. */
const COUNTRY_CODES = [
  "91",
  "1",
  "7",
  "39",
  "44",
  "49",
  "52",
  "54",
  "55",
  "62",
  "65",
  "234",
  "971",
];

/** Digits that are mostly invalid as a number, and sometimes valid. */
const internationalDigits = fc.tuple(
  fc.constantFrom(...COUNTRY_CODES),
  fc.stringMatching(/^[1-9][0-9]{6,11}$/),
).map((parts) => parts.join(""));

/** A valid number in E.164. */
const validNumber = internationalDigits
  .map((digits) => toE164(`+${digits}`, "page"))
  .filter((number) => number !== undefined);

const separators = fc.array(fc.constantFrom("", " ", "-", ".", "/", "(", ")"), {
  minLength: 15,
  maxLength: 15,
});

Deno.test("a number with its plus sign is one person, wherever spaces, hyphens and brackets stand", () => {
  fc.assert(
    fc.property(validNumber, separators, fc.constantFrom(...SOURCES), (number, gaps, source) => {
      const [plus, ...digits] = number;
      const spelling = plus + digits.map((digit, index) => digit + gaps[index % 15]).join("");
      strictEqual(toE164(spelling, source), number);
      strictEqual(toE164(`  ${number}\n`, source), number);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a number without its plus sign is the same person to WhatsApp, and to anyone who dials 00 first", () => {
  fc.assert(
    fc.property(validNumber, (number) => {
      strictEqual(toE164(number.slice(1), "whatsapp"), number);
      for (const source of SOURCES) strictEqual(toE164(`00${number.slice(1)}`, source), number);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("reading a number again changes nothing, from any source in any order", () => {
  fc.assert(
    fc.property(
      fc.oneof(internationalDigits, fc.stringMatching(/^\+?[0-9]{6,14}$/)),
      fc.constantFrom(...SOURCES),
      (text, first) => {
        const number = toE164(text, first);
        fc.pre(number !== undefined);
        for (const second of SOURCES) strictEqual(toE164(number, second), number);
      },
    ),
    { numRuns: 2_000 },
  );
});
