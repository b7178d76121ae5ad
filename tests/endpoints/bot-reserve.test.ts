/**
 * POST bot-reserve: a bot reserves credits before a job that takes a while. hold-states.test.ts has what
 * it does in each state of a hold.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import {
  capture,
  deduct,
  expectReplay,
  fundsOf,
  newCustomer,
  newReference,
  passExpiry,
  reserve,
  retire,
  setPrice,
  withMaxOpenHolds,
} from "../support/bot.ts";
import { type Answer, dataOf, expectError } from "../support/calls.ts";
import { first, one } from "../support/lists.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { newWhatsappId } from "../support/whatsapp-ids.ts";

const backend = await startBackend();
const { sql } = backend;
Deno.test.afterAll(() => backend.stop());

function expectRefusal({ httpStatus, headers, body }: Answer, remaining: number): void {
  strictEqual(`${httpStatus} ${body.status}`, "200 INSUFFICIENT_CREDITS");
  deepStrictEqual(body.data, { remaining_credits: remaining });
  strictEqual(headers.get("idempotent-replayed"), null);
}

/** The seconds from now to the expiry that a response names. */
function secondsLeft(answer: Answer): number {
  return (Date.parse(String(dataOf(answer).expires_at)) - Date.now()) / 1000;
}

Deno.test("bot-reserve reserves credits, and words each number of them correctly", async () => {
  const who = await newCustomer(sql, 8);
  const sentences = [
    [5, "5 credits reserved. You have 3 credits remaining."],
    [2, "2 credits reserved. You have 1 credit remaining."],
    [1, "1 credit reserved. You have no credits remaining."],
  ] as const;
  let remaining = 8;
  for (const [credits, message] of sentences) {
    const answer = await reserve({ ...who, reference_id: newReference(), credits });
    remaining -= credits;
    strictEqual(answer.httpStatus, 200);
    const { expires_at, ...data } = dataOf(answer);
    deepStrictEqual({ ...answer.body, data }, {
      status: "SUCCESS",
      message,
      data: { remaining_credits: remaining, reserved_credits: credits, state: "open" },
    });
    strictEqual(answer.headers.get("idempotent-replayed"), null);
    ok(!Number.isNaN(Date.parse(String(expires_at))));
  }
  strictEqual(await fundsOf(who), "0/8");
});

Deno.test("an unknown number becomes a user, whose free credits can be reserved", async () => {
  for (const who of [{ phone_number: newPhoneNumber() }, { whatsapp_user_id: newWhatsappId() }]) {
    const answer = await reserve({ ...who, reference_id: newReference(), credits: 2 });
    strictEqual(dataOf(answer).remaining_credits, 1);
    strictEqual(await fundsOf(who), "1/2");
  }
});

Deno.test.each([[undefined, 600], [null, 600], [30, 30], [3600, 3600]])(
  "a hold of %s seconds expires after %d",
  async (expires_in_seconds, seconds) => {
    const who = await newCustomer(sql, 1);
    const left = secondsLeft(
      await reserve({ ...who, reference_id: newReference(), expires_in_seconds }),
    );
    ok(left > seconds - 20 && left < seconds + 20, `${left} seconds`);
  },
);

Deno.test.each([[1, 3], [30, 3], [31, 4], [60, 4], [61, 6], [15_000, 1000]])(
  "a quantity of %d costs %d where each started 30 cost 2, and at least 3",
  async (quantity, credits) => {
    const action = await setPrice(sql, { credits: 2, per_quantity: 30, minimum_credits: 3 });
    const who = await newCustomer(sql, 2000);
    const body = { ...who, action, quantity };
    strictEqual(
      dataOf(await reserve({ ...body, reference_id: newReference() })).reserved_credits,
      credits,
    );
    strictEqual(dataOf(await deduct(body)).remaining_credits, 2000 - 2 * credits);
  },
);

Deno.test("the largest quantity can be reserved where it costs no more than one call may spend", async () => {
  const action = await setPrice(sql, { credits: 1000, per_quantity: 10_000_000 });
  const who = await newCustomer(sql, 1500);
  const body = { ...who, reference_id: newReference(), action, quantity: 10_000_000 };
  strictEqual(dataOf(await reserve(body)).reserved_credits, 1000);
  const { captured_credits } = dataOf(await capture({ ...body, action: undefined }));
  strictEqual(captured_credits, 1000);
});

Deno.test.each([
  [{ action: "chat", quantity: 1_000_001 }, "1,001"],
  [{ action: "video_generation", quantity: 10_000_000 }, "50,000,000"],
  [{ quantity: 1001 }, "1,001"],
])("more than 1,000 credits by price are refused: %j", async (charge, cost) => {
  const who = await newCustomer(sql, 2000);
  const error = {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: `quantity would cost ${cost} credits, and one call spends at most 1,000`,
  };
  expectError(await reserve({ ...who, reference_id: newReference(), ...charge }), error);
  expectError(await deduct({ ...who, ...charge }), error);
  strictEqual(await fundsOf(who), "2000/0");
});

Deno.test("an action that costs the most there is, for the largest quantity, is refused with its cost", async () => {
  const action = await setPrice(sql, { credits: 1000 });
  const who = await newCustomer(sql, 2000);
  const body = { ...who, reference_id: newReference(), action, quantity: 10_000_000 };
  expectError(await reserve(body), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: "quantity would cost 10,000,000,000 credits, and one call spends at most 1,000",
  });
});

Deno.test("an action that is unknown, retired or not priced yet is ACTION_NOT_FOUND, and never free", async () => {
  const retired = await setPrice(sql, { credits: 1 });
  await retire(sql, retired);
  await sql`
    insert into public.action_prices (action_id, unit, credits, done_message, valid_from)
    values ('planned', 'piece', 1, 'Made.', clock_timestamp() + interval '1 day')`;
  const who = await newCustomer(sql, 20);
  for (const action of [retired, "planned", "unknown", "system", "payment"]) {
    for (const charge of [{}, { quantity: 5 }, { credits: 1 }]) {
      for (const call of [reserve, deduct]) {
        expectError(await call({ ...who, reference_id: newReference(), action, ...charge }), {
          httpStatus: 404,
          code: "ACTION_NOT_FOUND",
        });
      }
    }
  }
  strictEqual(await fundsOf(who), "20/0");
});

Deno.test("nothing, one image and one credit are the same request", async () => {
  const requests = [
    {},
    { credits: 1 },
    { quantity: 1 },
    { action: "image_generation" },
    { action: "image_generation", credits: 1 },
    { action: null, quantity: null, credits: null },
  ];
  for (const call of [reserve, deduct]) {
    for (const request of requests) {
      const body = { ...await newCustomer(sql, 5), reference_id: newReference() };
      const first = await call({ ...body, ...request });
      for (const same of requests) expectReplay(await call({ ...body, ...same }), first);
      for (const other of [{ credits: 2 }, { quantity: 2 }, { action: "chat" }]) {
        expectError(await call({ ...body, ...other }), {
          httpStatus: 409,
          code: "REFERENCE_REUSED",
        });
      }
      strictEqual(
        await fundsOf({ phone_number: body.phone_number }),
        call === reserve ? "4/1" : "4/0",
      );
    }
  }
});

Deno.test("an action, a quantity and credits are compared as they were sent", async () => {
  const who = await newCustomer(sql, 50);
  const video = { ...who, reference_id: newReference(), action: "video_generation" };
  dataOf(await reserve(video));
  for (
    const other of [
      { credits: 5 },
      { quantity: 2 },
      { action: "voice_message", quantity: 150 },
      { action: undefined },
    ]
  ) {
    expectError(await reserve({ ...video, ...other }), {
      httpStatus: 409,
      code: "REFERENCE_REUSED",
    });
  }
  // The time that a hold has left is no part of the request, and a replay does not extend it.
  const again = await reserve({ ...video, quantity: 1, expires_in_seconds: 3600 });
  strictEqual(again.headers.get("idempotent-replayed"), "true");
  ok(secondsLeft(again) < 700);
});

Deno.test("a replay comes before every refusal: another price, a retired action, too many holds, no credits", async () => {
  const action = await setPrice(sql, { credits: 2 });
  const who = await newCustomer(sql, 10);
  const hold = { ...who, reference_id: newReference(), action, quantity: 2 };
  const charge = { ...who, reference_id: newReference(), action, quantity: 3 };
  const held = await reserve(hold);
  const charged = await deduct(charge);
  deepStrictEqual(dataOf(held).remaining_credits, 6);
  deepStrictEqual(charged.body, {
    status: "SUCCESS",
    message: "Made. You have no credits remaining.",
    data: { remaining_credits: 0 },
  });
  const expectReplays = async () => {
    expectReplay(await reserve(hold), held);
    expectReplay(await deduct(charge), charged);
  };
  await expectReplays();
  await setPrice(sql, { credits: 1000, done_message: "Otherwise made." }, action);
  await expectReplays();
  expectError(await deduct({ ...charge, reference_id: newReference() }), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
  });
  await withMaxOpenHolds(sql, 0, expectReplays);
  await retire(sql, action);
  await expectReplays();
  strictEqual(await fundsOf(who), "0/4");
});

Deno.test("a user has at most 20 open holds, which is told before a lack of credits", async () => {
  const who = await newCustomer(sql, 25);
  const references = Array.from({ length: 20 }, newReference);
  for (const reference_id of references) dataOf(await reserve({ ...who, reference_id }));
  for (const credits of [1, 1000]) {
    expectError(await reserve({ ...who, reference_id: newReference(), credits }), {
      httpStatus: 409,
      code: "TOO_MANY_HOLDS",
    });
  }
  strictEqual(await fundsOf(who), "5/20");
  // Holds do not keep a deduction from the rest, and one that ends makes room.
  strictEqual(dataOf(await deduct(who)).remaining_credits, 4);
  dataOf(await capture({ ...who, reference_id: first(references) }));
  dataOf(await reserve({ ...who, reference_id: newReference() }));
  strictEqual(await fundsOf(who), "3/20");
});

Deno.test("holds that have expired make room for others", async () => {
  const who = await newCustomer(sql, 2);
  const references = [newReference(), newReference()];
  for (const reference_id of references) dataOf(await reserve({ ...who, reference_id }));
  expectRefusal(await reserve({ ...who, reference_id: newReference() }), 0);
  for (const reference_id of references) await passExpiry(sql, who, reference_id);
  await withMaxOpenHolds(sql, 1, async () => {
    dataOf(await reserve({ ...who, reference_id: newReference(), credits: 2 }));
  });
  strictEqual(await fundsOf(who), "0/2");
});

/** What a customer has, what is reserved of it, what a call needs, and how it is refused. */
const REFUSALS = [
  [0, [], 1, "You have no credits left. Please purchase a plan to continue."],
  [
    2,
    [],
    5,
    "You have 2 credits left, and this needs 5. Please purchase a plan to continue.",
  ],
  [1, [], 2, "You have 1 credit left, and this needs 2. Please purchase a plan to continue."],
  [2, [1, 1], 1, "Your last 2 credits are reserved for what is being made."],
  [1, [1], 5, "Your last credit is reserved for what is being made."],
  [
    3,
    [2],
    5,
    "You have 1 credit left besides 2 reserved ones, and this needs 5. " +
    "Please purchase a plan to continue.",
  ],
  [
    3,
    [1],
    4,
    "You have 2 credits left besides 1 reserved one, and this needs 4. " +
    "Please purchase a plan to continue.",
  ],
] as const;

Deno.test.each(REFUSALS)(
  "with %d credits, of which %j are reserved, %d are refused: %s",
  async (credits, holds, needed, message) => {
    const who = await newCustomer(sql, Math.max(credits, 1));
    if (credits === 0) await deduct(who);
    let remaining: number = credits;
    for (const held of holds) {
      dataOf(await reserve({ ...who, reference_id: newReference(), credits: held }));
      remaining -= held;
    }
    const before = await fundsOf(who);
    for (const call of [reserve, deduct]) {
      const answer = await call({ ...who, reference_id: newReference(), credits: needed });
      expectRefusal(answer, remaining);
      strictEqual(answer.body.message, message);
    }
    strictEqual(await fundsOf(who), before);
  },
);

Deno.test("a refused call leaves nothing behind: its reference succeeds once there are credits", async () => {
  const who = await newCustomer(sql, 3);
  const body = { ...who, reference_id: newReference() };
  expectRefusal(await reserve({ ...body, credits: 4 }), 3);
  const answer = await reserve({ ...body, credits: 3 });
  strictEqual(dataOf(answer).remaining_credits, 0);
  strictEqual(answer.headers.get("idempotent-replayed"), null);
});

Deno.test("two messages at once on the last credit: one is served, and the other told why not", async () => {
  const who = await newCustomer(sql, 1);
  const answers = await Promise.all(
    [1, 2].map(() => reserve({ ...who, reference_id: newReference() })),
  );
  const refused = one(answers.filter(({ body }) => body.status !== "SUCCESS"));
  expectRefusal(refused, 0);
  strictEqual(refused.body.message, "Your last credit is reserved for what is being made.");
  strictEqual(await fundsOf(who), "0/1");
});

/** Repeats a call that had to wait for too long, as a bot does. */
async function reserveInTime(body: unknown): Promise<Answer> {
  const answer = await reserve(body);
  return answer.body.code === "UNAVAILABLE" ? await reserveInTime(body) : answer;
}

Deno.test("200 reservations at once on 37 credits reserve 37", async () => {
  const who = await newCustomer(sql, 37);
  await withMaxOpenHolds(sql, 1000, async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => reserveInTime({ ...who, reference_id: newReference() })),
    );
    const reserved = answers.filter(({ body }) => body.status === "SUCCESS");
    const left = reserved.map((answer) => Number(dataOf(answer).remaining_credits));
    deepStrictEqual(left.sort((a, b) => a - b), Array.from({ length: 37 }, (_, index) => index));
    for (const answer of answers) if (!reserved.includes(answer)) expectRefusal(answer, 0);
  });
  strictEqual(await fundsOf(who), "0/37");
});

Deno.test("one message that arrives many times at once is reserved once", async () => {
  const body = { ...await newCustomer(sql, 20), reference_id: newReference(), credits: 2 };
  const answers = await Promise.all(Array.from({ length: 20 }, () => reserve(body)));
  const replayed = answers.filter(({ headers }) => headers.has("idempotent-replayed"));
  strictEqual(replayed.length, 19);
  for (const answer of answers) deepStrictEqual(answer.body, first(answers).body);
  strictEqual(await fundsOf({ phone_number: body.phone_number }), "18/2");
});

Deno.test("a customer without a number is found again by both identities", async () => {
  const id = { whatsapp_user_id: newWhatsappId() };
  const body = { reference_id: newReference(), credits: 2 };
  const first = await reserve({ ...id, ...body });
  const both = { ...id, phone_number: newPhoneNumber() };
  expectReplay(await reserve({ ...both, ...body }), first);
  expectReplay(await reserve({ phone_number: both.phone_number, ...body }), first);
  strictEqual(await fundsOf(both), "1/2");
});

Deno.test("Idempotency-Key is the reference where the body has none", async () => {
  const who = await newCustomer(sql, 5);
  const key = newReference();
  const headers = { "idempotency-key": key };
  const first = await reserve(who, headers);
  expectReplay(await reserve({ ...who, reference_id: key }), first);
  expectReplay(await reserve({ ...who, reference_id: null }, headers), first);
});

Deno.test.each([
  ["no phone number", { reference_id: "a" }],
  ["no reference", { phone_number: "+919876543210" }],
  ["null for the reference", { phone_number: "+919876543210", reference_id: null }],
  ["nothing", {}],
])("bot-reserve responds to %s with the sentence for what is missing", async (_, body) => {
  expectError(await reserve(body), {
    httpStatus: 400,
    code: "MISSING_FIELD",
    message: "Phone number and reference ID are required",
  });
});

Deno.test.each(
  [
    ["action", "Image"],
    ["action", ""],
    ["action", "a".repeat(65)],
    ["action", 1],
    ["action", ["chat"]],
    ["quantity", 0],
    ["quantity", -1],
    ["quantity", 1.5],
    ["quantity", "1"],
    ["quantity", 10_000_001],
    ["quantity", 1e21],
    ["quantity", true],
    ["credits", 0],
    ["credits", -5],
    ["credits", 1001],
    ["credits", "1"],
    ["expires_in_seconds", 29],
    ["expires_in_seconds", 3601],
    ["expires_in_seconds", 60.5],
    ["expires_in_seconds", "60"],
    ["expires_in_seconds", -600],
    ["reference_id", 42],
    ["reference_id", "a\u0000b"],
    ["reference_id", "a".repeat(256)],
    ["whatsapp_user_id", "IN"],
  ] as const,
)("bot-reserve refuses %s: %j, names the field and reserves nothing", async (field, value) => {
  const who = await newCustomer(sql, 5);
  expectError(await reserve({ ...who, reference_id: newReference(), [field]: value }), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: new RegExp(`^${field} `),
  });
  strictEqual(await fundsOf(who), "5/0");
});

Deno.test("a quantity and credits exclude each other", async () => {
  const who = await newCustomer(sql, 5);
  for (const call of [reserve, deduct, capture]) {
    expectError(await call({ ...who, reference_id: newReference(), quantity: 1, credits: 1 }), {
      httpStatus: 400,
      code: "INVALID_REQUEST",
      message: "credits must not be given together with quantity",
    });
  }
  strictEqual(await fundsOf(who), "5/0");
});
