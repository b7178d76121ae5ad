/**
 * A running Razorpay stand-in, a caller of its API, and a receiver of its webhooks, for one test.
 * @module
 */

import { createServer } from "node:http";
import { randomText } from "../../local/razorpay/ids.ts";
import {
  type RazorpayOptions,
  type RazorpayStandIn,
  startRazorpay,
} from "../../local/razorpay/server.ts";
import { at } from "./lists.ts";
import { basicAuthorization } from "./razorpay-auth.ts";

/** A stand-in with keys of its own. */
export interface RazorpayFixture extends RazorpayStandIn {
  keyId: string;
  keySecret: string;
  webhookSecret: string;
  /** Calls the API with the right key. */
  call(method: string, path: string, body?: unknown, headers?: HeadersInit): Promise<ApiResponse>;
}

/** An API answer, parsed. */
export interface ApiResponse {
  status: number;
  // The tests read many shapes, and reading a wrong one fails an assertion.
  // deno-lint-ignore no-explicit-any
  body: any;
}

/** Runs a test with a stand-in of its own, and stops it. */
export async function withRazorpay(
  test: (razorpay: RazorpayFixture) => Promise<void>,
  options: Partial<RazorpayOptions> = {},
): Promise<void> {
  const keyId = `rzp_test_${randomText(14)}`;
  const keySecret = randomText(24);
  const webhookSecret = randomText(24);
  const standIn = await startRazorpay({ port: 0, keyId, keySecret, webhookSecret, ...options });
  try {
    await test({
      ...standIn,
      keyId,
      keySecret,
      webhookSecret,
      async call(method, path, body, headers) {
        const response = await fetch(`${standIn.url}${path}`, {
          method,
          headers: { authorization: basicAuthorization(keyId, keySecret), ...headers },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        return { status: response.status, body: await response.json() };
      },
    });
  } finally {
    await standIn.stop();
  }
}

/** A webhook delivery, as it came over the wire. */
export interface Delivery {
  /** The headers with the spelling and in the order of the sender. */
  headers: [name: string, value: string][];
  body: string;
  eventId: string;
  event: string;
  signature: string;
}

/** What a receiver responds: a status, or nothing at all. */
export type ReceiverResponse = number | "drop" | "hang";

/** Runs a test with an HTTP server that receives webhooks. */
export async function withReceiver(
  answer: (delivery: Delivery, earlier: number) => ReceiverResponse,
  test: (receiver: { url: string; deliveries: Delivery[] }) => Promise<void>,
): Promise<void> {
  const deliveries: Delivery[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const delivery: Delivery = {
      headers: pairs(request.rawHeaders),
      body,
      eventId: String(request.headers["x-razorpay-event-id"]),
      event: JSON.parse(body).event,
      signature: String(request.headers["x-razorpay-signature"]),
    };
    const answered = answer(delivery, deliveries.length);
    deliveries.push(delivery);
    if (answered === "drop") request.socket.destroy();
    else if (answered !== "hang") response.writeHead(answered).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no port");
  try {
    await test({ url: `http://127.0.0.1:${address.port}/hook?a=b`, deliveries });
  } finally {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }
}

function pairs(rawHeaders: string[]): [string, string][] {
  return Array.from(
    { length: rawHeaders.length / 2 },
    (_, index) => [at(rawHeaders, 2 * index), at(rawHeaders, 2 * index + 1)],
  );
}
