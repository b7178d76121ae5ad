/**
 * POST bot-release: a bot returns what it has reserved. hold-states.test.ts has what it does in each
 * state of a hold.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import {
  capture,
  deduct,
  fundsOf,
  newCustomer,
  newReference,
  release,
  reserve,
  userIdOf,
} from "../support/bot.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { first } from "../support/lists.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";

const backend = await startBackend();
const { sql } = backend;
Deno.test.afterAll(() => backend.stop());

Deno.test("bot-release returns what was reserved, and words each number correctly", async () => {
  for (
    const [credits, message] of [
      [5, "5 credits returned. You have 20 credits remaining."],
      [1, "1 credit returned. You have 20 credits remaining."],
    ] as const
  ) {
    const who = await newCustomer(sql, 20);
    const body = { ...who, reference_id: newReference() };
    dataOf(await reserve({ ...body, credits }));
    const answer = await release(body);
    deepStrictEqual(answer.body, {
      status: "SUCCESS",
      message,
      data: { remaining_credits: 20, released_credits: credits },
    });
    strictEqual(answer.headers.get("idempotent-replayed"), null);
    dataOf(await deduct(who));
    const again = await release(body);
    deepStrictEqual(again.body, answer.body);
    strictEqual(again.headers.get("idempotent-replayed"), "true");
    strictEqual(await fundsOf(who), "19/0");
  }
});

Deno.test("a job that failed leaves nothing in the history", async () => {
  const body = { ...await newCustomer(sql, 20), reference_id: newReference() };
  dataOf(await reserve(body));
  dataOf(await release(body));
  const id = await userIdOf(sql, { phone_number: body.phone_number });
  strictEqual(dataOf(await call("GET", `credit-history/${id}`)).total, 1);
});

Deno.test("a reference that was released can be reserved, released and captured again", async () => {
  const who = await newCustomer(sql, 20);
  const body = { ...who, reference_id: newReference() };
  for (const credits of [1, 7, 3]) {
    strictEqual(dataOf(await reserve({ ...body, credits })).reserved_credits, credits);
    strictEqual(dataOf(await release(body)).released_credits, credits);
  }
  dataOf(await reserve({ ...body, credits: 6 }));
  strictEqual(dataOf(await capture(body)).captured_credits, 6);
  strictEqual(await fundsOf(who), "14/0");
});

Deno.test("a hold belongs to its user: another user's call with its reference finds nothing", async () => {
  const who = await newCustomer(sql, 20);
  const reference_id = newReference();
  dataOf(await reserve({ ...who, reference_id, credits: 5 }));
  const stranger = await newCustomer(sql, 20);
  for (const call of [release, capture]) {
    expectError(await call({ ...stranger, reference_id }), {
      httpStatus: 404,
      code: "HOLD_NOT_FOUND",
    });
  }
  strictEqual(await fundsOf(who), "15/5");
});

Deno.test("releases and captures of one hold at once: one of the two happens, once", async () => {
  const who = await newCustomer(sql, 20);
  const body = { ...who, reference_id: newReference() };
  dataOf(await reserve({ ...body, credits: 5 }));
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => index % 2 ? capture(body) : release(body)),
  );
  const done = answers.filter(({ httpStatus }) => httpStatus === 200);
  strictEqual(done.length, 10);
  strictEqual(done.filter(({ headers }) => !headers.has("idempotent-replayed")).length, 1);
  const isCaptured = "captured_credits" in dataOf(first(done));
  const code = isCaptured ? "HOLD_CAPTURED" : "HOLD_RELEASED";
  for (const answer of answers) {
    if (answer.httpStatus !== 200) expectError(answer, { httpStatus: 409, code });
  }
  strictEqual(await fundsOf(who), isCaptured ? "15/0" : "20/0");
});

Deno.test("Idempotency-Key is the reference where the body has none", async () => {
  const who = await newCustomer(sql, 20);
  const reference_id = newReference();
  dataOf(await reserve({ ...who, reference_id, credits: 5 }));
  const answer = await release(who, { "idempotency-key": reference_id });
  strictEqual(dataOf(answer).released_credits, 5);
});

Deno.test.each([
  ["no reference", { phone_number: newPhoneNumber() }],
  ["no phone number", { reference_id: "a" }],
])("bot-release responds to %s with the sentence for what is missing", async (_, body) => {
  expectError(await release(body), {
    httpStatus: 400,
    code: "MISSING_FIELD",
    message: "Phone number and reference ID are required",
  });
});
