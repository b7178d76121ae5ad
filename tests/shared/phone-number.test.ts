/**
 * One spelling for each person: which texts are read as which phone number, and which are refused.
 *
 * Numbers follow the national numbering plans; the old spellings are those that WhatsApp's ids still
 * use.
 * @module
 */

import { ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { toE164 } from "shared/phone-number.ts";

const PERSON = "+919876543210";
const SOURCES = ["whatsapp", "page"] as const;

/** Countries with old spellings and trunk zeros, and none. */
const PREFIXES = ["", "+", "0", "00", "+91", "+910", "+52", "+521", "+55", "+550", "+54", "+540"];

const INDIAN_SPELLINGS = [
  "+919876543210",
  "919876543210",
  "9876543210",
  "09876543210",
  "00919876543210",
  "0091 98765 43210",
  "+91 98765 43210",
  "+91-98765-43210",
  "+91.98765.43210",
  "+91 (0) 9876543210",
  "98765 43210",
  "098765-43210",
  "(98765) 43210",
  "  +919876543210  ",
  "9876543210\n",
];

for (const source of SOURCES) {
  Deno.test.each(INDIAN_SPELLINGS)(
    `an Indian mobile number from a ${source} may be written %j`,
    (spelling) => strictEqual(toE164(spelling, source), PERSON),
  );
}

Deno.test("a number that is longer than E.164 allows is refused, also where its country has such numbers", () => {
  for (const source of SOURCES) {
    for (const spelling of ["4940404592220445", "+4940404592220445"]) {
      strictEqual(toE164(spelling, source), undefined, spelling);
    }
    strictEqual(toE164("+494040459222044", source), "+494040459222044");
  }
});

Deno.test.each([
  ["14155552671", "+14155552671"],
  ["447911123456", "+447911123456"],
  ["971501234567", "+971501234567"],
  ["8801712345678", "+8801712345678"],
  ["9779812345678", "+9779812345678"],
  ["6591234567", "+6591234567"],
  ["6281234567890", "+6281234567890"],
  ["2348021234567", "+2348021234567"],
  ["4915123456789", "+4915123456789"],
  ["33612345678", "+33612345678"],
  ["393123456789", "+393123456789"],
  ["34612345678", "+34612345678"],
  ["79123456789", "+79123456789"],
  ["905012345678", "+905012345678"],
  ["966512345678", "+966512345678"],
  ["819012345678", "+819012345678"],
  ["8613123456789", "+8613123456789"],
  ["27711234567", "+27711234567"],
  ["61412345678", "+61412345678"],
  ["9647912345678", "+9647912345678"],
])("the WhatsApp id %s is the number %s abroad", (id, number) => {
  strictEqual(toE164(id, "whatsapp"), number);
  strictEqual(toE164(`+${id}`, "page"), number);
});

Deno.test("bare digits are a person abroad to WhatsApp, and a person at home on a page", () => {
  strictEqual(toE164("6591234567", "whatsapp"), "+6591234567");
  strictEqual(toE164("6591234567", "page"), "+916591234567");
});

Deno.test.each([
  { country: "Mexico", old: "5215512345678", now: "+525512345678" },
  { country: "Mexico", old: "+52 1 55 1234 5678", now: "+525512345678" },
  { country: "Brazil", old: "551187654321", now: "+5511987654321" },
  { country: "Brazil", old: "+55 (11) 8765-4321", now: "+5511987654321" },
  { country: "Brazil", old: "+55 (0) 51 7000-0000", now: "+5551970000000" },
  { country: "Argentina", old: "541123456789", now: "+5491123456789" },
  { country: "Argentina", old: "+54 11 2345-6789", now: "+5491123456789" },
])("$country: $old is the person that $now reaches", ({ old, now }) => {
  for (const source of SOURCES) {
    strictEqual(toE164(old, source), now);
    strictEqual(toE164(now, source), now);
  }
});

Deno.test("a Brazilian fixed line of eight digits gets no 9 put before it", () => {
  strictEqual(toE164("551132345678", "whatsapp"), "+551132345678");
});

Deno.test.each([
  ["nothing", ""],
  ["spaces", "   "],
  ["a lone plus sign", "+"],
  ["a country code only", "+91"],
  ["too few digits", "+91987654321"],
  ["too many digits", "+9198765432100"],
  ["a number that no operator has", "+915555555555"],
  ["two plus signs", "++919876543210"],
  ["a plus sign in the middle", "+91+9876543210"],
  ["a trunk zero as a country code", "+0919876543210"],
  ["full-width digits", "９８７６５４３２１０"],
  ["Devanagari digits", "९८७६५४३२१०"],
  ["Arabic-Indic digits", "٩٨٧٦٥٤٣٢١٠"],
  ["one Devanagari digit among others", "+9198765432१0"],
  ["a letter l in place of a 1", "+9l9876543210"],
  ["a letter O in place of a 0", "+91987654321O"],
  ["an extension after ext", "+919876543210 ext 5"],
  ["an extension after x", "+919876543210x5"],
  ["an extension after a semicolon", "+919876543210;ext=5"],
  ["an extension after a hash", "+919876543210#5"],
  ["a word before", "call 9876543210"],
  ["a word after", "9876543210 home"],
  ["an address of a scheme", "tel:+919876543210"],
  ["a WhatsApp address", "919876543210@s.whatsapp.net"],
  ["a vanity number", "1-800-FLOWERS"],
  ["an invisible mark", "\u202a+919876543210"],
  ["a NUL", "+919876543210\u0000"],
  ["two numbers", "9876543210, 9876543211"],
  ["two lines", "+919876543210\n+919876543211"],
  ["an emergency number", "112"],
  ["a very long row of digits", "9".repeat(100_000)],
  ["a very long row of brackets", "(".repeat(100_000)],
])("%s is no phone number", (_, text) => {
  for (const source of SOURCES) strictEqual(toE164(text, source), undefined);
});

Deno.test("any text is read or refused, and never throws", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(..."+0123456789 ()-./x\u0000९９\ud800"), maxLength: 40 }),
  );
  fc.assert(
    fc.property(text, fc.constantFrom(...SOURCES), (spelling, source) => {
      const number = toE164(spelling, source);
      ok(number === undefined || /^\+[1-9][0-9]{6,14}$/.test(number));
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("normalizing a normalized number changes nothing", () => {
  const digits = fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 8, maxLength: 13 });
  const spelling = fc.tuple(fc.constantFrom(...PREFIXES), digits)
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(spelling, fc.constantFrom(...SOURCES), (text, source) => {
      const number = toE164(text, source);
      if (number === undefined) return;
      for (const reader of SOURCES) {
        strictEqual(toE164(number, reader), number);
        strictEqual(toE164(number.slice(1), "whatsapp"), number);
      }
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("every Indian mobile number is one person however a page spells it", () => {
  const national = fc.tuple(
    fc.constantFrom("6", "7", "8", "9"),
    fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 9, maxLength: 9 }),
  ).map((parts) => parts.join(""));
  fc.assert(
    fc.property(national, (digits) => {
      const number = toE164(`+91${digits}`, "page");
      fc.pre(number !== undefined);
      for (const spelling of [digits, ` ${digits}`, `0${digits}`, `91${digits}`, `0091${digits}`]) {
        strictEqual(toE164(spelling, "page"), number);
      }
    }),
    { numRuns: 1_000 },
  );
});
