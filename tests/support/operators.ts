/**
 * What operators do over HTTP, and the record of it.
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type postgres from "postgres";
import type { OperatorRole } from "shared/contract/operation.ts";
import type { Backend } from "./backend.ts";
import {
  type Answer,
  call,
  dataOf,
  expectError,
  type FunctionName,
  operatorHeaders,
} from "./calls.ts";
import { first } from "./lists.ts";
import { signedIn } from "./proofs.ts";

/** The number of a ticket that no other test uses. */
export const newTicket = () => `ticket ${randomUUID()}`;

/** An operator who has signed in. */
export interface OperatorInSession {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: OperatorRole;
  readonly headers: { readonly authorization: string };
}

/** Makes an operator, and signs in with a second factor; `claims` replaces parts of the token. */
export async function newOperator(
  backend: Pick<Backend, "environment" | "secrets" | "sql">,
  { role = "owner", name = "Chitra", claims = {} }: {
    role?: OperatorRole;
    name?: string;
    claims?: Record<string, unknown>;
  } = {},
): Promise<OperatorInSession> {
  const id = randomUUID();
  const email = `${id}@example.com`;
  await backend.sql`
    insert into public.operators (user_id, email, name, role)
    values (${id}, ${email}, ${name}, ${role})`;
  const headers = await signedIn(backend, "", { sub: id, email, aal: "aal2", ...claims });
  return { id, email, name, role, headers };
}

/** Calls a function for operators that changes something; `fields` adds to the request. */
export function act(
  name: FunctionName,
  fields: Record<string, unknown>,
  headers: Record<string, string> = operatorHeaders(),
): Promise<Answer> {
  const body = {
    operator: "Asha",
    reason: "The customer called",
    reference_id: newTicket(),
    ...fields,
  };
  return call("POST", name, { body, headers });
}

/** Asks a function for operators that only reads. */
export function ask(path: string): Promise<Answer> {
  return call("GET", path, { headers: operatorHeaders() });
}

/** Gives credits to a user, or takes some. */
export async function adjust(
  user_id: string,
  credits: number,
  fields: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  return dataOf(await act("adjust-credits", { user_id, credits, ...fields }));
}

/** What is recorded about a reference, oldest first. */
export async function recordOf(
  sql: postgres.Sql,
  reference_id: string,
): Promise<postgres.RowList<postgres.Row[]>> {
  return await sql`
    select a.action, a.operator, a.reason, a.outcome, a.user_id, a.payment_id, a.request, a.before,
      a.after, a.result
    from public.operator_actions a
    left join public.operator_actions asked on asked.id = a.completes
    where coalesce(asked.reference_id, a.reference_id) = ${reference_id}
    order by a.id`;
}

/**
 * Fails unless an action happens once, however often its request is sent, and no other request can use
 * its reference. `other` changes the request into another one.
 */
export async function expectOnce(
  sql: postgres.Sql,
  name: FunctionName,
  fields: Record<string, unknown>,
  other: Record<string, unknown>,
): Promise<Answer> {
  const reference_id = newTicket();
  const request = { ...fields, reference_id };
  const answers = await Promise.all(Array.from({ length: 8 }, () => act(name, request)));
  const later = await act(name, { ...request, operator: "Bela", reason: "Said again" });
  const answer = first(answers);
  for (const { body } of [...answers, later]) deepStrictEqual(body, answer.body);
  const replayed = [...answers, later].filter(({ headers }) => headers.has("idempotent-replayed"));
  strictEqual(replayed.length, 8);

  expectError(await act(name, { ...request, ...other }), {
    httpStatus: 409,
    code: "REFERENCE_REUSED",
  });
  const record = await recordOf(sql, reference_id);
  ok(
    record.every(({ operator, reason }) => operator === "Asha" && reason === "The customer called"),
  );
  strictEqual(new Set(record.map(({ outcome }) => outcome)).size, record.length);
  return answer;
}
