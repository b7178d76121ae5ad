/**
 * A caller as docs/bot.md tells bots to be: it repeats a call, with the same reference, until it gets an
 * answer that is not an outage.
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { StackEnvironment } from "../../stack/environment.ts";
import { parseJson } from "../../system/json.ts";
import type { Random } from "../random.ts";
import { ATTEMPT_MS, PATIENCE_MS } from "./patience.ts";

/** A request to a function. */
export interface Call {
  readonly as: "bot" | "page" | "operator";
  /** What follows `/functions/v1/`. */
  readonly path: string;
  /** Sent as JSON with POST; without one, the call is a GET. */
  readonly body?: Readonly<Record<string, unknown>>;
}

/** What the backend said. */
export interface Answer {
  readonly httpStatus: number;
  readonly status: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
  readonly isReplay: boolean;
}

/** How calls are made. */
export interface ClientOptions {
  readonly random: Random;
  /** The probability that the caller itself cuts a connection before its answer. */
  readonly cutRate: number;
  /** Told what no caller has to expect. */
  readonly surprised: (sentence: string) => void;
}

const envelope = z.object({
  status: z.string(),
  message: z.string(),
  code: z.string().optional(),
  data: z.record(z.string(), z.unknown()).optional(),
});

/** The statuses after which a caller repeats its call: unsure, and two ways of being away. */
const REPEATED = [202, 502, 503];

/** No caller has to expect them under this load, whatever is away. */
const SURPRISING = [429, 500, 504];

/** Calls functions. */
export class Client {
  readonly #environment: StackEnvironment;
  readonly #options: ClientOptions;

  constructor(environment: StackEnvironment, options: ClientOptions) {
    this.#environment = environment;
    this.#options = options;
  }

  /** Sends a call once. Returns undefined if the connection broke, and nobody knows what happened. */
  async send(call: Call): Promise<Answer | undefined> {
    const { random, cutRate } = this.#options;
    const timeoutMs = random.happens(cutRate) ? random.between(1, 40) : ATTEMPT_MS;
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${this.#environment.SUPABASE_URL}/functions/v1/${call.path}`, {
        method: call.body ? "POST" : "GET",
        headers: { "content-type": "application/json", ...this.#credentials(call) },
        ...(call.body && { body: JSON.stringify(call.body) }),
        signal: AbortSignal.timeout(timeoutMs),
      });
      text = await response.text();
    } catch {
      return undefined;
    }
    return this.#parse(call, response, text);
  }

  /** Repeats a call until it has an answer. Returns undefined if there is none before patience ends. */
  async insist(call: Call): Promise<Answer | undefined> {
    const deadline = Date.now() + PATIENCE_MS;
    while (Date.now() < deadline) {
      const answer = await this.send(call);
      if (answer && !REPEATED.includes(answer.httpStatus) && answer.httpStatus !== 500) {
        return answer;
      }
      await delay(this.#options.random.between(50, 400));
    }
    return undefined;
  }

  #credentials({ as }: Call): Record<string, string> {
    const { BOT_SECRET, SUPABASE_SECRET_KEY } = this.#environment;
    if (as === "bot") return { "x-bot-secret": BOT_SECRET };
    return as === "operator" ? { apikey: SUPABASE_SECRET_KEY } : {};
  }

  #parse({ path }: Call, { status: httpStatus, headers }: Response, text: string): Answer {
    const { data: body } = envelope.safeParse(parseJson(text));
    if (body === undefined || SURPRISING.includes(httpStatus)) {
      this.#options.surprised(`${path} answered ${httpStatus} ${text.slice(0, 200)}`);
    }
    return {
      httpStatus,
      status: body?.status ?? "",
      message: body?.message ?? "",
      code: body?.code,
      data: body?.data ?? {},
      isReplay: headers.get("idempotent-replayed") === "true",
    };
  }
}
