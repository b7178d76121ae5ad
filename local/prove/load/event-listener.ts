/**
 * A bot that listens for events: a real HTTP server, which checks each request's signature with
 * node:crypto before it does anything else.
 * @module
 */

import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { until } from "../../system/until.ts";

const message = z.object({
  type: z.string(),
  timestamp: z.iso.datetime(),
  data: z.looseObject({ event_id: z.uuid() }),
});

/** An event as it arrived. */
export interface Arrival {
  readonly type: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly headers: Headers;
  readonly text: string;
}

/** How a listener answers; 204 if nothing else is said. */
export type Behavior = (arrival: Arrival, count: number) => Response | Promise<Response>;

/** A running listener. */
export interface EventListener extends AsyncDisposable {
  readonly url: string;
  /** What arrived and was correctly signed, oldest first. */
  readonly arrivals: Arrival[];
  /** Requests that were not correctly signed. */
  readonly unsigned: string[];
  /** From now on, it answers in this way. */
  behave(behavior: Behavior): void;
  /** Waits for an event that `matches`. */
  waitFor(name: string, matches: (arrival: Arrival) => boolean): Promise<Arrival>;
}

/** The answer of a bot that has got an event. */
export const acknowledged = () => new Response(null, { status: 204 });

/** Returns whether one of the signatures of a request is right, as Standard Webhooks says. */
export function isSigned(headers: Headers, text: string, secret: string): boolean {
  const [id, timestamp] = [headers.get("webhook-id"), headers.get("webhook-timestamp")];
  if (!id || id.includes(".") || Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) {
    return false;
  }
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const right = createHmac("sha256", key).update(`${id}.${timestamp}.${text}`).digest();
  return (headers.get("webhook-signature") ?? "").split(" ").some((signature) => {
    const [version, digits = ""] = signature.split(",");
    const given = Buffer.from(digits, "base64");
    return version === "v1" && given.length === right.length && timingSafeEqual(given, right);
  });
}

/** Starts a listener that verifies with this secret, on a free port unless one is given. */
export function listenForEvents(secret: string, { port = 0 } = {}): EventListener {
  const arrivals: Arrival[] = [];
  const unsigned: string[] = [];
  let behavior: Behavior = acknowledged;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port, onListen: () => {} },
    async (request) => {
      const text = await request.text();
      if (request.method !== "POST" || !isSigned(request.headers, text, secret)) {
        unsigned.push(`${request.method} ${text}`);
        return new Response(null, { status: 401 });
      }
      const arrival = { ...message.parse(JSON.parse(text)), headers: request.headers, text };
      arrivals.push(arrival);
      return await behavior(arrival, arrivals.length);
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/events`,
    arrivals,
    unsigned,
    behave: (other) => void (behavior = other),
    async waitFor(name, matches) {
      await until(name, () => Promise.resolve(arrivals.some(matches)));
      const arrival = arrivals.find(matches);
      if (arrival === undefined) throw new Error(`${name}: gone`);
      return arrival;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
