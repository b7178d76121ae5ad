/**
 * Calls the operators' functions with the session of whoever is signed in.
 * @module
 */

import {
  type Answer,
  type Call,
  callFunction,
  Refusal,
  Unreachable,
  unreachable,
} from "../common/backend.ts";
import type { Configuration } from "../common/configuration.ts";
import type { Functions } from "./functions.ts";
import type { Session } from "./session.ts";

/** Why a session is of no use. */
export type Exclusion = "signed-out" | "second-factor" | "not-an-operator";

/** The operators' functions. */
export interface Api {
  /**
   * Calls a function.
   *
   * @throws {Refusal} for an answer that is an error.
   * @throws {Unreachable} if no answer came back; what was asked for may have happened.
   */
  call<Name extends keyof Functions>(name: Name, call?: Call): Promise<Answer<Functions[Name]>>;
  /**
   * Downloads a statement, and tells how many entries have come so far.
   *
   * @throws {Refusal} or {Unreachable}, as `call` does.
   */
  download(
    query: StatementQuery,
    signal: AbortSignal,
    onProgress: (entries: number) => void,
  ): Promise<Blob>;
}

/** Which statement, and as what. */
export interface StatementQuery {
  readonly user_id: string;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly format: "csv" | "json";
}

const EXCLUSIONS: Partial<Record<string, Exclusion>> = {
  INVALID_SECRET_KEY: "signed-out",
  INVALID_SESSION: "signed-out",
  SECOND_FACTOR_REQUIRED: "second-factor",
  NOT_AN_OPERATOR: "not-an-operator",
};

/** Returns the functions. `onExclusion` is told when they take this session no longer. */
export function openApi(
  configuration: Configuration,
  session: Session,
  onExclusion: (exclusion: Exclusion) => void,
): Api {
  /**
   * Acts with a token, and once more with a new one if that was refused, which changes nothing. Once
   * whoever began it has signed out, nothing more is done in their name or in the next one's.
   */
  async function withToken<Result>(act: (token: string) => Promise<Result>): Promise<Result> {
    const turn = session.turn();
    const isOwnTurn = () => session.turn() === turn;
    const own = (token: string | undefined) => isOwnTurn() ? token : undefined;
    try {
      const token = own(await session.token());
      if (token === undefined) throw new Refusal("INVALID_SESSION", "Nobody is signed in");
      return await act(token).catch(async (error) => {
        const isRefused = error instanceof Refusal && error.code === "INVALID_SESSION";
        const newer = isRefused && isOwnTurn() ? own(await session.freshToken()) : undefined;
        if (newer === undefined) throw error;
        return await act(newer);
      });
    } catch (error) {
      const exclusion = error instanceof Refusal ? EXCLUSIONS[error.code] : undefined;
      if (exclusion && isOwnTurn()) onExclusion(exclusion);
      throw error;
    }
  }

  return {
    call: (name, call = {}) =>
      withToken((token) =>
        callFunction(configuration, name, {
          ...call,
          headers: { ...call.headers, authorization: `Bearer ${token}` },
        })
      ),
    download: (query, signal, onProgress) =>
      withToken((token) => download(configuration, token, query, signal, onProgress)),
  };
}

async function download(
  { supabase_url, publishable_key }: Configuration,
  token: string,
  query: StatementQuery,
  signal: AbortSignal,
  onProgress: (entries: number) => void,
): Promise<Blob> {
  const url = new URL("/functions/v1/export-statement", supabase_url);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  const response = await fetch(url, {
    headers: { apikey: publishable_key, authorization: `Bearer ${token}` },
    signal,
  }).catch(unreachable);
  if (!response.ok || !response.body) {
    const { code, message } = await response.json().catch(unreachable);
    throw new Refusal(code, message);
  }
  const chunks: BlobPart[] = [];
  let entries = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(unreachable);
    if (done) break;
    chunks.push(value);
    const text = new TextDecoder().decode(value);
    // Close enough for a bar: a piece may end within a line or a name.
    entries += text.split(query.format === "csv" ? "\n" : '"sequence_number"').length - 1;
    onProgress(entries);
  }
  return new Blob(chunks, { type: response.headers.get("content-type") ?? "" });
}

/** Says in one sentence what went wrong. */
export function sentenceOf(error: unknown): string {
  if (error instanceof Refusal) return `${error.message} (${error.code}).`;
  if (error instanceof Unreachable) return "The backend did not answer. Check the connection.";
  return error instanceof Error ? `${error.message}.` : String(error);
}
