/**
 * Reads a request: its path, its query, its body. Whatever a caller can send is either rejected here
 * or turned into plain text and plain objects.
 * @module
 */

import { RequestError } from "shared/errors.ts";

/** A body that takes longer is abandoned, so that it cannot tie up a worker. */
const BODY_TIMEOUT_MS = 10_000;

/** More than any function takes. Unknown parameters are ignored, but too many of them cost time. */
const MAX_QUERY_PARAMETERS = 20;

/** Most bodies fit in this; the buffer doubles for the others. */
const FIRST_BUFFER_BYTES = 2_048;

/**
 * Returns the path segments after the function's name, decoded, of which a function takes `maxSegments`.
 *
 * The path starts with the function's name, which `/functions/v1` may precede.
 *
 * @throws {RequestError} `NOT_FOUND` for an empty segment, one too many or another function's name,
 * `INVALID_REQUEST` for a malformed escape.
 */
export function pathAfter(functionName: string, url: URL, maxSegments: number): string[] {
  const path = url.pathname.replace(/^\/functions\/v1(?=\/)/, "").replace(/\/$/, "");
  const [, name, ...segments] = path.split("/");
  if (name !== functionName || segments.includes("") || segments.length > maxSegments) {
    throw new RequestError("NOT_FOUND");
  }
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
 * @throws {RequestError} `INVALID_REQUEST` if a parameter is given more than once, or if there are
 * too many.
 */
export function queryFields(url: URL): Record<string, string> {
  // In a query a plus sign stands for a space, but ?phone_number=+91 means a literal plus.
  const parameters = new URLSearchParams(url.search.replaceAll(/=\+(?=[0-9])/g, "=%2B"));
  if (parameters.size > MAX_QUERY_PARAMETERS) {
    throw new RequestError("INVALID_REQUEST", {
      message: `The query has more than ${MAX_QUERY_PARAMETERS} parameters`,
    });
  }
  return uniqueFields(parameters, "query parameter");
}

/**
 * Returns the fields of a body that an HTML form has sent, whatever its content type. Bytes that are no
 * form make fields that nobody asks for.
 *
 * @throws {RequestError} `INVALID_REQUEST` if a field is given more than once.
 */
export function formFields(bytes: BufferSource): Record<string, string> {
  return uniqueFields(new URLSearchParams(new TextDecoder().decode(bytes)), "field");
}

function uniqueFields(parameters: URLSearchParams, kind: string): Record<string, string> {
  const names = new Set<string>();
  for (const name of parameters.keys()) {
    if (names.has(name)) {
      throw new RequestError("INVALID_REQUEST", {
        message: `The ${kind} ${JSON.stringify(name.slice(0, 64))} is given more than once`,
      });
    }
    names.add(name);
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
 * Returns the raw body. A `content-length` that says too much is refused at once, and otherwise not
 * relied on, because it may be missing or wrong: the body is read chunk by chunk.
 *
 * @throws {RequestError} `BODY_TOO_LARGE`, or `INVALID_JSON` if it does not arrive in full.
 */
export async function bodyBytes(request: Request, maxBytes: number): Promise<BufferSource> {
  if (request.body === null) return new Uint8Array();
  if (Number(request.headers.get("content-length")) > maxBytes) {
    throw new RequestError("BODY_TOO_LARGE");
  }
  const reader = request.body.getReader();
  let isLate = false;
  const timeout = setTimeout(() => {
    isLate = true;
    reader.cancel();
  }, BODY_TIMEOUT_MS);
  let bytes = new Uint8Array(Math.min(FIRST_BUFFER_BYTES, maxBytes));
  let length = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const end = length + part.value.length;
      if (end > maxBytes) {
        await reader.cancel();
        throw new RequestError("BODY_TOO_LARGE");
      }
      if (end > bytes.length) {
        const larger = new Uint8Array(Math.min(Math.max(end, 2 * bytes.length), maxBytes));
        larger.set(bytes.subarray(0, length));
        bytes = larger;
      }
      bytes.set(part.value, length);
      length = end;
    }
    // An abandoned body ends like a complete one, and the part that arrived may even be valid JSON.
    if (isLate) throw new Error(`The body took longer than ${BODY_TIMEOUT_MS} ms`);
  } catch (cause) {
    if (cause instanceof RequestError) throw cause;
    throw new RequestError("INVALID_JSON", { message: "The request body did not arrive", cause });
  } finally {
    clearTimeout(timeout);
  }
  return bytes.subarray(0, length);
}
