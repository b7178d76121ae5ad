/**
 * POST end-hold: an operator returns reserved credits whose bot does not.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { startBackend } from "../support/backend.ts";
import {
  capture,
  deduct,
  fundsOf,
  newCustomer,
  newReference,
  passExpiry,
  release,
  reserve,
  userIdOf,
} from "../support/bot.ts";
import { dataOf, expectError } from "../support/calls.ts";
import { one } from "../support/lists.ts";
import { act, expectOnce, newTicket, recordOf } from "../support/operators.ts";

const backend = await startBackend();
const { sql } = backend;
Deno.test.afterAll(() => backend.stop());

const NOT_FOUND = {
  httpStatus: 404,
  code: "HOLD_NOT_FOUND",
  message: "Nothing is reserved under this hold_reference_id",
};
const CAPTURED = { httpStatus: 409, code: "HOLD_CAPTURED" };

/** A customer with ten credits, four of which are reserved. */
async function holder() {
  const who = await newCustomer(sql, 10);
  const hold = { ...who, reference_id: newReference() };
  dataOf(await reserve({ ...hold, credits: 4 }));
  const user_id = await userIdOf(sql, who);
  return { who, hold, user_id, request: { user_id, hold_reference_id: hold.reference_id } };
}

Deno.test("a reservation is ended by hand, and its bot is told so", async () => {
  const { who, hold, user_id, request } = await holder();
  const reference_id = newTicket();
  const answer = await act("end-hold", { ...request, reference_id });
  strictEqual(answer.body.message, "Reservation ended");
  deepStrictEqual(dataOf(answer), { released_credits: 4 });
  strictEqual(await fundsOf(who), "10/0");
  expectError(await capture(hold), { httpStatus: 409, code: "HOLD_RELEASED" });
  const { action, before, after, ...record } = one(await recordOf(sql, reference_id));
  deepStrictEqual(
    [action, record.user_id, before.reserved_credits, after.reserved_credits],
    ["end-hold", user_id, 4, 0],
  );
});

Deno.test("a reservation is ended once, however often and at once it is asked for", async () => {
  const { who, request } = await holder();
  const other = { hold_reference_id: newReference() };
  const answer = await expectOnce(sql, "end-hold", request, other);
  deepStrictEqual(dataOf(answer), { released_credits: 4 });
  strictEqual(await fundsOf(who), "10/0");
});

Deno.test("of an operator and a capture at once, one succeeds", async () => {
  const { who, hold, request } = await holder();
  const [ended, captured] = await Promise.all([act("end-hold", request), capture(hold)]);
  if (ended.httpStatus === 200) {
    expectError(captured, { httpStatus: 409, code: "HOLD_RELEASED" });
    strictEqual(await fundsOf(who), "10/0");
  } else {
    expectError(ended, CAPTURED);
    strictEqual(dataOf(captured).captured_credits, 4);
    strictEqual(await fundsOf(who), "6/0");
  }
});

Deno.test("what was captured, released or has expired, or never was, is not ended", async () => {
  const captured = await holder();
  dataOf(await capture(captured.hold));
  expectError(await act("end-hold", captured.request), CAPTURED);

  const released = await holder();
  dataOf(await release(released.hold));
  expectError(await act("end-hold", released.request), NOT_FOUND);

  const expired = await holder();
  await passExpiry(sql, expired.who, expired.hold.reference_id);
  expectError(await act("end-hold", expired.request), NOT_FOUND);

  const charged = await holder();
  const reference_id = newReference();
  dataOf(await deduct({ ...charged.who, reference_id }));
  expectError(
    await act("end-hold", { ...charged.request, hold_reference_id: reference_id }),
    CAPTURED,
  );
  expectError(
    await act("end-hold", { ...charged.request, hold_reference_id: newReference() }),
    NOT_FOUND,
  );
  expectError(await act("end-hold", { ...charged.request, user_id: randomUUID() }), {
    httpStatus: 404,
    code: "USER_NOT_FOUND",
  });
  strictEqual(await fundsOf(charged.who), "5/4");
});
