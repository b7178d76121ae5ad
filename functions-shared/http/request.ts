/**
 * Reads a request: its path, its query, its body. Everything a caller can send is refused or
 * turned into plain text and plain objects here.
 * @module
 */

import { RequestError } from "shared/errors.ts";

/** Slower bodies than this are given up, so that they cannot hold a worker. */
const BODY_TIMEOUT_MS = 10_000;

/**
 * The path segments after the function's name, decoded.
 *
 * The hosted platform puts the function's name first; `/functions/v1` may stand before it.
 *
 * @throws {RequestError} `NOT_FOUND` for an empty segment or another function's name,
 * `INVALID_REQUEST` for a malformed escape.
 */
export function pathAfter(functionName: string, url: URL): string[] {
  const path = url.pathname.replace(/^\/functions\/v1(?=\/)/, "").replace(/\/$/, "");
  const [, name, ...segments] = path.split("/");
  if (name !== functionName || segments.includes("")) throw new RequestError("NOT_FOUND");
  try {
    return segments.map(decodeURIComponent);
  } catch (cause) {
    throw new RequestError("INVALID_REQUEST", {
      message: "The path has a malformed percent escape",
      cause,
    });
  }
}

/** @throws {RequestError} `INVALID_REQUEST` when a parameter is given more than once. */
export function queryFields(url: URL): Record<string, string> {
  // In a query a plus sign stands for a blank, but who writes ?phone_number=+91 means the plus.
  const parameters = new URLSearchParams(url.search.replaceAll(/=\+(?=[0-9])/g, "=%2B"));
  const names = [...parameters.keys()];
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new RequestError("INVALID_REQUEST", {
      message: `The query parameter ${
        JSON.stringify(repeated.slice(0, 64))
      } is given more than once`,
    });
  }
  return Object.fromEntries(parameters);
}

/**
 * The fields of a body, whatever its content type says: some frontends send JSON as `text/plain`.
 *
 * @throws {RequestError} `INVALID_JSON` for anything but a JSON object in UTF-8.
 */
export function jsonFields(bytes: BufferSource): Record<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new RequestError("INVALID_JSON", { cause });
  }
  if (body === null || typeof body !== "object" || Array.isArray(body)) {
    throw new RequestError("INVALID_JSON");
  }
  return { ...body };
}

/**
 * The raw body. It is read piece by piece: a `content-length` may be missing, or a lie.
 *
 * @throws {RequestError} `BODY_TOO_LARGE`, or `INVALID_JSON` when it does not arrive whole.
 */
export async function bodyBytes(request: Request, maxBytes: number): Promise<BufferSource> {
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  let isLate = false;
  const timeout = setTimeout(() => {
    isLate = true;
    reader.cancel();
  }, BODY_TIMEOUT_MS);
  const bytes = new Uint8Array(maxBytes);
  let length = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (length + part.value.length > maxBytes) {
        await reader.cancel();
        throw new RequestError("BODY_TOO_LARGE");
      }
      bytes.set(part.value, length);
      length += part.value.length;
    }
    // A body that was given up ends like one that is whole, and what came of it may even be JSON.
    if (isLate) throw new Error(`The body took longer than ${BODY_TIMEOUT_MS} ms`);
  } catch (cause) {
    if (cause instanceof RequestError) throw cause;
    throw new RequestError("INVALID_JSON", { message: "The request body did not arrive", cause });
  } finally {
    clearTimeout(timeout);
  }
  return bytes.slice(0, length);
}
