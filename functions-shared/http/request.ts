/**
 * Reads a request: its path, its query, its body. Whatever a caller can send is either rejected here
 * or turned into plain text and plain objects.
 * @module
 */

import { RequestError } from "shared/errors.ts";

/** A body that takes longer is abandoned, so that it cannot tie up a worker. */
const BODY_TIMEOUT_MS = 10_000;

/**
 * Returns the path segments after the function's name, decoded.
 *
 * The path starts with the function's name, which `/functions/v1` may precede.
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

/**
 * Returns the parameters of the query.
 *
 * @throws {RequestError} `INVALID_REQUEST` if a parameter is given more than once.
 */
export function queryFields(url: URL): Record<string, string> {
  // In a query a plus sign stands for a space, but ?phone_number=+91 means a literal plus.
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
 * Returns the fields of a body, whatever its content type: some frontends send JSON as `text/plain`.
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
 * Returns the raw body. It is read chunk by chunk, because `content-length` may be missing or wrong.
 *
 * @throws {RequestError} `BODY_TOO_LARGE`, or `INVALID_JSON` if it does not arrive in full.
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
    // An abandoned body ends like a complete one, and the part that arrived may even be valid JSON.
    if (isLate) throw new Error(`The body took longer than ${BODY_TIMEOUT_MS} ms`);
  } catch (cause) {
    if (cause instanceof RequestError) throw cause;
    throw new RequestError("INVALID_JSON", { message: "The request body did not arrive", cause });
  } finally {
    clearTimeout(timeout);
  }
  return bytes.slice(0, length);
}
