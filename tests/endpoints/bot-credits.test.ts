/**
 * GET bot-credits: a bot asks for a balance.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { newCustomer, newReference, passExpiry, reserve } from "../support/bot.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());

Deno.test("bot-credits gives a new user 3 credits, and words each balance correctly", async () => {
  const phone = newPhoneNumber();
  const messages = [
    "You have 3 credits remaining.",
    "You have 2 credits remaining.",
    "You have 1 credit remaining.",
    "You have no credits remaining.",
  ];
  for (const [spent, message] of messages.entries()) {
    const answer = await call("GET", `bot-credits/${phone}`);
    strictEqual(answer.httpStatus, 200);
    deepStrictEqual(answer.body, {
      status: "SUCCESS",
      message,
      data: { remaining_credits: 3 - spent, reserved_credits: 0, user_exists: true },
    });
    await call("POST", "bot-deduct", { body: { phone_number: phone } });
  }
});

Deno.test.each([
  [20, [5], 15, "You have 15 credits remaining. 5 more are reserved."],
  [20, [5, 1], 14, "You have 14 credits remaining. 6 more are reserved."],
  [2, [1], 1, "You have 1 credit remaining. 1 more is reserved."],
  [2, [1, 1], 0, "Your last 2 credits are reserved for what is being made."],
  [1, [1], 0, "Your last credit is reserved for what is being made."],
])(
  "of %d credits %j are reserved: bot-credits says so",
  async (credits, holds, remaining, message) => {
    const who = await newCustomer(backend.sql, credits);
    for (const held of holds) {
      dataOf(await reserve({ ...who, reference_id: newReference(), credits: held }));
    }
    const answer = await call("GET", `bot-credits/${who.phone_number}`);
    deepStrictEqual(answer.body, {
      status: "SUCCESS",
      message,
      data: {
        remaining_credits: remaining,
        reserved_credits: credits - remaining,
        user_exists: true,
      },
    });
  },
);

Deno.test("bot-credits does not count what has expired, whether or not something has swept it", async () => {
  const who = await newCustomer(backend.sql, 20);
  const holds = [newReference(), newReference()] as const;
  for (const reference_id of holds) dataOf(await reserve({ ...who, reference_id, credits: 5 }));
  await passExpiry(backend.sql, who, holds[0]);
  const ask = async () => (await call("GET", `bot-credits/${who.phone_number}`)).body.message;
  strictEqual(await ask(), "You have 15 credits remaining. 5 more are reserved.");
  await backend.sql`select from public.expire_holds(1000)`;
  strictEqual(await ask(), "You have 15 credits remaining. 5 more are reserved.");
  await passExpiry(backend.sql, who, holds[1]);
  strictEqual(await ask(), "You have 20 credits remaining.");
});

Deno.test("bot-credits knows one person by every spelling, in the path and in the query", async () => {
  const phone = newPhoneNumber();
  const digits = phone.slice(1);
  const national = phone.slice(3);
  dataOf(await call("POST", "bot-deduct", { body: { phone_number: phone, credits: 2 } }));
  for (
    const path of [
      `bot-credits/${phone}`,
      `bot-credits/%2B${digits}`,
      `bot-credits/${digits}`,
      `bot-credits/0${national}`,
      `bot-credits/00${digits}`,
      `bot-credits/+91%20${national.slice(0, 5)}%20${national.slice(5)}`,
      `bot-credits?phone_number=${phone}`,
      `bot-credits?phone_number=%2B${digits}`,
      `bot-credits?phone_number=${digits}`,
      `bot-credits?phone_number=+91+${national.slice(0, 5)}+${national.slice(5)}`,
      `bot-credits/?phone_number=${phone}&unknown=1`,
    ]
  ) {
    strictEqual(dataOf(await call("GET", path)).remaining_credits, 1, path);
  }
});

Deno.test.each(["bot-credits", "bot-credits/", "bot-credits?phone_number=", "bot-credits?phone=1"])(
  "%s lacks the phone number",
  async (path) => {
    expectError(await call("GET", path), {
      httpStatus: 400,
      code: "MISSING_FIELD",
      message: "Phone number is required",
    });
  },
);

Deno.test.each([
  "12345",
  "hello",
  "+91987654321",
  "+919876543210%20ext%205",
  "%EF%BC%99876543210",
  "%00",
  "null",
  "+919876543210'%20or%20'1'%3D'1",
])("bot-credits refuses %s as a phone number, and names the field", async (text) => {
  for (const path of [`bot-credits/${text}`, `bot-credits?phone_number=${text}`]) {
    expectError(await call("GET", path), {
      httpStatus: 400,
      code: "INVALID_REQUEST",
      message: /^phone_number /,
    });
  }
});

Deno.test("bot-credits refuses a number in the path and another in the query", async () => {
  const path = `bot-credits/${newPhoneNumber()}?phone_number=${newPhoneNumber()}`;
  expectError(await call("GET", path), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: /\bphone_number\b/,
  });
});
