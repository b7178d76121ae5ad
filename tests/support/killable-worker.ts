/**
 * A worker that can be killed between any two of its steps.
 *
 * To the outside, a process that was killed is one that asks nothing any more and that no answer
 * reaches. So the functions' way to the database and to Razorpay leads through a proxy that lets a
 * given number of requests pass and then takes every connection away, before or after the last request
 * was carried out.
 * @module
 */

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
  /** Whether that request is still carried out, and only its answer does not arrive. */
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

  /** Lets functions run until `death`, and tells whether they lived that long. */
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
          // The connection goes when the answer is whole, so that what was asked for is done.
          answer.on("end", () => request.socket.destroy()).resume();
        } else {
          // Without a kept connection no client repeats a request by itself.
          response.writeHead(answer.statusCode ?? 502, { ...answer.headers, connection: "close" });
          answer.pipe(response);
        }
      },
    );
    passedOn.on("error", () => request.socket.destroy());
    request.pipe(passedOn);
  }
}
