/**
 * GET users: a page shows a profile.
 * @module
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

Deno.test("users makes an unknown number a user with 3 credits, and returns the same from then on", async () => {
  const phone = newPhoneNumber();
  const before = Date.now();
  const first = await call("GET", `users/${phone}`);
  strictEqual(first.httpStatus, 200);
  strictEqual(first.body.status, "SUCCESS");
  strictEqual(first.body.message, "User profile retrieved successfully");
  const { id, created_at, ...rest } = dataOf(first);
  deepStrictEqual(rest, {
    phone_number: phone,
    credits: 3,
    remaining_credits: 3,
    reserved_credits: 0,
  });
  match(String(id), UUID);
  ok(Math.abs(Date.parse(String(created_at)) - before) < 60_000);
  deepStrictEqual((await call("GET", `users/${phone}`)).body, first.body);
});

Deno.test("a profile tells the balance from what of it can be spent", async () => {
  const phone = newPhoneNumber();
  const body = { phone_number: phone, reference_id: "job-1", credits: 2 };
  dataOf(await call("POST", "bot-reserve", { body }));
  const { credits, remaining_credits, reserved_credits } = dataOf(
    await call("GET", `users/${phone}`),
  );
  deepStrictEqual({ credits, remaining_credits, reserved_credits }, {
    credits: 3,
    remaining_credits: 1,
    reserved_credits: 2,
  });
});

Deno.test("a newcomer's history holds one welcome of 3 credits from the system", async () => {
  const phone = newPhoneNumber();
  const { id } = dataOf(await call("GET", `users/${phone}`));
  await call("GET", `users/${phone}`);
  await call("GET", `bot-credits/${phone}`);
  const { transactions, total } = dataOf(await call("GET", `credit-history/${id}`));
  strictEqual(total, 1);
  ok(Array.isArray(transactions));
  const [{ action, credits, source, balance_after }] = transactions;
  deepStrictEqual({ action, credits, source, balance_after }, {
    action: "credit",
    credits: 3,
    source: "system",
    balance_after: 3,
  });
});

Deno.test("every spelling of a number, by the bot and by the page, is one user", async () => {
  const phone = newPhoneNumber();
  const digits = phone.slice(1);
  const national = phone.slice(3);
  const { id } = dataOf(await call("GET", `users/${national}`));
  await call("POST", "bot-deduct", { body: { phone_number: digits } });
  await call("POST", "create-order", { body: { phone_number: `0${national}`, package_id: "pro" } });
  for (
    const path of [
      `users/${phone}`,
      `users/%2B${digits}`,
      `users/${digits}`,
      `users/${national}`,
      `users/0${national}`,
      `users/%20${national}`,
      `users/${national.slice(0, 5)}-${national.slice(5)}`,
      `users?phone_number=${phone}`,
      `users?phone_number=%2B${digits}`,
      `users?phone_number=${national}`,
      `users?phone_number=%20${national}`,
      `users?phone_number=+91+${national.slice(0, 5)}+${national.slice(5)}`,
    ]
  ) {
    const { id: same, phone_number, credits } = dataOf(await call("GET", path));
    deepStrictEqual({ same, phone_number, credits }, { same: id, phone_number: phone, credits: 2 });
  }
});

Deno.test("a plus sign in the query is one: the number is read as international", async () => {
  const phoneOf = async (path: string) => dataOf(await call("GET", path)).phone_number;
  strictEqual(await phoneOf("users?phone_number=+6591234567"), "+6591234567");
  strictEqual(await phoneOf("users?phone_number=%2B6591234567"), "+6591234567");
  strictEqual(await phoneOf("users?phone_number=6591234567"), "+916591234567");
  strictEqual(await phoneOf("users?phone_number=%206591234567"), "+916591234567");
});

Deno.test("users needs no secret", async () => {
  dataOf(await call("GET", `users/${newPhoneNumber()}`, { asBot: false }));
});

Deno.test.each(["users", "users/", "users?phone_number=", "users?user_id=1"])(
  "%s lacks the phone number",
  async (path) => {
    expectError(await call("GET", path), {
      httpStatus: 400,
      code: "MISSING_FIELD",
      message: "Phone number is required",
    });
  },
);

Deno.test.each(["12345", "hello", "%2B1", "+919876543210x5", "undefined", "%00"])(
  "users refuses %s as a phone number, and names the field",
  async (text) => {
    for (const path of [`users/${text}`, `users?phone_number=${text}`]) {
      expectError(await call("GET", path), {
        httpStatus: 400,
        code: "INVALID_REQUEST",
        message: /^phone_number /,
      });
    }
  },
);

Deno.test("users refuses a number in the path and one in the query", async () => {
  const phone = newPhoneNumber();
  expectError(await call("GET", `users/${phone}?phone_number=${phone}`), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: /\bphone_number\b/,
  });
});
