/**
 * What a bot does with credits, and the customers and prices that it does it with.
 * @module
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type postgres from "postgres";
import { z } from "zod";
import { type Answer, call, type CallOptions, dataOf } from "./calls.ts";
import { one } from "./lists.ts";
import { newPhoneNumber } from "./phone-numbers.ts";

/** How a bot names a customer. */
export interface Person {
  readonly phone_number?: string;
  readonly whatsapp_user_id?: string;
}

/** The id of a message that no other test uses. */
export const newReference = () => `wamid.${randomUUID()}`;

const post = (name: string) => (body: unknown, headers?: CallOptions["headers"]): Promise<Answer> =>
  call("POST", name, { body, headers });

export const deduct = post("bot-deduct");
export const reserve = post("bot-reserve");
export const capture = post("bot-capture");
export const release = post("bot-release");

/** Fails unless the second answer repeats the first and says so. */
export function expectReplay(again: Answer, first: Answer): void {
  deepStrictEqual(again.body, first.body);
  strictEqual(again.headers.get("idempotent-replayed"), "true");
}

/** What a customer can spend, and what is reserved, as `remaining/reserved`. */
export async function fundsOf(person: Person): Promise<string> {
  const query = new URLSearchParams({ ...person });
  const data = dataOf(await call("GET", `bot-credits?${query}`));
  return `${data.remaining_credits}/${data.reserved_credits}`;
}

/** Makes a customer with exactly these credits: a welcome that is larger than usual. */
export async function newCustomer<Who extends Person = { phone_number: string }>(
  sql: postgres.Sql,
  credits: number,
  person = { phone_number: newPhoneNumber() } as Person as Who,
): Promise<Who> {
  const { phone_number = null, whatsapp_user_id = null } = person;
  await sql`
    with newcomer as (
      insert into public.users (phone_number, credits, transaction_count)
      values (${phone_number}, ${credits}, 1)
      returning id
    ), identities as (
      insert into public.identities (kind, value, user_id)
      select named.kind, named.value, newcomer.id
      from newcomer, (
        values ('phone', ${phone_number}::text), ('whatsapp_user_id', ${whatsapp_user_id}::text)
      ) named (kind, value)
      where named.value is not null
    )
    insert into public.credit_transactions
      (user_id, sequence_number, action, credits, source, reference_id, balance_after, remaining_after)
    select id, 1, 'credit', ${credits}, 'system', 'welcome', ${credits}, ${credits} from newcomer`;
  return person;
}

/** The account of a customer. */
export async function userIdOf(sql: postgres.Sql, person: Person): Promise<string> {
  const { phone_number = null, whatsapp_user_id = null } = person;
  const { id } = one(
    await sql<{ id: string }[]>`
    select private.find_user_id(${phone_number}, ${whatsapp_user_id}) as id`,
  );
  return z.uuid().parse(id);
}

/** What an action costs. */
interface Price {
  readonly credits: number;
  readonly per_quantity?: number;
  readonly minimum_credits?: number;
  readonly done_message?: string;
}

/** Puts an action on the price list, or changes its price, and returns its id. */
export async function setPrice(
  sql: postgres.Sql,
  { credits, per_quantity = 1, minimum_credits = 1, done_message = "Made." }: Price,
  action = `action_${randomUUID().replaceAll("-", "_")}`,
): Promise<string> {
  await sql`
    insert into public.action_prices
      (action_id, unit, credits, per_quantity, minimum_credits, done_message)
    values (${action}, 'piece', ${credits}, ${per_quantity}, ${minimum_credits}, ${done_message})`;
  return action;
}

/** Takes an action off the price list. */
export async function retire(sql: postgres.Sql, action: string): Promise<void> {
  const { count } = await sql`
    update public.action_prices set valid_until = clock_timestamp()
    where action_id = ${action} and valid_until = 'infinity'`;
  strictEqual(count, 1);
}

/** Lets all the time pass that a customer's hold had. Nothing sweeps it. */
export async function passExpiry(
  sql: postgres.Sql,
  person: Person,
  reference_id: string,
): Promise<void> {
  const user_id = await userIdOf(sql, person);
  await sql.begin(async (sql) => {
    const { count } = await sql`
      update public.holds
      set created_at = created_at - interval '2 hours', expires_at = expires_at - interval '2 hours'
      where user_id = ${user_id} and reference_id = ${reference_id} and state = 'open'`;
    strictEqual(count, 1);
    await sql`
      update public.users set next_hold_expiry_at = next_hold_expiry_at - interval '2 hours'
      where id = ${user_id}`;
  });
}

/** Runs `act` while a customer may have so many open holds. */
export async function withMaxOpenHolds<Result>(
  sql: postgres.Sql,
  count: number,
  act: () => Promise<Result>,
): Promise<Result> {
  const set = (value: number) =>
    sql`update public.settings set value = ${value} where name = 'max_open_holds'`;
  const { value } = one(
    await sql<{ value: number }[]>`
    select value from public.settings where name = 'max_open_holds'`,
  );
  await set(count);
  try {
    return await act();
  } finally {
    await set(value);
  }
}
