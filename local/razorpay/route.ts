/**
 * Routes: a method, a path with `:parameters`, and a handler.
 * @module
 */

import type { Account } from "./account.ts";
import type { JsonObject } from "./validate.ts";

/** A request that has been authenticated and parsed. */
export interface ApiRequest {
  readonly account: Account;
  /**
   * Returns the value of one of the path's `:parameters`.
   *
   * @throws {TypeError} if the path has no such parameter.
   */
  param(name: string): string;
  readonly query: URLSearchParams;
  /** The JSON body; an empty object if there was none. */
  readonly body: JsonObject;
  /** Returns the value of a header by its lower-case name. */
  header(name: string): string | undefined;
}

/**
 * Returns the body of a 200 response.
 *
 * @throws {RazorpayError} for any other status.
 */
export type Handler = (request: ApiRequest) => unknown;

/** Created by {@linkcode route}. */
export interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly handler: Handler;
}

/** Creates a route from, for example, `GET` and `/v1/orders/:order_id`. */
export function route(method: string, path: string, handler: Handler): Route {
  const pattern = path.replaceAll(/:(\w+)/g, "(?<$1>[^/]+)");
  return { method, path: new RegExp(`^${pattern}/?$`), handler };
}

/** Returns the handler for a request with the parameters of its path, or undefined. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): { handler: Handler; param: ApiRequest["param"] } | undefined {
  for (const route of routes) {
    const match = route.method === method ? route.path.exec(path) : null;
    if (match) return { handler: route.handler, param: parametersOf(match) };
  }
  return undefined;
}

function parametersOf({ groups }: RegExpExecArray): ApiRequest["param"] {
  return (name) => {
    const value = groups?.[name];
    if (value === undefined) throw new TypeError(`This route's path has no parameter :${name}`);
    return value;
  };
}
