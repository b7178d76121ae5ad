/**
 * POST bot-deduct: a bot spends credits for an image.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { startBackend } from "../support/backend.ts";
import { newCustomer, newReference, reserve } from "../support/bot.ts";
import { type Answer, call, type CallOptions, dataOf, expectError } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";

const backend = await startBackend();
Deno.test.afterAll(() => backend.stop());

function deduct(body: unknown, headers?: CallOptions["headers"]): Promise<Answer> {
  return call("POST", "bot-deduct", { body, headers });
}

async function balanceOf(phone: string): Promise<unknown> {
  return dataOf(await call("GET", `bot-credits/${phone}`)).remaining_credits;
}

/** How many entries a user's history has. */
async function entriesOf(phone: string): Promise<unknown> {
  const { id } = dataOf(await call("GET", `users/${phone}`));
  return dataOf(await call("GET", `credit-history/${id}`)).total;
}

function expectRefusal(answer: Answer, remainingCredits: number): void {
  strictEqual(answer.httpStatus, 200);
  strictEqual(answer.body.status, "INSUFFICIENT_CREDITS");
  deepStrictEqual(answer.body.data, { remaining_credits: remainingCredits });
  strictEqual(answer.headers.get("idempotent-replayed"), null);
}

Deno.test("bot-deduct lets a new user spend 3 credits, and words each balance correctly", async () => {
  const phone = newPhoneNumber();
  const sentences = [
    "You have 2 credits remaining.",
    "You have 1 credit remaining.",
    "You have no credits remaining.",
  ];
  for (const [index, sentence] of sentences.entries()) {
    const answer = await deduct({ phone_number: phone });
    strictEqual(answer.httpStatus, 200);
    deepStrictEqual(answer.body, {
      status: "SUCCESS",
      message: `Image generated successfully. ${sentence}`,
      data: { remaining_credits: 2 - index, ...(index >= 1 && { low_balance: true }) },
    });
    strictEqual(answer.headers.get("idempotent-replayed"), null);
  }
  const refused = await deduct({ phone_number: phone });
  strictEqual(refused.httpStatus, 200);
  deepStrictEqual(refused.body, {
    status: "INSUFFICIENT_CREDITS",
    message: "You have no credits left. Please purchase a plan to continue.",
    data: { remaining_credits: 0 },
  });
});

Deno.test("bot-deduct returns INSUFFICIENT_CREDITS and writes nothing when the balance is 0", async () => {
  const phone = newPhoneNumber();
  await deduct({ phone_number: phone, credits: 3 });
  const entries = await entriesOf(phone);
  expectRefusal(await deduct({ phone_number: phone }), 0);
  expectRefusal(await deduct({ phone_number: phone, reference_id: newReference() }), 0);
  strictEqual(await entriesOf(phone), entries);
});

Deno.test("an image may cost several credits, and is refused where there are fewer", async () => {
  const phone = newPhoneNumber();
  strictEqual(dataOf(await deduct({ phone_number: phone, credits: 2 })).remaining_credits, 1);
  expectRefusal(await deduct({ phone_number: phone, credits: 2 }), 1);
  strictEqual(dataOf(await deduct({ phone_number: phone, credits: 1 })).remaining_credits, 0);
});

Deno.test("the most that one call may ask for is refused like any other cost", async () => {
  expectRefusal(await deduct({ phone_number: newPhoneNumber(), credits: 1000 }), 3);
});

Deno.test("null stands for a field that is left out", async () => {
  const body = { phone_number: newPhoneNumber(), credits: null, reference_id: null };
  strictEqual(dataOf(await deduct(body)).remaining_credits, 2);
  strictEqual(dataOf(await deduct(body)).remaining_credits, 1);
});

Deno.test("a repeated reference returns what the first call did, and charges nothing", async () => {
  const phone = newPhoneNumber();
  const reference_id = newReference();
  const first = await deduct({ phone_number: phone, reference_id });
  await deduct({ phone_number: phone });
  for (const spelling of [phone, phone.slice(1), `0${phone.slice(3)}`]) {
    const again = await deduct({ phone_number: spelling, reference_id });
    strictEqual(again.httpStatus, 200);
    deepStrictEqual(again.body, first.body);
    strictEqual(again.headers.get("idempotent-replayed"), "true");
  }
  strictEqual(first.headers.get("idempotent-replayed"), null);
  strictEqual(await balanceOf(phone), 1);
});

Deno.test("a repeated reference returns what the first call did when nothing is left", async () => {
  const phone = newPhoneNumber();
  const call = { phone_number: phone, reference_id: newReference(), credits: 3 };
  const first = await deduct(call);
  const again = await deduct(call);
  deepStrictEqual(again.body, first.body);
  strictEqual(again.body.message, "Image generated successfully. You have no credits remaining.");
});

Deno.test("a reference with another number of credits is REFERENCE_REUSED, and charges nothing", async () => {
  const phone = newPhoneNumber();
  const reference_id = newReference();
  await deduct({ phone_number: phone, reference_id });
  const refusal = { httpStatus: 409, code: "REFERENCE_REUSED" };
  expectError(await deduct({ phone_number: phone, reference_id, credits: 2 }), refusal);
  strictEqual(await balanceOf(phone), 2);

  const named = { phone_number: phone, reference_id: newReference(), credits: 2 };
  await deduct(named);
  expectError(await deduct({ ...named, credits: 3 }), refusal);
  strictEqual(await balanceOf(phone), 0);
});

Deno.test("a reference belongs to its user: another user's call with it is charged", async () => {
  const reference_id = newReference();
  for (const phone of [newPhoneNumber(), newPhoneNumber()]) {
    const answer = await deduct({ phone_number: phone, reference_id });
    strictEqual(dataOf(answer).remaining_credits, 2);
    strictEqual(answer.headers.get("idempotent-replayed"), null);
  }
});

Deno.test("references that differ in case, spaces or a look-alike letter are different", async () => {
  const phone = newPhoneNumber();
  for (const reference_id of ["job-A", "job-a", "job-a "]) {
    const answer = await deduct({ phone_number: phone, reference_id });
    strictEqual(answer.headers.get("idempotent-replayed"), null);
  }
  strictEqual(await balanceOf(phone), 0);
});

Deno.test("a refused call leaves nothing behind: its reference succeeds once there are credits", async () => {
  const phone = newPhoneNumber();
  const reference_id = newReference();
  expectRefusal(await deduct({ phone_number: phone, reference_id, credits: 4 }), 3);
  const answer = await deduct({ phone_number: phone, reference_id, credits: 3 });
  strictEqual(dataOf(answer).remaining_credits, 0);
  strictEqual(answer.headers.get("idempotent-replayed"), null);
});

Deno.test("Idempotency-Key is the reference where the body has none", async () => {
  const phone = newPhoneNumber();
  const key = newReference();
  const headers = { "idempotency-key": key };
  const first = await deduct({ phone_number: phone }, headers);
  for (
    const again of [
      await deduct({ phone_number: phone }, headers),
      await deduct({ phone_number: phone, reference_id: null }, headers),
      await deduct({ phone_number: phone, reference_id: key }),
    ]
  ) {
    deepStrictEqual(again.body, first.body);
    strictEqual(again.headers.get("idempotent-replayed"), "true");
  }
  strictEqual(await balanceOf(phone), 2);
});

Deno.test("the reference in the body counts, whatever the Idempotency-Key says", async () => {
  const phone = newPhoneNumber();
  const headers = { "idempotency-key": newReference() };
  await deduct({ phone_number: phone, reference_id: newReference() }, headers);
  const second = await deduct({ phone_number: phone, reference_id: newReference() }, headers);
  strictEqual(dataOf(second).remaining_credits, 1);
});

Deno.test("an action has its own price, sentence and place in the history", async () => {
  const who = await newCustomer(backend.sql, 20);
  const reference_id = newReference();
  const answer = await deduct({ ...who, reference_id, action: "voice_message", quantity: 95 });
  deepStrictEqual(answer.body, {
    status: "SUCCESS",
    message: "Voice message generated successfully. You have 16 credits remaining.",
    data: { remaining_credits: 16 },
  });
  const { id } = dataOf(await call("GET", `users/${who.phone_number}`));
  const { transactions } = dataOf(await call("GET", `credit-history/${id}`));
  ok(Array.isArray(transactions));
  const { id: _, created_at: __, ...entry } = transactions[0];
  deepStrictEqual(entry, {
    user_id: id,
    action: "debit",
    credits: 4,
    source: "voice_message",
    reference_id,
    balance_after: 16,
    quantity: 95,
  });
});

Deno.test("a reference pays once, whatever action it names", async () => {
  const body = { ...await newCustomer(backend.sql, 20), reference_id: newReference() };
  dataOf(await deduct({ ...body, action: "chat" }));
  for (const other of [{}, { action: "voice_message" }, { action: "chat", quantity: 2 }]) {
    expectError(await deduct({ ...body, ...other }), { httpStatus: 409, code: "REFERENCE_REUSED" });
  }
  strictEqual(await balanceOf(body.phone_number), 19);
});

Deno.test("what is reserved cannot be deducted", async () => {
  const who = await newCustomer(backend.sql, 20);
  dataOf(await reserve({ ...who, reference_id: newReference(), credits: 15 }));
  expectRefusal(await deduct({ ...who, credits: 6 }), 5);
  strictEqual(dataOf(await deduct({ ...who, credits: 5 })).remaining_credits, 0);
  strictEqual(await balanceOf(who.phone_number), 0);
});

Deno.test("a deduction stands in the history with its reference and the balance after it", async () => {
  const phone = newPhoneNumber();
  const reference_id = newReference();
  await deduct({ phone_number: phone, reference_id, credits: 2 });
  const { id } = dataOf(await call("GET", `users/${phone}`));
  const { transactions } = dataOf(await call("GET", `credit-history/${id}`));
  ok(Array.isArray(transactions));
  const { id: _, created_at: __, ...entry } = transactions[0];
  deepStrictEqual(entry, {
    user_id: id,
    action: "debit",
    credits: 2,
    source: "image_generation",
    reference_id,
    balance_after: 1,
    quantity: null,
  });
});

Deno.test.each([
  ["no phone number", {}],
  ["null", { phone_number: null }],
  ["an empty text", { phone_number: "" }],
  ["another name", { phone: "+919876543210" }],
])("bot-deduct responds to %s with the sentence for a missing number", async (_, body) => {
  expectError(await deduct(body), {
    httpStatus: 400,
    code: "MISSING_FIELD",
    message: "Phone number is required",
  });
});

Deno.test.each(
  [
    ["phone_number", 919876543210],
    ["phone_number", ["+919876543210"]],
    ["phone_number", { number: "+919876543210" }],
    ["phone_number", true],
    ["phone_number", "12345"],
    ["phone_number", "+919876543210\u0000"],
    ["phone_number", "'; drop table users; --"],
    ["credits", 0],
    ["credits", -1],
    ["credits", 1.5],
    ["credits", "1"],
    ["credits", "1e3"],
    ["credits", 1e21],
    ["credits", 2 ** 53],
    ["credits", 1001],
    ["credits", true],
    ["credits", [1]],
    ["credits", {}],
    ["credits", ""],
    ["action", "Chat"],
    ["action", ""],
    ["action", 7],
    ["action", "a".repeat(65)],
    ["quantity", 0],
    ["quantity", -1],
    ["quantity", 0.1],
    ["quantity", "1"],
    ["quantity", 10_000_001],
    ["quantity", [1]],
    ["reference_id", ""],
    ["reference_id", 42],
    ["reference_id", ["a"]],
    ["reference_id", {}],
    ["reference_id", false],
    ["reference_id", "a".repeat(256)],
    ["reference_id", "a\u0000b"],
    ["reference_id", "a\nb"],
    ["reference_id", "a\u0085b"],
    ["reference_id", "\ud800"],
    ["reference_id", "a\udc00"],
  ] as const,
)("bot-deduct refuses %s: %j, names the field and charges nothing", async (field, value) => {
  const phone = newPhoneNumber();
  const answer = await deduct({ phone_number: phone, [field]: value });
  expectError(answer, {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: new RegExp(`^${field} `),
  });
  strictEqual(await balanceOf(phone), 3);
});

Deno.test.each([
  ["255 characters", "r".repeat(255)],
  ["emoji", "job-🎨-👩🏽‍🎨"],
  ["right-to-left text", "مرجع-42"],
  ["SQL", "'; drop table public.users; --"],
  ["HTML", "<script>alert(1)</script>"],
  ["a percent sign and a backslash", "100%\\n"],
  ["names that every object has", "__proto__"],
])("a reference may hold %s and is kept as it is", async (_, reference_id) => {
  const phone = newPhoneNumber();
  await deduct({ phone_number: phone, reference_id });
  const again = await deduct({ phone_number: phone, reference_id });
  strictEqual(again.headers.get("idempotent-replayed"), "true");
  const { id } = dataOf(await call("GET", `users/${phone}`));
  const { transactions } = dataOf(await call("GET", `credit-history/${id}`));
  ok(Array.isArray(transactions));
  strictEqual(transactions[0].reference_id, reference_id);
});

Deno.test("fields that the contract does not know change nothing", async () => {
  const phone = newPhoneNumber();
  const answer = await deduct({
    phone_number: phone,
    remaining_credits: 1_000,
    source: "system",
    type: "credit",
    user_id: randomUUID(),
    amount: -5,
  });
  strictEqual(dataOf(answer).remaining_credits, 2);
});
