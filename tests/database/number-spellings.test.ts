/**
 * The spellings of a phone number in SQL are those that functions-shared/old-spelling.ts reads.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { asDialed } from "shared/old-spelling.ts";
import { createTestDatabase } from "../support/database.ts";
import { one } from "../support/lists.ts";
import { OLD_SPELLINGS } from "../support/old-spellings.ts";

const database = await createTestDatabase();
Deno.test.afterAll(() => database.drop());

async function spellingsOf(number: string): Promise<string[]> {
  const { spellings } = one(
    await database.sql<{ spellings: string[] }[]>`
      select private.number_spellings(${number}) as spellings`,
  );
  return spellings;
}

Deno.test.each([...OLD_SPELLINGS])(
  "%s used to be %s, and either leads to both",
  async (dialed, old) => {
    for (const number of [dialed, old]) deepStrictEqual(await spellingsOf(number), [dialed, old]);
  },
);

Deno.test.each(["+919876543210", "+551123456789", "+14155552671", "+5491112345678901"])(
  "%s has one spelling",
  async (number) => deepStrictEqual(await spellingsOf(number), [number]),
);

/** Numbers that differ from one with an old spelling in little. */
const nearby = fc.tuple(
  fc.constantFrom("+52", "+521", "+55", "+5511", "+55119", "+54", "+549", "+91"),
  fc.stringMatching(/^[0-9]{7,12}$/),
).map((parts) => parts.join(""));

Deno.test("the spellings of any number are read as the first of them, and the number is one of them", async () => {
  await fc.assert(
    fc.asyncProperty(nearby, async (number) => {
      const spellings = await spellingsOf(number);
      ok(spellings.includes(number));
      for (const spelling of spellings) strictEqual(asDialed(spelling), spellings[0]);
    }),
    { numRuns: 1_000 },
  );
});
