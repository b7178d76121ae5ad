/**
 * Calls the Edge Functions, and tells apart what they answer from what kept the call from them.
 * @module
 */

import type { ErrorCode } from "shared/errors.ts";
import type { Configuration } from "./configuration.ts";

/** What every function answers with. */
export interface Answer<Data> {
  readonly status: string;
  readonly message: string;
  readonly data: Data;
  /** Whether this was the answer to an earlier call with the same reference. */
  readonly isRepeated: boolean;
}

/** An answer that says no, with the words and the code of the contract. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  constructor(readonly code: ErrorCode, message: string) {
    super(message);
  }
}

/** Returns whether an error is a refusal with one of these codes. */
export function isRefusal(error: unknown, codes: readonly ErrorCode[]): error is Refusal {
  return error instanceof Refusal && codes.includes(error.code);
}

/** The call did not reach a function, or its answer did not come back. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** A call of a function. With a `body` it is a POST, otherwise a GET. */
export interface Call {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** A browser waits for minutes, which no customer does. */
const TIMEOUT_MS = 20_000;

/**
 * Calls `path`, the name of a function and what may follow it.
 *
 * @throws {Refusal} for an answer that is an error of the contract.
 * @throws {Unreachable} if no answer of a function came back.
 */
export async function callFunction<Data>(
  { supabase_url, publishable_key }: Configuration,
  path: string,
  { query = {}, body, headers, signal }: Call = {},
): Promise<Answer<Data>> {
  const url = new URL(`/functions/v1/${path}`, supabase_url);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(url, {
    method: body ? "POST" : "GET",
    headers: {
      apikey: publishable_key,
      ...(body && { "content-type": "application/json" }),
      ...headers,
    },
    body: body ? JSON.stringify(body) : null,
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  }).catch(unreachable);
  const envelope = await response.json().catch(unreachable);
  if (response.ok) {
    return { ...envelope, isRepeated: response.headers.get("idempotent-replayed") === "true" };
  }
  if (envelope?.status !== "ERROR") throw new Unreachable(`${response.status} without an envelope`);
  throw new Refusal(envelope.code, envelope.message);
}

/**
 * Selects rows of a table that anybody may read.
 *
 * @throws {Unreachable} if no rows came back.
 */
export async function selectRows<Row>(
  { supabase_url, publishable_key }: Configuration,
  table: string,
  query: Readonly<Record<string, string>>,
): Promise<readonly Row[]> {
  const url = new URL(`/rest/v1/${table}`, supabase_url);
  url.search = new URLSearchParams(query).toString();
  const response = await fetch(url, {
    headers: { apikey: publishable_key },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(unreachable);
  if (!response.ok) throw new Unreachable(`${response.status} for ${table}`);
  return await response.json().catch(unreachable);
}

/**
 * What to do when a request fails.
 *
 * @throws {Unreachable} always.
 */
export function unreachable(error: unknown): never {
  throw new Unreachable(String(error));
}
