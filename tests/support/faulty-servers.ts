/**
 * Servers that fail as networks and the services behind them fail.
 * @module
 */

import { claimPort } from "../../local/system/ports.ts";
import { withEnvironment } from "./environment.ts";

/** A server to be stopped. */
export interface FaultyServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Runs `act` while the functions reach this server in place of the Data API, then stops the server. */
export async function whileDataApiIs(
  server: FaultyServer,
  act: () => Promise<void>,
): Promise<void> {
  await whileReplaced("SUPABASE_URL", server, act);
}

/** As {@linkcode whileDataApiIs}, in place of Razorpay. */
export async function whileRazorpayIs(
  server: FaultyServer,
  act: () => Promise<void>,
): Promise<void> {
  await whileReplaced("RAZORPAY_API_URL", server, act);
}

async function whileReplaced(
  variable: string,
  server: FaultyServer,
  act: () => Promise<void>,
): Promise<void> {
  try {
    await withEnvironment({ [variable]: server.url }, act);
  } finally {
    await server.stop();
  }
}

/** An address at which nothing listens. */
export function closedUrl(): string {
  return `http://127.0.0.1:${claimPort(0, "PORT")}`;
}

/** Accepts connections, reads nothing and sends nothing. */
export function silentServer(): FaultyServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) connections.push(connection);
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    async stop() {
      listener.close();
      await accepting;
      for (const connection of connections) connection.close();
    },
  };
}

/** Sends the same response to every request. */
export function fixedAnswerServer(status: number, contentType: string, text: string): FaultyServer {
  return serve(() => new Response(text, { status, headers: { "content-type": contentType } }));
}

/** Refuses every request as Razorpay does, and quotes the request's body in the reason. */
export function quotingServer(): FaultyServer {
  return serve(async (request) => {
    const error = { code: "BAD_REQUEST_ERROR", description: await request.text() };
    return Response.json({ error }, { status: 400 });
  });
}

/** Redirects every request to the same path at another address. */
export function redirectingServer(status: number, address: string): FaultyServer {
  return serve(({ url }) => {
    const { pathname, search } = new URL(url);
    return new Response(null, { status, headers: { location: `${address}${pathname}${search}` } });
  });
}

/** What {@linkcode alteringProxy} does to a request and its response; without it, they stay the same. */
export interface Alterations {
  /** Changes the address of a request. */
  readonly address?: (url: URL) => void;
  /** Returns what the client gets in place of this JSON. */
  readonly answer?: (json: unknown, method: string, path: string) => unknown;
}

/** Passes requests on to `target`, which always responds with JSON, and changes what passes. */
export function alteringProxy(
  target: string,
  { address = () => {}, answer = (json) => json }: Alterations,
): FaultyServer {
  return serve(async (request) => {
    const url = new URL(request.url);
    address(url);
    const response = await passOn(request, `${target}${url.pathname}${url.search}`);
    const { status } = response;
    return Response.json(answer(await response.json(), request.method, url.pathname), { status });
  });
}

/** Passes requests on to `target`, except for the first `times` to a path that ends like this. */
export function refusingProxy(
  target: string,
  { path, times }: { readonly path: string; readonly times: number },
): FaultyServer {
  let left = times;
  return serve((request) => {
    const { pathname, search } = new URL(request.url);
    if (pathname.endsWith(path) && left-- > 0) return new Response(null, { status: 503 });
    return passOn(request, `${target}${pathname}${search}`);
  });
}

/** Passes requests on to the project at `target`, whose Auth is away. */
export function proxyWithoutAuth(target: string): FaultyServer {
  return serve((request) => {
    const { pathname, search } = new URL(request.url);
    if (pathname.startsWith("/auth/")) return new Response(null, { status: 503 });
    return passOn(request, `${target}${pathname}${search}`);
  });
}

/** A server between a client and `target` that can lose responses after `target` has sent them. */
export interface LossyProxy extends FaultyServer {
  /** Which of the next responses gets lost, where 1 is the very next one and 0 is none. */
  loseAnswer: number;
  /** The paths of all requests so far. */
  readonly paths: string[];
}

/** Starts a proxy that loses nothing yet. */
export function lossyProxy(target: string): LossyProxy {
  const server = serve(async (request) => {
    const { pathname, search } = new URL(request.url);
    proxy.paths.push(pathname);
    const answer = await passOn(request, `${target}${pathname}${search}`);
    const body = await answer.bytes();
    const isLost = proxy.loseAnswer === 1;
    proxy.loseAnswer = Math.max(0, proxy.loseAnswer - 1);
    if (!isLost) return new Response(body, answer);
    return new Response(brokenOff(body), { headers: { "content-type": "application/json" } });
  });
  const proxy: LossyProxy = { ...server, loseAnswer: 0, paths: [] };
  return proxy;
}

async function passOn(request: Request, url: string): Promise<Response> {
  const headers = new Headers(request.headers);
  headers.delete("host");
  const body = request.body && await request.bytes();
  return await fetch(url, { method: request.method, headers, body });
}

/** A body whose connection breaks after its first byte. */
function brokenOff(body: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(body.slice(0, 1));
    },
    pull(controller) {
      controller.error(new Error("The connection is cut here on purpose"));
    },
  });
}

function serve(handler: Deno.ServeHandler): FaultyServer {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    stop: () => server.shutdown(),
  };
}
