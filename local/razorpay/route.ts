/**
 * Routes: a method, a path with `:parameters`, and what answers.
 * @module
 */

import type { Account } from "./account.ts";
import type { JsonObject } from "./validate.ts";

/** A request after authentication and parsing. */
export interface ApiRequest {
  readonly account: Account;
  /** The values of the path's `:parameters`. */
  readonly params: Record<string, string>;
  readonly query: URLSearchParams;
  /** The JSON body, empty if there was none. */
  readonly body: JsonObject;
  /** A header's value by its lower-case name. */
  header(name: string): string | undefined;
}

/** Answers with the body of a 200, or throws a {@linkcode RazorpayError} for another status. */
export type Handler = (request: ApiRequest) => unknown;

export interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly handler: Handler;
}

/** Makes a route of, for example, `GET` and `/v1/orders/:order_id`. */
export function route(method: string, path: string, handler: Handler): Route {
  const pattern = path.replaceAll(/:(\w+)/g, "(?<$1>[^/]+)");
  return { method, path: new RegExp(`^${pattern}/?$`), handler };
}

/** The route for a request and its parameters, or undefined. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): { handler: Handler; params: Record<string, string> } | undefined {
  for (const route of routes) {
    const match = route.method === method ? route.path.exec(path) : null;
    if (match) return { handler: route.handler, params: { ...match.groups } };
  }
}
