/**
 * The backend's single address, with the paths of a hosted project: `/functions/v1`, `/rest/v1` and
 * `/auth/v1`.
 * @module
 */

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isLoopbackHost } from "../system/loopback.ts";
import { portTakenError } from "../system/ports.ts";
import { REPOSITORY } from "../system/settings.ts";
import type { DataApi } from "./data-api.ts";
import type { Functions } from "./functions.ts";

/** Where the gateway listens, and what it passes requests on to. */
interface GatewayOptions {
  /** The port on 127.0.0.1; 0 takes any free one. */
  readonly port: number;
  readonly dataApi: DataApi;
  readonly functions: Functions;
}

/** A running gateway. */
export interface Gateway {
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

const FUNCTIONS_PREFIX = "/functions/v1";
const SHUTDOWN_MS = 3_000;

/**
 * Starts the gateway.
 *
 * @throws {TaskError} if the port is taken.
 */
export function startGateway(options: GatewayOptions): Gateway {
  const server = listen(options);
  const { port } = server.addr;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    async stop() {
      // Requests in progress may finish, but one that hangs does not delay the shutdown for long.
      await Promise.race([server.shutdown(), delay(SHUTDOWN_MS, undefined, { ref: false })]);
    },
  };
}

function listen(options: GatewayOptions): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve(
      { hostname: "127.0.0.1", port: options.port, onListen: () => {} },
      (request) => route(request, options),
    );
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw portTakenError(options.port, "API_PORT");
    throw error;
  }
}

async function route(request: Request, options: GatewayOptions): Promise<Response> {
  // First, because an odd host makes even the request's URL throw.
  if (!isLoopbackHost(request.headers.get("host"))) {
    return refusal(
      421,
      "MISDIRECTED_REQUEST",
      "This stack serves the hosts 127.0.0.1 and localhost only.",
    );
  }
  if (!canBePassedOn(request.method)) {
    return refusal(405, "METHOD_NOT_ALLOWED", "Nothing here supports this method.");
  }
  const { pathname, origin } = new URL(request.url);
  if (pathname.startsWith(`${FUNCTIONS_PREFIX}/`)) {
    return await callFunction(request, options.functions);
  }
  if (pathname.startsWith("/rest/v1/") || pathname.startsWith("/auth/v1/")) {
    return await options.dataApi.fetch(request);
  }
  if (pathname === "/openapi.json") return await openApiDocument(origin);
  if (pathname === "/") return Response.json(contents(options.functions));
  return refusal(404, "NOT_FOUND", "Nothing is served here.");
}

/** A `Request` cannot have these methods, and changes a lower-case one into another. */
function canBePassedOn(method: string): boolean {
  return !["CONNECT", "TRACE", "TRACK"].includes(method) && method === method.toUpperCase();
}

function refusal(status: number, code: string, message: string): Response {
  return Response.json({ code, message }, { status });
}

/** The hosted runtime routes on the first segment, and keeps it in the function's path. */
async function callFunction(request: Request, functions: Functions): Promise<Response> {
  const url = new URL(request.url);
  url.pathname = url.pathname.slice(FUNCTIONS_PREFIX.length);
  const [, name = ""] = url.pathname.split("/");
  const handler = functions.get(name);
  if (!handler) {
    // As the platform words it (Supabase docs, "Edge Function error codes").
    const body = { code: "NOT_FOUND", message: "Requested function was not found" };
    return Response.json(body, { status: 404, headers: { "sb-error-code": "NOT_FOUND" } });
  }
  try {
    const { method, headers, body } = request;
    return await handler(new Request(url, { method, headers, body }));
  } catch (error) {
    console.error(`The function ${name} failed:`, error);
    const message = "Function exited due to an error (please check logs)";
    const headers = { "sb-error-code": "WORKER_ERROR" };
    return Response.json({ code: "WORKER_ERROR", message }, { status: 500, headers });
  }
}

/** The contract, with the address that the request used in place of the default one. */
async function openApiDocument(origin: string): Promise<Response> {
  const document = JSON.parse(await Deno.readTextFile(join(REPOSITORY, "openapi.json")));
  const [, ...others] = document.servers;
  document.servers = [
    { url: origin + FUNCTIONS_PREFIX, description: "This stack" },
    ...others,
  ];
  return Response.json(document, { headers: { "access-control-allow-origin": "*" } });
}

function contents(functions: Functions): Record<string, unknown> {
  return {
    message: "The development stack of the credits backend.",
    functions: [...functions.keys()].sort().map((name) => `${FUNCTIONS_PREFIX}/${name}`),
    data_api: "/rest/v1",
    auth: "/auth/v1",
    openapi: "/openapi.json",
  };
}
