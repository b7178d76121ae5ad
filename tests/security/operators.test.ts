/**
 * Every function for operators is for the holder of the project's secret key, and leaves no trace when
 * anybody without it calls. Who may call with a session is in operator-sessions.test.ts.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { OPERATIONS } from "shared/contract/operations.ts";
import { startBackend } from "../support/backend.ts";
import { expectError, parseAnswer } from "../support/calls.ts";
import { newPhoneNumber } from "../support/phone-numbers.ts";
import { cameByLink } from "../support/proofs.ts";
import { newSecret } from "../support/signing.ts";
import { type ValidRequest, validRequests } from "../support/valid-requests.ts";

const backend = await startBackend();
const { environment, sql } = backend;
Deno.test.afterAll(() => backend.stop());

const REQUESTS = (await validRequests(backend)).filter(({ operation }) =>
  operation.caller === "operator"
);

/** Sends a request with these headers alone, over HTTP. */
async function send({ operation, fields }: ValidRequest, headers: Record<string, string>) {
  const { name, method } = operation;
  const query = method === "GET"
    ? `?${new URLSearchParams(
      Object.entries(fields).map(([field, value]) => [field, String(value)]),
    )}`
    : "";
  const response = await fetch(`${environment.SUPABASE_URL}/functions/v1/${name}${query}`, {
    method,
    headers,
    body: method === "POST" ? JSON.stringify(fields) : null,
  });
  return parseAnswer(response, await response.text());
}

const { SUPABASE_PUBLISHABLE_KEY: publishable, BOT_SECRET } = environment;
const customer = newPhoneNumber();
const STRANGERS: Record<string, Record<string, string>> = {
  "a caller without anything": {},
  "a page with the publishable key": { apikey: publishable },
  "a page that sends the publishable key as a token": { authorization: `Bearer ${publishable}` },
  "the bot": { "x-bot-secret": BOT_SECRET },
  "the bot, with its secret for a key": { apikey: BOT_SECRET },
  "a customer who came by a link": await cameByLink(customer),
  "a caller with another key": { apikey: `sb_secret_${newSecret()}` },
};

/** Everything that an operator's call could change. */
async function state(): Promise<unknown> {
  const tables = await sql`
    select
      (select jsonb_agg(to_jsonb(u) order by u.id) from public.users u) as users,
      (select count(*) from public.credit_transactions) as entries,
      (select count(*) from public.operator_actions) as actions,
      (select count(*) from public.payment_reversals) as reversals,
      (select jsonb_agg(to_jsonb(h) order by h.reference_id) from public.holds h) as holds`;
  return [...tables];
}

Deno.test("there is a request for each function for operators", () => {
  const names = OPERATIONS.filter(({ caller }) => caller === "operator").map(({ name }) => name);
  deepStrictEqual(REQUESTS.map(({ operation }) => operation.name).sort(), names.sort());
  ok(names.length > 10);
});

for (const [stranger, headers] of Object.entries(STRANGERS)) {
  Deno.test(`${stranger} is refused by every function for operators, and changes nothing`, async () => {
    const before = await state();
    for (const request of REQUESTS) {
      expectError(await send(request, headers), { httpStatus: 401, code: "INVALID_SECRET_KEY" });
    }
    deepStrictEqual(await state(), before);
  });
}

Deno.test("whoever changes something is named, says why, and leaves a row that cannot be changed", async () => {
  const key = { apikey: environment.SUPABASE_SECRET_KEY };
  const acting = REQUESTS.filter(({ operation }) =>
    "reason" in operation.input.shape && "reference_id" in operation.input.shape
  );
  ok(acting.length >= 7);
  for (const request of acting) {
    for (const field of ["operator", "reason", "reference_id"]) {
      const { [field]: _, ...fields } = request.fields;
      expectError(await send({ ...request, fields }, key), {
        httpStatus: 400,
        code: "MISSING_FIELD",
      });
    }
  }
  for (const request of acting) {
    const { name } = request.operation;
    const count = async () =>
      Number(
        (await sql`select count(*) from public.operator_actions where action = ${name}`)[0]?.count,
      );
    const before = await count();
    const answer = await send(request, key);
    strictEqual(answer.httpStatus, 200, `${name}: ${JSON.stringify(answer.body)}`);
    ok(await count() > before, name);
  }
});
