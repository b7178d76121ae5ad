/**
 * Servers that fail as networks and the services behind them fail.
 * @module
 */

/** A server to be stopped. */
export interface FaultyServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** An address at which nothing listens. */
export function closedUrl(): string {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return `http://127.0.0.1:${listener.addr.port}`;
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
    const headers = new Headers(request.headers);
    headers.delete("host");
    const answer = await fetch(`${target}${pathname}${search}`, {
      method: request.method,
      headers,
      body: request.body && await request.bytes(),
    });
    const body = await answer.bytes();
    const isLost = proxy.loseAnswer === 1;
    proxy.loseAnswer = Math.max(0, proxy.loseAnswer - 1);
    if (!isLost) return new Response(body, answer);
    return new Response(brokenOff(body), { headers: { "content-type": "application/json" } });
  });
  const proxy: LossyProxy = { ...server, loseAnswer: 0, paths: [] };
  return proxy;
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
