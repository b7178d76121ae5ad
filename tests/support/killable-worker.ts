/**
 * A worker that can be killed between any two of its steps.
 *
 * Seen from outside, a killed process sends no more requests and receives no more responses. So the
 * functions reach the database and Razorpay through a proxy that lets a given number of requests pass
 * and then breaks every connection, before or after the last request was carried out.
 * @module
 */

import { ok } from "node:assert/strict";
import {
  createServer,
  type IncomingMessage,
  request as send,
  type ServerResponse,
} from "node:http";
import { withEnvironment } from "./environment.ts";

/** When a worker dies. */
export interface Death {
  /** At which of its requests, where 1 is the first. */
  step: number;
  /** Whether that request is still carried out, so that only its response is lost. */
  carriedOut: boolean;
}

/** A proxy to the database and to Razorpay. */
export class KillableWorker {
  readonly #dataApiUrl: string;
  readonly #razorpayUrl: string;
  readonly #server = createServer((request, response) => this.#pass(request, response));
  #death: Death = { step: Infinity, carriedOut: false };
  #steps = 0;

  constructor({ dataApiUrl, razorpayUrl }: { dataApiUrl: string; razorpayUrl: string }) {
    this.#dataApiUrl = dataApiUrl;
    this.#razorpayUrl = razorpayUrl;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** Runs functions until `death`, and returns whether it came to that. */
  async runUntil(death: Death, act: () => Promise<unknown>): Promise<{ died: boolean }> {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new TypeError("not started");
    const url = `http://127.0.0.1:${address.port}`;
    this.#death = death;
    this.#steps = 0;
    await withEnvironment({ SUPABASE_URL: url, RAZORPAY_API_URL: url }, act);
    return { died: this.#steps >= death.step };
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    this.#steps += 1;
    const { step, carriedOut } = this.#death;
    const isLast = this.#steps === step;
    if (this.#steps > step || isLast && !carriedOut) {
      request.socket.destroy();
      return;
    }
    const path = request.url ?? "/";
    const target = path.startsWith("/v1/") ? this.#razorpayUrl : this.#dataApiUrl;
    const passedOn = send(
      new URL(path, target),
      { method: request.method, headers: request.headers, agent: false },
      (answer) => {
        if (isLast) {
          // Breaks the connection once the response is complete: the request was carried out.
          answer.on("end", () => request.socket.destroy()).resume();
        } else {
          // The HTTP client repeats requests only on a connection that was kept alive.
          response.writeHead(answer.statusCode ?? 502, { ...answer.headers, connection: "close" });
          answer.pipe(response);
        }
      },
    );
    passedOn.on("error", () => request.socket.destroy());
    request.pipe(passedOn);
  }
}

/** Calls `run` once for each possible death: at each step, before and after it was carried out. */
export async function killAtEveryStep(
  run: (death: Death) => Promise<{ died: boolean }>,
): Promise<void> {
  for (const carriedOut of [false, true]) {
    let step = 1;
    while ((await run({ step, carriedOut })).died) step += 1;
    ok(step > 1, "there was no step to die at");
  }
}
