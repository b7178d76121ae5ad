/**
 * Responses, correct and faulty ones.
 * @module
 */

import type { ServerResponse } from "node:http";
import {
  authenticationFailed,
  type RazorpayError,
  serverError,
  tooManyRequests,
} from "./errors.ts";
import type { Fault } from "./faults.ts";

/** A response before it is sent. */
export interface Reply {
  readonly status: number;
  readonly type: "application/json" | "text/html" | "text/javascript" | "text/css";
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Creates a reply with a JSON body. */
export function jsonReply(status: number, body: unknown): Reply {
  return { status, type: "application/json", text: JSON.stringify(body) };
}

/** A page that runs no script, loads nothing and is shown in no frame. */
const PLAIN_PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";

/** Creates a reply with a page, and with the policy that says what the page may do. */
export function htmlReply(status: number, text: string, policy = PLAIN_PAGE_POLICY): Reply {
  return { status, type: "text/html", text, headers: { "Content-Security-Policy": policy } };
}

/** Creates the reply for one of Razorpay's errors. */
export function errorReply(error: RazorpayError): Reply {
  return jsonReply(error.status, error.body);
}

/** Sends the response and returns its status. */
export function send(response: ServerResponse, { status, type, text, headers }: Reply): number {
  const bytes = new TextEncoder().encode(text);
  response.writeHead(status, {
    "Content-Type": type,
    "Content-Length": bytes.length,
    ...headers,
  });
  response.end(bytes);
  return status;
}

/**
 * Sends what a fault makes of a response, and returns the status, or null if nothing was sent.
 *
 * `reply` is undefined if the fault kept Razorpay from carrying out the request.
 */
export function sendFaulty(
  response: ServerResponse,
  { kind }: Fault,
  reply: Reply | undefined,
): number | null {
  const { status, text } = reply ?? jsonReply(200, {});
  const half = text.slice(0, Math.ceil(text.length / 2));
  switch (kind) {
    case "401":
      return send(response, errorReply(authenticationFailed()));
    case "429":
      return send(response, errorReply(tooManyRequests()));
    case "500":
      return send(response, errorReply(serverError()));
    case "502_html":
      return send(response, html(502, "<h1>502 Bad Gateway</h1>"));
    case "504_empty":
      return send(response, html(504, ""));
    case "200_html":
      return send(response, html(200, "<h1>Please sign in</h1>"));
    case "200_cut_off":
      return send(response, { status, type: "application/json", text: half });
    case "200_broken_off":
      response.writeHead(status, {
        "Content-Type": "application/json",
        "Content-Length": new TextEncoder().encode(text).length,
      });
      response.write(half, () => response.socket?.destroy());
      return status;
    case "drop":
      response.socket?.destroy();
      return null;
    case "hang":
      return null;
    case "delay":
      return send(response, { status, type: "application/json", text });
  }
}

function html(status: number, body: string): Reply {
  return {
    status,
    type: "text/html",
    text: body === "" ? "" : `<html><body><center>${body}</center></body></html>`,
  };
}
