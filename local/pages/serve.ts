/**
 * Serves a built page as a static host does: with its headers, compressed, and nothing else.
 * @module
 */

import { gzipSync } from "node:zlib";
import { isLoopbackHost } from "../system/loopback.ts";
import { portTakenError } from "../system/ports.ts";
import type { BuiltPage } from "./build.ts";
import { type HeaderRules, headersFor, parseHeaders } from "./headers.ts";

/** A page that is being served. */
export interface ServedPage {
  /** Its address, with a slash at the end. */
  readonly url: string;
  stop(): Promise<void>;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  json: "application/json",
};

/**
 * Serves a page on 127.0.0.1.
 *
 * @throws {TaskError} that names `setting` if the port is taken.
 */
export function servePage(
  files: BuiltPage,
  { port, setting }: { port: number; setting: string },
): ServedPage {
  const rules = parseHeaders(new TextDecoder().decode(files.get("_headers")));
  const served = new Map(
    [...files].filter(([path]) => path !== "_headers")
      .map(([path, bytes]) => [`/${path}`, { bytes, compressed: new Uint8Array(gzipSync(bytes)) }]),
  );
  const server = listen(port, setting, (request) => respond(request, served, rules));
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    stop: () => server.shutdown(),
  };
}

function listen(
  port: number,
  setting: string,
  handler: (request: Request) => Response,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, handler);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw portTakenError(port, setting);
    throw error;
  }
}

interface ServedFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly compressed: Uint8Array<ArrayBuffer>;
}

function respond(
  request: Request,
  files: ReadonlyMap<string, ServedFile>,
  rules: HeaderRules,
): Response {
  // First, because an odd host makes even the request's URL throw.
  if (!isLoopbackHost(request.headers.get("host"))) {
    return new Response("Pages of this machine only.\n", { status: 421 });
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("Method not allowed.\n", { status: 405, headers: { allow: "GET, HEAD" } });
  }
  const { pathname } = new URL(request.url);
  const path = pathname === "/" ? "/index.html" : pathname;
  const file = files.get(path);
  if (!file) {
    return new Response("Not found.\n", { status: 404, headers: headersFor(rules, pathname) });
  }
  const isCompressed = /\bgzip\b/.test(request.headers.get("accept-encoding") ?? "");
  return new Response(isCompressed ? file.compressed : file.bytes, {
    headers: {
      ...headersFor(rules, pathname),
      "content-type": CONTENT_TYPES[path.slice(path.lastIndexOf(".") + 1)] ??
        "application/octet-stream",
      vary: "accept-encoding",
      ...(isCompressed && { "content-encoding": "gzip" }),
    },
  });
}
