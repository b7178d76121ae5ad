/**
 * POST merge-users: an operator merges two accounts of one person. tests/load/merges.test.ts has what
 * happens to everything that they own.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { startBackend } from "../support/backend.ts";
import { fundsOf, newCustomer, userIdOf } from "../support/bot.ts";
import { dataOf, expectError } from "../support/calls.ts";
import { one } from "../support/lists.ts";
import { act, expectOnce, newTicket, recordOf } from "../support/operators.ts";

const backend = await startBackend();
const { sql } = backend;
Deno.test.afterAll(() => backend.stop());

async function customer(credits: number) {
  const who = await newCustomer(sql, credits);
  return { who, user_id: await userIdOf(sql, who) };
}

/** Two accounts, and a request to merge them. */
async function twoAccounts() {
  const [old, current] = [await customer(2), await customer(5)];
  return { old, current, from_user_id: old.user_id, into_user_id: current.user_id };
}

Deno.test("two accounts become one, and the record says what each had", async () => {
  const { old, current, from_user_id, into_user_id } = await twoAccounts();
  const reference_id = newTicket();
  const answer = await act("merge-users", { from_user_id, into_user_id, reference_id });
  strictEqual(answer.body.message, "Accounts merged");
  deepStrictEqual(dataOf(answer), { outcome: "merged" });
  for (const { who } of [old, current]) strictEqual(await fundsOf(who), "7/0");

  const { action, user_id, before, after } = one(await recordOf(sql, reference_id));
  deepStrictEqual([action, user_id], ["merge-users", into_user_id]);
  deepStrictEqual([before.from.credits, before.into.credits], [2, 5]);
  deepStrictEqual([after.from.credits, after.into.credits], [0, 7]);
});

Deno.test("a merge happens once, however often and at once it is asked for", async () => {
  const { current, from_user_id, into_user_id } = await twoAccounts();
  const other = await customer(1);
  const fields = { from_user_id, into_user_id };
  const answer = await expectOnce(sql, "merge-users", fields, { into_user_id: other.user_id });
  strictEqual(dataOf(answer).outcome, "merged");
  strictEqual(await fundsOf(current.who), "7/0");
  // Under another reference, it moves what was left behind.
  deepStrictEqual(dataOf(await act("merge-users", fields)), { outcome: "replayed" });
});

Deno.test("both ways round at once, one of them is merged", async () => {
  const { old, current, from_user_id, into_user_id } = await twoAccounts();
  const answers = await Promise.all([
    act("merge-users", { from_user_id, into_user_id }),
    act("merge-users", { from_user_id: into_user_id, into_user_id: from_user_id }),
  ]);
  deepStrictEqual(answers.map(({ httpStatus }) => httpStatus).sort(), [200, 409]);
  for (const { who } of [old, current]) strictEqual(await fundsOf(who), "7/0");
});

Deno.test("what cannot be merged stays as it is, and its reference free", async () => {
  const { from_user_id, into_user_id } = await twoAccounts();
  const third = await customer(1);
  const reference_id = newTicket();
  const merge = (fields: Record<string, string>) =>
    act("merge-users", { from_user_id, into_user_id, reference_id, ...fields });
  expectError(await merge({ into_user_id: from_user_id }), {
    httpStatus: 400,
    code: "INVALID_REQUEST",
    message: "from_user_id and into_user_id name the same account",
  });
  for (const field of ["from_user_id", "into_user_id"]) {
    expectError(await merge({ [field]: randomUUID() }), {
      httpStatus: 404,
      code: "USER_NOT_FOUND",
    });
  }
  dataOf(await merge({}));
  expectError(await act("merge-users", { from_user_id, into_user_id: third.user_id }), {
    httpStatus: 409,
    code: "MERGED_BEFORE",
  });
  strictEqual(await fundsOf(third.who), "1/0");
});
