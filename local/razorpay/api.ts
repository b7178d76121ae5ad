/**
 * Handles requests: the request log, the faults, authentication and the routes.
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Account } from "./account.ts";
import { isCheckoutPath, respondAsCheckout } from "./checkout-window.ts";
import { controlRoutes } from "./control.ts";
import { disputeRoutes } from "./disputes.ts";
import { authenticationFailed, badRequest, RazorpayError, unknownRoute } from "./errors.ts";
import { Faults } from "./faults.ts";
import { refusalOf } from "./guard.ts";
import { orderRoutes } from "./orders.ts";
import { paymentLinkRoutes } from "./payment-links.ts";
import { isPagePath, respondAsPage } from "./payment-page.ts";
import { paymentRoutes } from "./payments.ts";
import { refundRoutes } from "./refunds.ts";
import { errorReply, jsonReply, type Reply, send, sendFaulty } from "./reply.ts";
import { type LoggedRequest, RequestLog } from "./request-log.ts";
import { findRoute, type Route } from "./route.ts";
import { isObject, type JsonObject } from "./validate.ts";

const API_ROUTES = [
  ...orderRoutes,
  ...paymentRoutes,
  ...refundRoutes,
  ...paymentLinkRoutes,
  ...disputeRoutes,
];
const MAX_BODY_BYTES = 1024 * 1024;

/** A request that has been read completely. */
interface ReadRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** The API and the control routes of one account. */
export class Api {
  readonly #account: Account;
  readonly #faults = new Faults();
  readonly #requests = new RequestLog();
  readonly #controlRoutes = controlRoutes(this.#faults, this.#requests);

  constructor(account: Account) {
    this.#account = account;
  }

  /** Reads a request and responds to it, or has it meet the fault that a test ordered. */
  async respond(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await read(message);
    const refusal = refusalOf(request);
    if (refusal !== undefined) {
      send(response, errorReply(refusal));
    } else if (request.url.pathname.startsWith("/_control/")) {
      send(response, await this.#handle(this.#controlRoutes, request));
    } else if (isPagePath(request.url.pathname)) {
      send(response, respondAsPage(this.#account, request));
      await this.#account.save();
    } else if (isCheckoutPath(request.url.pathname)) {
      send(response, await respondAsCheckout(this.#account, request));
    } else {
      await this.#respondAsApi(request, response);
    }
  }

  async #respondAsApi(request: ReadRequest, response: ServerResponse): Promise<void> {
    const fault = this.#faults.take(request.method, request.url.pathname);
    const logged: LoggedRequest = {
      method: request.method,
      path: request.url.pathname,
      query: request.url.search.slice(1),
      body: request.body,
      headers: Object.keys(request.headers),
      status: null,
      fault: fault?.kind ?? null,
    };
    this.#requests.add(logged);
    if (fault === undefined) {
      logged.status = send(response, await this.#handleApi(request));
      return;
    }
    const applied = fault.applied ? await this.#handleApi(request) : undefined;
    const isRunning = await this.#account.pause(fault.delay_ms);
    if (isRunning) logged.status = sendFaulty(response, fault, applied);
  }

  async #handleApi(request: ReadRequest): Promise<Reply> {
    if (!this.#account.authenticates(request.headers.authorization)) {
      return errorReply(authenticationFailed());
    }
    return await this.#handle(API_ROUTES, request);
  }

  async #handle(routes: readonly Route[], request: ReadRequest): Promise<Reply> {
    try {
      const found = findRoute(routes, request.method, request.url.pathname);
      if (found === undefined) throw unknownRoute();
      const body = await found.handler({
        account: this.#account,
        param: found.param,
        query: request.url.searchParams,
        body: parseBody(request.body),
        header: (name) => request.headers[name]?.toString(),
      });
      if (request.method !== "GET") await this.#account.save();
      return jsonReply(200, body);
    } catch (error) {
      if (error instanceof RazorpayError) return errorReply(error);
      throw error;
    }
  }
}

async function read(message: IncomingMessage): Promise<ReadRequest> {
  const decoder = new TextDecoder();
  let body = "";
  let bytes = 0;
  for await (const chunk of message) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new RangeError("a request is larger than 1 MiB");
    body += decoder.decode(chunk, { stream: true });
  }
  return {
    method: message.method ?? "",
    url: URL.parse(message.url ?? "/", "http://127.0.0.1") ?? new URL("http://127.0.0.1/"),
    headers: message.headers,
    body: body + decoder.decode(),
  };
}

function parseBody(text: string): JsonObject {
  if (text === "") return {};
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw badRequest("The request body is not valid JSON.");
  }
  if (!isObject(body)) throw badRequest("The request body is not a JSON object.");
  return body;
}
