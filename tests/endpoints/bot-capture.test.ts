/**
 * POST bot-capture: a bot charges what it has reserved. hold-states.test.ts has what it does in each
 * state of a hold.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import {
  capture,
  deduct,
  expectReplay,
  fundsOf,
  newCustomer,
  newReference,
  passExpiry,
  type Person,
  release,
  reserve,
  retire,
  setPrice,
  userIdOf,
} from "../support/bot.ts";
import { call, dataOf, expectError } from "../support/calls.ts";
import { first, one } from "../support/lists.ts";

const backend = await startBackend();
const { sql } = backend;
Deno.test.afterAll(() => backend.stop());

/** A customer with 20 credits and a hold. */
async function held(fields: object) {
  const who = await newCustomer(sql, 20);
  const body = { ...who, reference_id: newReference() };
  dataOf(await reserve({ ...body, ...fields }));
  return { who, body };
}

/** The newest entry of a customer's history, as a page reads it. */
async function newestEntry(person: Person): Promise<Record<string, unknown>> {
  const id = await userIdOf(sql, person);
  const { transactions } = dataOf(await call("GET", `credit-history/${id}`));
  const { source, credits, quantity, reference_id, balance_after } = first(
    transactions as Record<string, unknown>[],
  );
  return { source, credits, quantity, reference_id, balance_after };
}

Deno.test("a capture charges all of the hold, with the sentence of its action, and repeated changes nothing", async () => {
  const { who, body } = await held({ action: "video_generation" });
  const answer = await capture(body);
  deepStrictEqual(answer.body, {
    status: "SUCCESS",
    message: "Video generated successfully. You have 15 credits remaining.",
    data: { remaining_credits: 15, captured_credits: 5 },
  });
  strictEqual(answer.headers.get("idempotent-replayed"), null);
  dataOf(await deduct(who));
  expectReplay(await capture(body), answer);
  expectReplay(await capture({ ...body, quantity: 1 }), answer);
  strictEqual(await fundsOf(who), "14/0");
});

Deno.test("a captured hold stands in the history once, with its action and quantity", async () => {
  const { who, body } = await held({ action: "voice_message", quantity: 90 });
  strictEqual(dataOf(await capture({ ...body, quantity: 31 })).captured_credits, 2);
  deepStrictEqual(await newestEntry(who), {
    source: "voice_message",
    credits: 2,
    quantity: 31,
    reference_id: body.reference_id,
    balance_after: 18,
  });
  const id = await userIdOf(sql, who);
  strictEqual(dataOf(await call("GET", `credit-history/${id}`)).total, 2);
});

Deno.test("a capture of less returns the rest", async () => {
  const byCredits = await held({ credits: 10 });
  const answer = await capture({ ...byCredits.body, credits: 3 });
  deepStrictEqual(answer.body, {
    status: "SUCCESS",
    message: "Image generated successfully. You have 17 credits remaining.",
    data: { remaining_credits: 17, captured_credits: 3 },
  });
  strictEqual(await fundsOf(byCredits.who), "17/0");
  strictEqual((await newestEntry(byCredits.who)).quantity, null);
  expectReplay(await capture({ ...byCredits.body, credits: 3 }), answer);
  for (const other of [{ credits: 4 }, { credits: 10 }, { credits: 0 }, { quantity: 3 }, {}]) {
    expectError(await capture({ ...byCredits.body, ...other }), {
      httpStatus: 409,
      code: "REFERENCE_REUSED",
    });
  }
});

Deno.test("a part by quantity has the price of the reservation, whatever the price is since", async () => {
  const action = await setPrice(sql, { credits: 2, per_quantity: 10, minimum_credits: 3 });
  const holds = await Promise.all(
    Array.from({ length: 4 }, () => held({ action, quantity: 50 })),
  );
  for (const { who } of holds) strictEqual(await fundsOf(who), "10/10");
  const [dear, all, least, retired] = holds as [typeof holds[0], ...typeof holds];
  await setPrice(sql, { credits: 900, done_message: "Made anew." }, action);
  const answer = await capture({ ...dear.body, quantity: 25 });
  deepStrictEqual(answer.body, {
    status: "SUCCESS",
    message: "Made. You have 14 credits remaining.",
    data: { remaining_credits: 14, captured_credits: 6 },
  });
  strictEqual(dataOf(await capture(all!.body)).captured_credits, 10);
  strictEqual(dataOf(await capture({ ...least!.body, quantity: 1 })).captured_credits, 3);
  await retire(sql, action);
  strictEqual(dataOf(await capture({ ...retired!.body, quantity: 50 })).captured_credits, 10);
  expectReplay(await capture({ ...dear.body, quantity: 25 }), answer);
});

Deno.test("a capture of nothing releases the hold, and repeated is a replay", async () => {
  for (
    const [reservation, nothing] of [[{ credits: 5 }, { credits: 0 }], [
      { action: "video_generation" },
      { quantity: 0 },
    ]] as const
  ) {
    const { who, body } = await held(reservation);
    const answer = await capture({ ...body, ...nothing });
    deepStrictEqual(answer.body, {
      status: "SUCCESS",
      message: "Nothing was charged. You have 20 credits remaining.",
      data: { remaining_credits: 20, captured_credits: 0 },
    });
    strictEqual(answer.headers.get("idempotent-replayed"), null);
    strictEqual(await fundsOf(who), "20/0");
    dataOf(await deduct(who));
    expectReplay(await capture({ ...body, ...nothing }), answer);
    expectError(await capture(body), { httpStatus: 409, code: "HOLD_RELEASED" });
    strictEqual((await release(body)).headers.get("idempotent-replayed"), "true");
    strictEqual(await fundsOf(who), "19/0");
  }
});

Deno.test("a capture of more than the hold changes nothing, and the right one succeeds afterwards", async () => {
  const byCredits = await held({ credits: 5 });
  const byQuantity = await held({ action: "voice_message", quantity: 60 });
  for (
    const [{ who, body }, more, right, funds] of [
      [byCredits, { credits: 6 }, { credits: 5 }, "15/5"],
      [byQuantity, { quantity: 61 }, { quantity: 60 }, "18/2"],
    ] as const
  ) {
    expectError(await capture({ ...body, ...more }), {
      httpStatus: 409,
      code: "CAPTURE_EXCEEDS_HOLD",
    });
    strictEqual(await fundsOf(who), funds);
    dataOf(await capture({ ...body, ...right }));
  }
});

Deno.test("a larger quantity than the one reserved is refused even if it costs no more", async () => {
  const { who, body } = await held({ action: "voice_message", quantity: 45 });
  expectError(await capture({ ...body, quantity: 46 }), {
    httpStatus: 409,
    code: "CAPTURE_EXCEEDS_HOLD",
  });
  strictEqual(await fundsOf(who), "18/2");
  await passExpiry(sql, who, body.reference_id);
  expectError(await capture({ ...body, quantity: 60 }), {
    httpStatus: 409,
    code: "CAPTURE_EXCEEDS_HOLD",
  });
  strictEqual(dataOf(await capture({ ...body, quantity: 31 })).captured_credits, 2);
});

Deno.test("a capture names the unit of the reservation", async () => {
  const byCredits = await held({ credits: 5 });
  const byQuantity = await held({ action: "video_generation" });
  for (
    const [{ who, body }, amount, message] of [
      [
        byCredits,
        { quantity: 1 },
        "quantity does not fit: this reservation was made in credits",
      ],
      [
        byCredits,
        { quantity: 0 },
        "quantity does not fit: this reservation was made in credits",
      ],
      [
        byQuantity,
        { credits: 5 },
        "credits does not fit: this reservation was made by quantity",
      ],
      [
        byQuantity,
        { credits: 0 },
        "credits does not fit: this reservation was made by quantity",
      ],
    ] as const
  ) {
    expectError(await capture({ ...body, ...amount }), {
      httpStatus: 400,
      code: "INVALID_REQUEST",
      message,
    });
    strictEqual(await fundsOf(who), "15/5");
  }
});

Deno.test("a late capture charges as long as the credits suffice, and says that it was late", async () => {
  const { who, body } = await held({ credits: 10 });
  await passExpiry(sql, who, body.reference_id);
  strictEqual(await fundsOf(who), "20/0");
  dataOf(await deduct({ ...who, credits: 15 }));
  expectError(await capture(body), { httpStatus: 409, code: "HOLD_EXPIRED" });
  expectError(await capture({ ...body, credits: 11 }), {
    httpStatus: 409,
    code: "CAPTURE_EXCEEDS_HOLD",
  });
  strictEqual(await fundsOf(who), "5/0");
  const answer = await capture({ ...body, credits: 4 });
  deepStrictEqual(answer.body.data, {
    remaining_credits: 1,
    captured_credits: 4,
    late: true,
    low_balance: true,
  });
  strictEqual(await fundsOf(who), "1/0");
  expectReplay(await capture({ ...body, credits: 4 }), answer);
});

Deno.test("a late capture takes nothing that another hold reserves", async () => {
  const { who, body } = await held({ credits: 10 });
  await passExpiry(sql, who, body.reference_id);
  dataOf(await reserve({ ...who, reference_id: newReference(), credits: 12 }));
  expectError(await capture(body), { httpStatus: 409, code: "HOLD_EXPIRED" });
  strictEqual(await fundsOf(who), "8/12");
});

Deno.test("a late capture of nothing returns nothing twice, and is not late: it charges nothing", async () => {
  const { who, body } = await held({ credits: 10 });
  await passExpiry(sql, who, body.reference_id);
  const answer = await capture({ ...body, credits: 0 });
  deepStrictEqual(answer.body.data, { remaining_credits: 20, captured_credits: 0 });
  expectReplay(await capture({ ...body, credits: 0 }), answer);
  strictEqual(await fundsOf(who), "20/0");
});

Deno.test("many captures of one hold at once charge once", async () => {
  const { who, body } = await held({ credits: 5 });
  const answers = await Promise.all(Array.from({ length: 20 }, () => capture(body)));
  for (const answer of answers) deepStrictEqual(answer.body, first(answers).body);
  strictEqual(answers.filter(({ headers }) => !headers.has("idempotent-replayed")).length, 1);
  strictEqual(await fundsOf(who), "15/0");
});

Deno.test("captures of different amounts at once: exactly one counts", async () => {
  const { who, body } = await held({ credits: 5 });
  const amounts = [1, 2, 3, 4, 5];
  const answers = await Promise.all(amounts.map((credits) => capture({ ...body, credits })));
  const done = one(answers.filter(({ httpStatus }) => httpStatus === 200));
  const { captured_credits } = dataOf(done);
  strictEqual(await fundsOf(who), `${20 - Number(captured_credits)}/0`);
  for (const answer of answers) {
    if (answer !== done) expectError(answer, { httpStatus: 409, code: "REFERENCE_REUSED" });
  }
});

Deno.test("an entry from before there were prices is replayed by its credits", async () => {
  const who = await newCustomer(sql, 20);
  const user_id = await userIdOf(sql, who);
  const entries = [
    ["old-image", 1, 19],
    ["old-images", 4, 15],
  ] as const;
  for (const [index, [reference_id, credits, balance_after]] of entries.entries()) {
    await sql`
      insert into public.credit_transactions
        (user_id, sequence_number, action, credits, source, reference_id, balance_after)
      values (${user_id}, ${index + 2}, 'debit', ${credits}, 'image_generation', ${reference_id},
        ${balance_after})`;
  }
  await sql`
    update public.users set credits = 15, transaction_count = 3 where id = ${user_id}`;

  const replays = [
    ["old-image", {}, 19],
    ["old-image", { credits: 1 }, 19],
    ["old-image", { quantity: 1 }, 19],
    ["old-images", { credits: 4 }, 15],
  ] as const;
  for (const [reference_id, charge, remaining] of replays) {
    const answer = await deduct({ ...who, reference_id, ...charge });
    deepStrictEqual(answer.body, {
      status: "SUCCESS",
      message: `Image generated successfully. You have ${remaining} credits remaining.`,
      data: { remaining_credits: remaining },
    });
    strictEqual(answer.headers.get("idempotent-replayed"), "true");
  }
  for (
    const [reference_id, charge] of [
      ["old-image", { credits: 2 }],
      ["old-images", {}],
      ["old-images", { quantity: 4 }],
      ["old-images", { credits: 4, action: "video_generation" }],
    ] as const
  ) {
    for (const call of [deduct, reserve]) {
      expectError(await call({ ...who, reference_id, ...charge }), {
        httpStatus: 409,
        code: "REFERENCE_REUSED",
      });
    }
  }
  const { remaining_credits, captured_credits } = dataOf(
    await capture({ ...who, reference_id: "old-images", credits: 4 }),
  );
  deepStrictEqual([remaining_credits, captured_credits], [15, 4]);
  expectError(await release({ ...who, reference_id: "old-image" }), {
    httpStatus: 409,
    code: "HOLD_CAPTURED",
  });
  strictEqual(await fundsOf(who), "15/0");
});

Deno.test("Idempotency-Key is the reference where the body has none", async () => {
  const { who, body } = await held({ credits: 5 });
  strictEqual(
    dataOf(await capture(who, { "idempotency-key": body.reference_id })).captured_credits,
    5,
  );
});

Deno.test("bot-capture responds to a missing reference with a sentence of its own", async () => {
  expectError(await capture({ phone_number: "+919876543210" }), {
    httpStatus: 400,
    code: "MISSING_FIELD",
    message: "Phone number and reference ID are required",
  });
});

Deno.test.each(
  [
    ["quantity", -1],
    ["quantity", 0.5],
    ["quantity", 10_000_001],
    ["quantity", "1"],
    ["credits", -1],
    ["credits", 1001],
    ["credits", "0"],
    ["credits", true],
  ] as const,
)("bot-capture refuses %s: %j, names the field and charges nothing", async (field, value) => {
  const { who, body } = await held({ credits: 5 });
  expectError(await capture({ ...body, [field]: value }), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: new RegExp(`^${field} `),
  });
  strictEqual(await fundsOf(who), "15/5");
});
